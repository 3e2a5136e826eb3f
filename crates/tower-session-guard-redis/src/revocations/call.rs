//! The arguments of the list's scripts.

use tower_session_guard::{
    SessionId, Timestamp,
    store::{
        Cutoff, IndexKey, StoreError, StoreErrorKind,
        revocation::{Ending, IssuedToken, Replacement},
    },
};

use crate::{envelope::moment, script::Call, store::in_text};

/// A later release of the library may add a kind: a list that took one for another would let a token live or end
/// the wrong session.
const UNKNOWN: &str =
    "this release of tower-session-guard-redis does not know that kind of ending: update it";

fn unknown() -> StoreError {
    StoreError::with_source(StoreErrorKind::Unsupported, UNKNOWN)
}

impl Call {
    pub(super) fn moment(self, at: Timestamp) -> Self {
        self.arg(moment(at))
    }

    /// A token: its family by name and by its bytes, its id, and when it was issued.
    pub(super) fn token(self, token: IssuedToken<'_>) -> Self {
        self.arg(token.family().to_string())
            .arg(token.family().as_bytes())
            .arg(token.id().as_bytes())
            .moment(token.issued_at())
    }

    pub(super) fn keys(self, keys: &[IndexKey]) -> Self {
        let names = keys.iter().map(|key| in_text(&key.digest()));
        names.fold(self, Self::arg)
    }

    pub(super) fn ending(self, how: Ending) -> Result<Self, StoreError> {
        match how {
            Ending::Ended => Ok(self.arg("E")),
            Ending::Superseded => Ok(self.arg("S")),
            _ => Err(unknown()),
        }
    }

    /// A kind of replacement, the successor's id, and until when there is grace.
    pub(super) fn replacement(
        self,
        successor: &SessionId,
        how: Replacement,
    ) -> Result<Self, StoreError> {
        let (letter, grace_until) = match how {
            Replacement::Elevated => ("U", Timestamp::default()),
            Replacement::Renewed { grace_until } => ("R", grace_until),
            Replacement::Bound { crossing_until } => ("B", crossing_until),
            _ => return Err(unknown()),
        };
        Ok(self
            .arg(letter)
            .arg(successor.as_bytes())
            .moment(grace_until))
    }

    pub(super) fn cutoff(self, key: &IndexKey, cutoff: &Cutoff) -> Self {
        self.arg(in_text(&key.digest()))
            .moment(cutoff.at)
            .moment(cutoff.until)
            .arg(&cutoff.mark)
    }
}
