use std::fmt;
use std::time::Duration;

use super::transport::TransportError;

/// Why an audit could not run, or not to its end.
#[derive(Debug)]
#[non_exhaustive]
pub enum AuditError {
    /// Something needed was not given, or what was given makes no sense.
    Config(String),
    /// A fresh browser could not log in, or the probe did not show the account afterwards.
    LoginFailed(String),
    /// A step's answer was not the one expected.
    Step(String),
    /// The application could not be reached or did not answer.
    Transport(TransportError),
    /// The audit has used up the requests it was allowed.
    RequestsSpent(usize),
    /// The audit has used up its time.
    TimeUp,
    /// The application goes on asking for a pause, or for one that the time limit does not allow.
    Throttled(Duration),
    /// Logins that worked before fail one after the other: the account may be locked.
    LockedOut,
}

impl AuditError {
    /// Whether the audit has to stop, because every further request would fail the same way.
    pub(super) fn is_final(&self) -> bool {
        matches!(
            self,
            Self::RequestsSpent(_)
                | Self::TimeUp
                | Self::Config(_)
                | Self::Throttled(_)
                | Self::LockedOut
        )
    }
}

impl fmt::Display for AuditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(what) => write!(f, "the audit is not well described: {what}"),
            Self::LoginFailed(what) => write!(f, "could not log in: {what}"),
            Self::Step(what) => write!(f, "a step failed: {what}"),
            Self::Transport(error) => write!(f, "no answer: {error}"),
            Self::RequestsSpent(most) => write!(f, "the limit of {most} requests is reached"),
            Self::TimeUp => f.write_str("the time limit is reached"),
            Self::Throttled(pause) => write!(
                f,
                "the application asks for a pause of {} s; send more slowly, or allow more time",
                pause.as_secs_f32()
            ),
            Self::LockedOut => f.write_str(
                "logins that worked before fail one after the other; the account may be locked, and no more are tried",
            ),
        }
    }
}

impl std::error::Error for AuditError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Transport(error) => Some(error),
            _ => None,
        }
    }
}

impl From<TransportError> for AuditError {
    fn from(error: TransportError) -> Self {
        Self::Transport(error)
    }
}
