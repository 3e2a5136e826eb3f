//! [`Impersonation`]: the facts of an impersonation.

use std::{borrow::Borrow, time::Duration};

use serde::{Serialize, de::DeserializeOwned};

use super::{
    authentication::{AssuranceLevel, Subject},
    brought::Brought,
    data::{DataError, DataKey},
};

/// The facts of an impersonation: as whom the logged-in user acts, how strongly, and for how long at most.
///
/// A bare subject is one at the level that holds, for half an hour.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tower_session_guard::{AuthenticatedSession, Impersonation};
///
/// fn help(administrator: &AuthenticatedSession, customer: u64) {
///     let five_minutes = Duration::from_secs(300);
///     let acting = Impersonation::of(customer).lasting(five_minutes);
///     administrator.session().impersonate(acting);
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "hand it to Session::impersonate"]
pub struct Impersonation {
    pub(crate) subject: Subject,
    pub(crate) level: Option<AssuranceLevel>,
    pub(crate) lasting: Duration,
    pub(crate) data: Brought,
}

impl Impersonation {
    /// For how long an impersonation lasts unless it says otherwise.
    pub const DEFAULT_TIME: Duration = Duration::from_secs(30 * 60);

    /// Acting as `subject`.
    pub fn of(subject: impl Into<Subject>) -> Self {
        Self {
            subject: subject.into(),
            level: None,
            lasting: Self::DEFAULT_TIME,
            data: Brought::default(),
        }
    }

    /// Puts a value under `key` into the session that begins. It is gone with the return, as all that is written while acting.
    ///
    /// # Errors
    ///
    /// If the value does not turn into JSON that reads back as it was.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::{DataError, DataKey, Impersonation};
    ///
    /// const TICKET: DataKey<u32> = DataKey::new("support ticket");
    ///
    /// fn help(customer: u64, ticket: u32) -> Result<Impersonation, DataError> {
    ///     Impersonation::of(customer).insert(&TICKET, &ticket)
    /// }
    /// # assert!(help(42, 7).is_ok());
    /// ```
    pub fn insert<T, V>(mut self, key: &DataKey<T>, value: &V) -> Result<Self, DataError>
    where
        T: Serialize + DeserializeOwned + Borrow<V>,
        V: Serialize + ?Sized,
    {
        self.data.insert(key, value)?;
        Ok(self)
    }

    /// Lowers the level while acting. It is never above the actor's, whatever is asked for here or marked later.
    pub const fn at_level(mut self, level: AssuranceLevel) -> Self {
        self.level = Some(level);
        self
    }

    /// Ends the session this long after the impersonation began, unless the actor has returned. Less than a second counts as a
    /// second; the session's absolute limit stays.
    pub fn lasting(mut self, time: Duration) -> Self {
        self.lasting = time.max(Duration::from_secs(1));
        self
    }
}

impl<S> From<S> for Impersonation
where
    S: Into<Subject>,
{
    fn from(subject: S) -> Self {
        Self::of(subject)
    }
}
