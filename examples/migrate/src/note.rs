//! [`RotatedLogin`]: what the release before the move writes into old sessions.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// Says that an old session was given a new id at this user's login, and when.
///
/// Neither library keeps it. It tells the hook that the session is the user's alone, and how old their proof is.
#[derive(Debug, Deserialize, Serialize)]
pub struct RotatedLogin {
    /// Whose login it was.
    pub user: u64,
    /// When it was, in seconds since 1970.
    pub at: u64,
}

impl RotatedLogin {
    /// Its key in the old session.
    pub const KEY: &str = "rotated_login";

    /// A login of this user, now. Write it once the session has its new id.
    #[must_use]
    pub fn of(user: u64) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let at = since.map_or(0, |since| since.as_secs());
        Self { user, at }
    }
}
