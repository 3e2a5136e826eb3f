//! [`StepUp`]: the facts of an elevation.

use std::time::Duration;

use smol_str::SmolStr;

use super::authentication::AssuranceLevel;

/// The facts of an elevation: how strongly the user proved who they are, by which method, and for how long that holds.
///
/// A bare level is one that holds until the session ends.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tower_session_guard::{AssuranceLevel, Session, StepUp};
///
/// fn code_verified(session: &Session) {
///     let ten_minutes = Duration::from_secs(600);
///     session.elevate(StepUp::to(AssuranceLevel::AAL2).by("totp").lasting(ten_minutes));
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "hand it to Session::elevate"]
pub struct StepUp {
    pub(crate) level: AssuranceLevel,
    pub(crate) lasting: Option<Duration>,
    pub(crate) method: Option<SmolStr>,
}

impl StepUp {
    /// An elevation to `level` that holds until the session ends.
    pub const fn to(level: AssuranceLevel) -> Self {
        Self {
            level,
            lasting: None,
            method: None,
        }
    }

    /// Lets it hold for `time`; afterwards the level that held before holds again.
    pub const fn lasting(mut self, time: Duration) -> Self {
        self.lasting = Some(time);
        self
    }

    /// Says by which method the user proved who they are.
    ///
    /// The session keeps it with the time, as one of a [login](crate::Login::by), until a step-down. A level that is weaker
    /// than the one that holds changes nothing, and the method counts all the same. Of more methods than a session
    /// [keeps](crate::Login::MAX_METHODS), the one that was proved longest ago goes.
    pub fn by(mut self, method: impl AsRef<str>) -> Self {
        self.method = Some(SmolStr::new(method.as_ref()));
        self
    }
}

impl From<AssuranceLevel> for StepUp {
    fn from(level: AssuranceLevel) -> Self {
        Self::to(level)
    }
}
