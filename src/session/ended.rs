//! [`EndCause`]: why a session ended; [`Ended`]: the wait for its end.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

/// Why a session ended.
///
/// The one list of words for events ([`EventKind::end_cause`](crate::EventKind::end_cause)) and for
/// connections that outlive their request ([`AuthenticatedSession::ended`](crate::AuthenticatedSession::ended)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EndCause {
    /// Its user logged out.
    Logout,
    /// It was ended from outside its own requests, or to make room for a login over the limit.
    Revoked,
    /// A login put another session in its place.
    Replaced,
    /// It reached its idle or its absolute limit.
    Expired,
    /// A token was used again after its renewal, or by another client, and the session ended with it.
    Reused,
    /// It ended, and this process does not know why: another node ended it, or it ended before the wait began.
    Ended,
}

impl EndCause {
    /// Every cause.
    pub const ALL: &'static [Self] = &[
        Self::Logout,
        Self::Revoked,
        Self::Replaced,
        Self::Expired,
        Self::Reused,
        Self::Ended,
    ];

    /// The cause's name in lower case, for logs and for clients.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::Revoked => "revoked",
            Self::Replaced => "replaced",
            Self::Expired => "expired",
            Self::Reused => "reused",
            Self::Ended => "ended",
        }
    }
}

impl fmt::Display for EndCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A future that is ready once a session has ended, and says why.
///
/// [`AuthenticatedSession::ended`](crate::AuthenticatedSession::ended) makes one. It borrows nothing, so it moves into a
/// spawned task or a response's body. Dropped, it leaves nothing behind.
#[must_use = "it tells nothing unless it is awaited"]
pub struct Ended(Pin<Box<dyn Future<Output = EndCause> + Send>>);

impl Ended {
    pub(crate) fn new(wait: impl Future<Output = EndCause> + Send + 'static) -> Self {
        Self(Box::pin(wait))
    }
}

impl Future for Ended {
    type Output = EndCause;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ended").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::EndCause;

    /// R56: a client can tell the causes apart.
    #[test]
    fn every_end_has_a_word_of_its_own() {
        let words: HashSet<_> = EndCause::ALL.iter().map(|cause| cause.as_str()).collect();
        assert_eq!(words.len(), EndCause::ALL.len());
        assert!(
            EndCause::ALL
                .iter()
                .all(|cause| words.contains(&*cause.to_string()))
        );
    }
}
