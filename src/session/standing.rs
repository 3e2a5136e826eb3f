//! [`Standing`]: what a token of a session is worth.

/// What a token is worth that was issued for a session, apart from the session's time limits.
///
/// A store's record knows it of each secret that it remembers, and a
/// [`RevocationList`](crate::store::revocation::RevocationList) of each self-contained token that has not
/// expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Standing {
    /// It is its session's token.
    Current,
    /// A renewal replaced it moments ago; it still opens the session.
    Grace,
    /// A [binding to a device](crate::store::revocation::Replacement::Bound) replaced it moments ago: it still opens the session, as
    /// one that is not bound, and nothing may leave in its place.
    Crossing,
    /// A login or a change of level replaced it: a request under way carries it honestly.
    Superseded,
    /// A renewal replaced it, and its grace time is over.
    Reused,
    /// Its session was logged out or revoked.
    Ended,
}

impl Standing {
    /// Whether it opens its session.
    #[must_use]
    pub const fn opens(self) -> bool {
        match self {
            Self::Current | Self::Grace | Self::Crossing => true,
            Self::Superseded | Self::Reused | Self::Ended => false,
        }
    }

    /// Which of several tokens of one session counts: one that opens it, the newest first; else the one that says
    /// most of a theft.
    pub(crate) const fn rank(self) -> u8 {
        match self {
            Self::Current => 5,
            Self::Grace => 4,
            Self::Crossing => 3,
            Self::Reused => 2,
            Self::Superseded => 1,
            Self::Ended => 0,
        }
    }
}
