//! [`CredentialStamp`]: what ends a user's sessions when their credentials change.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use tower_session_guard::{DataError, DataKey, Impersonation, Login, Session};

/// The stamp of the session's user, and that of who acts as the user.
const STAMP: DataKey<String> = DataKey::new("user-stamp");
const ACTORS_STAMP: DataKey<String> = DataKey::new("actor-stamp");

/// A digest of what proves a user: it changes whenever that does.
///
/// The session keeps it from its login on, as data. It has 16 bytes of SHA-256, so that nothing of what it was made of can be read from
/// it, also by the holder of a self-contained token. It is no secret, and does not make a secret of something that can be guessed: make it
/// of a password's salted hash or of a number that counts changes, never of the password itself.
///
/// # Examples
///
/// ```
/// use tower_session_guard_axum::CredentialStamp;
///
/// let stamp = CredentialStamp::of("$argon2id$v=19$m=19456,t=2,p=1$…");
/// assert_eq!(stamp, CredentialStamp::of("$argon2id$v=19$m=19456,t=2,p=1$…"));
/// assert_ne!(stamp, CredentialStamp::of(7_u64.to_be_bytes()));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CredentialStamp([u8; 16]);

impl CredentialStamp {
    /// The stamp of a password's salted hash, of a version, of a list of passkeys, or of whatever else proves the user.
    #[must_use]
    pub fn of(credential: impl AsRef<[u8]>) -> Self {
        let digest = Sha256::new()
            .chain_update(b"tower-session-guard-axum stamp 1")
            .chain_update(credential)
            .finalize();
        let mut stamp = [0; 16];
        stamp.copy_from_slice(&digest[..16]);
        Self(stamp)
    }

    fn text(self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }
}

impl fmt::Debug for CredentialStamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialStamp").finish_non_exhaustive()
    }
}

pub(crate) fn stamped_login(login: Login, stamp: Option<CredentialStamp>) -> Login {
    match stamp {
        Some(stamp) => sure(login.insert(&STAMP, &stamp.text())),
        None => login,
    }
}

pub(crate) fn stamped_impersonation(
    mut acting: Impersonation,
    (users, actors): (Option<CredentialStamp>, Option<CredentialStamp>),
) -> Impersonation {
    for (key, stamp) in [(&STAMP, users), (&ACTORS_STAMP, actors)] {
        if let Some(stamp) = stamp {
            acting = sure(acting.insert(key, &stamp.text()));
        }
    }
    acting
}

pub(crate) fn restamp(session: &Session, stamp: Option<CredentialStamp>) -> Result<(), DataError> {
    match stamp {
        Some(stamp) => session.insert(&STAMP, &stamp.text()),
        None => {
            session.remove(&STAMP);
            Ok(())
        }
    }
}

/// Whose stamp is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    Users,
    Actors,
}

/// How a stamp of a session compares with that of now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compared {
    Same,
    Changed,
    /// The session has none, though the user has.
    Missing,
}

/// Compares what the session keeps with the stamp of now.
pub(crate) fn compare(session: &Session, whose: Whose, now: Option<CredentialStamp>) -> Compared {
    let key = match whose {
        Whose::Users => &STAMP,
        Whose::Actors => &ACTORS_STAMP,
    };
    // A value of another type is none of ours.
    let kept = session.get(key).ok().flatten();
    match (kept, now) {
        (None, None) => Compared::Same,
        (Some(kept), Some(now)) if kept == now.text() => Compared::Same,
        (None, Some(_)) => Compared::Missing,
        (Some(_), _) => Compared::Changed,
    }
}

/// What was made of a text under a key of texts.
fn sure<T>(stamped: Result<T, DataError>) -> T {
    match stamped {
        Ok(stamped) => stamped,
        Err(_) => unreachable!("a text is JSON that reads back as it was"),
    }
}

#[cfg(test)]
mod tests {
    use tower_session_guard::{Login, testing::TestSession};

    use super::{
        Compared::{self, Changed, Missing, Same},
        CredentialStamp, STAMP, Whose, compare, restamp, stamped_login,
    };

    #[test]
    fn a_stamp_is_the_same_for_the_same_credential_only() {
        let of = |text: &str| CredentialStamp::of(text).text();
        assert_eq!(of("a"), of("a"));
        assert_ne!(of("a"), of("b"));
        assert_eq!(of("a").len(), 22);
        assert_eq!(
            format!("{:?}", CredentialStamp::of("a")),
            "CredentialStamp { .. }"
        );
    }

    #[test]
    fn every_difference_of_stamps_is_one() {
        let [a, b] = ["a", "b"].map(|text| Some(CredentialStamp::of(text)));
        #[track_caller]
        fn check(
            at_login: Option<CredentialStamp>,
            now: Option<CredentialStamp>,
            expected: Compared,
        ) {
            let login = stamped_login(Login::new("alice"), at_login);
            let session = TestSession::logged_in(login).session();
            assert_eq!(compare(&session, Whose::Users, now), expected);
        }
        check(None, None, Same);
        check(a, a, Same);
        check(a, b, Changed);
        check(a, None, Changed);
        check(None, a, Missing);
    }

    #[test]
    fn a_session_goes_on_under_the_stamp_of_its_own_change() {
        let [a, b] = ["a", "b"].map(|text| Some(CredentialStamp::of(text)));
        let session = TestSession::logged_in(stamped_login(Login::new("alice"), a)).session();
        restamp(&session, b).unwrap();
        assert_eq!(compare(&session, Whose::Users, b), Same);
        restamp(&session, None).unwrap();
        assert_eq!(session.get(&STAMP).unwrap(), None);
    }
}
