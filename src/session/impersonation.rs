//! [`Impersonation`]: the facts of an impersonation.

use std::time::Duration;

use super::authentication::{AssuranceLevel, Subject};

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
        }
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
