//! [`Retirement`]: why a token no longer holds.

use crate::session::{id::SessionId, time::Timestamp};

/// Why a token no longer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Retirement {
    /// A logout or a revocation: the session ends, whatever its token is by now.
    Ended,
    /// A login put another session in its place: the session ends as after a logout, but a late request
    /// carries its token honestly.
    Superseded,
    /// An elevation or a step-down replaced it by `successor`, the same session: only while the token
    /// itself still holds.
    Elevated {
        /// The session's next token.
        successor: SessionId,
    },
    /// A renewal replaced it by `successor`, the same session: only while the token itself holds, and
    /// not in another renewal's grace time. It works until `grace_until`.
    Renewed {
        /// The session's next token.
        successor: SessionId,
        /// When the token itself stops working.
        grace_until: Timestamp,
    },
}
