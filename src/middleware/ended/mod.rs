//! The wait for a session's end, for connections that outlive their request.
//!
//! [`waiting`] is what this process knows: who waits for which session, and what it ends itself. [`question`] asks the
//! store or the list of ended tokens. [`follow`] waits for both, and for time to pass.

pub(crate) mod follow;
pub(crate) mod question;
#[cfg(test)]
mod tests;
pub(crate) mod waiting;
