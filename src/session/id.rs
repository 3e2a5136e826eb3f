//! [`SessionId`], [`Secret`] and [`Claim`]: what finds a session, what proves it, and what a client says.

use std::{error::Error, fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::equal::same;

/// The 128 random bits that find a session.
///
/// Not secret: it may be listed, logged and compared, and knowing it opens no session.
/// It changes at every login. Its text form is 22 characters of base64url.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId([u8; Self::LEN]);

impl SessionId {
    /// Length in bytes.
    pub const LEN: usize = 16;

    /// The id with these bytes, for a store that reads it back from its own index.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// The id's bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// What a renewal keeps: open forms are bound to it.
    pub(crate) fn lineage(&self) -> Lineage {
        let mut first = [0; Lineage::LEN];
        first.copy_from_slice(&self.0[..Lineage::LEN]);
        Lineage(first)
    }

    /// This id with another lineage in its first half.
    pub(crate) fn with_lineage(mut self, lineage: Lineage) -> Self {
        self.0[..Lineage::LEN].copy_from_slice(&lineage.0);
        self
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({self})")
    }
}

impl FromStr for SessionId {
    type Err = InvalidSessionId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; Self::LEN];
        match URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) {
            Ok(Self::LEN) => Ok(Self(bytes)),
            _ => Err(InvalidSessionId(())),
        }
    }
}

/// A text that is not the text form of a [`SessionId`].
pub struct InvalidSessionId(());

impl fmt::Debug for InvalidSessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for InvalidSessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a session id is 22 characters of base64url")
    }
}

impl Error for InvalidSessionId {}

/// The part of a session that a renewal leaves alone and every change of privilege replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lineage(pub(crate) [u8; Self::LEN]);

impl Lineage {
    pub(crate) const LEN: usize = 8;
}

/// The 128 random bits that prove possession of a session.
///
/// It leaves the server in one cookie and nowhere else; a store keeps its [digest](SecretDigest).
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(crate) struct Secret([u8; Self::LEN]);

impl Secret {
    pub(crate) const LEN: usize = 16;

    pub(crate) const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    pub(crate) fn digest(&self) -> SecretDigest {
        SecretDigest(Sha256::digest(self.0).into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(REDACTED)")
    }
}

/// The SHA-256 digest of a secret: enough to check a secret, useless to present one.
#[derive(Clone, Copy)]
pub(crate) struct SecretDigest(pub(crate) [u8; Self::LEN]);

impl SecretDigest {
    pub(crate) const LEN: usize = 32;
}

/// Compares in constant time.
impl PartialEq for SecretDigest {
    fn eq(&self, other: &Self) -> bool {
        same(&self.0, &other.0)
    }
}

impl Eq for SecretDigest {}

impl fmt::Debug for SecretDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretDigest(REDACTED)")
    }
}

/// What a client presented in a cookie whose MAC held, before the store is asked.
///
/// Only the cookie reader makes one, so a store never looks up what was merely typed into a header.
#[derive(Clone, Debug)]
pub struct Claim {
    id: SessionId,
    secret: Secret,
}

impl Claim {
    pub(crate) const fn new(id: SessionId, secret: Secret) -> Self {
        Self { id, secret }
    }

    /// The id of the session that the client claims to hold.
    #[must_use]
    pub const fn id(&self) -> &SessionId {
        &self.id
    }

    pub(crate) const fn secret(&self) -> &Secret {
        &self.secret
    }
}

/// An id that something verified names: a client's [`Claim`], whose MAC held.
///
/// A store loads nothing else, so it never looks up what was merely typed into a header.
#[derive(Clone, Copy, Debug)]
pub struct VerifiedId<'a>(&'a SessionId);

impl<'a> VerifiedId<'a> {
    /// The id of a session whose record, or whose handle, the layer has seen.
    pub(crate) const fn of(id: &'a SessionId) -> Self {
        Self(id)
    }

    /// The id.
    #[must_use]
    pub const fn get(self) -> &'a SessionId {
        self.0
    }
}

impl<'a> From<&'a Claim> for VerifiedId<'a> {
    fn from(claim: &'a Claim) -> Self {
        Self(&claim.id)
    }
}

/// What a client presented as the identifier or the offer of a device-bound session, whose MAC held.
///
/// It registers or refreshes, and never admits a request.
#[cfg(feature = "dbsc")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DeviceClaim(SessionId);

#[cfg(feature = "dbsc")]
impl DeviceClaim {
    pub(crate) const fn new(family: SessionId) -> Self {
        Self(family)
    }

    /// The id of the session's login.
    pub(crate) const fn family(&self) -> &SessionId {
        &self.0
    }
}

/// In a store a session is kept under the id of its login.
#[cfg(feature = "dbsc")]
impl<'a> From<&'a DeviceClaim> for VerifiedId<'a> {
    fn from(claim: &'a DeviceClaim) -> Self {
        Self(&claim.0)
    }
}

/// A fresh id and secret from the random source, for a plan that needs them.
#[derive(Clone, Debug)]
pub(crate) struct Fresh {
    pub(crate) id: SessionId,
    pub(crate) secret: Secret,
}

#[cfg(test)]
mod tests {
    use super::{Secret, SessionId};

    #[test]
    fn an_id_is_read_back_from_its_text() {
        let id = SessionId::from_bytes(*b"0123456789abcdef");
        assert_eq!(id.to_string().parse::<SessionId>().unwrap(), id);
        assert_eq!(id.to_string().len(), 22);
    }

    #[test]
    fn other_texts_are_not_ids() {
        for text in [
            "",
            "a",
            "MDEyMzQ1Njc4OWFiY2RlZg==",
            "MDEyMzQ1Njc4OWFiY2RlZ",
            "MDEyMzQ1Njc4OWFiY2RlZh",
            "MDEyMzQ1Njc4OWFiY2RlZgA",
        ] {
            assert!(text.parse::<SessionId>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_secret_never_prints() {
        let secret = Secret::from_bytes([0xAB; 16]);
        let printed = format!("{secret:?} {:?}", secret.digest());
        assert_eq!(printed, "Secret(REDACTED) SecretDigest(REDACTED)");
    }
}
