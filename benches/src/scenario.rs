//! What is measured: the requests, the same for every subject.

use serde::{Deserialize, Serialize};

/// One kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Scenario {
    /// No cookie at all; the handler asks who is there.
    S1,
    /// The valid cookie of a logged-in session; the handler asks who is there.
    S2,
    /// The same cookie with one character changed.
    S3,
    /// A guest cookie that holds one value; the handler logs somebody in, so the token changes.
    S4,
    /// As S2, among twenty other cookies.
    S5,
    /// As S2, and the handler writes one value.
    S6,
    /// As S4, from a session that is logged in already.
    S7,
}

impl Scenario {
    /// All of them, in order.
    pub const ALL: [Self; 7] = [
        Self::S1,
        Self::S2,
        Self::S3,
        Self::S4,
        Self::S5,
        Self::S6,
        Self::S7,
    ];

    /// A few words for a table's head.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::S1 => "no cookie",
            Self::S2 => "valid, read",
            Self::S3 => "forged",
            Self::S4 => "login from a guest session",
            Self::S5 => "valid among 20 others",
            Self::S6 => "valid, one write",
            Self::S7 => "login again",
        }
    }

    /// The route it asks for.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::S1 | Self::S2 | Self::S3 | Self::S5 => READ,
            Self::S4 | Self::S7 => LOGIN,
            Self::S6 => WRITE,
        }
    }
}

/// Asks who is there: 200 when somebody is logged in, otherwise 401.
pub const READ: &str = "/";
/// Logs [`USER`] in.
pub const LOGIN: &str = "/login";
/// Writes one number into the session.
pub const WRITE: &str = "/write";

/// Who logs in.
pub const USER: &str = "user-4217";
