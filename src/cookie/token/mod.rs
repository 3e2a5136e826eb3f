//! Seals and opens tokens: the value of a cookie, as one HMAC vouches for it.
//!
//! Base64url without padding. The key of the MAC is derived from a key of the ring, the version, the
//! cookie's name and the audience, so a token under any other of them is a forged one.

#[cfg(feature = "dbsc")]
pub(crate) mod bound;
mod reference;
mod self_contained;
mod size;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use zeroize::{Zeroize, ZeroizeOnDrop};

#[cfg(any(test, bench))]
pub(crate) use self::self_contained::SelfContained;
pub(super) use self::size::MAX_NAME_LEN;
use super::{ByKind, CookieKind, CookiePolicy, MAX_NAME_AND_VALUE};
use crate::{
    key::{Derived, KeyId, KeyRing, KeyUse, LABEL, Mac},
    session::{codec::Malformed, live::Signature},
};

const REFERENCE: u8 = 1;
/// A self-contained token whose state is of schema 1: opened, and no longer issued.
const SELF_CONTAINED_V1: u8 = 2;
/// A self-contained token whose state is of schema 2.
const SELF_CONTAINED: u8 = 3;

/// The value of a cookie: whoever has it is the session's holder.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(crate) struct Token(String);

impl Token {
    fn encode(bytes: &[u8]) -> Self {
        Self(URL_SAFE_NO_PAD.encode(bytes))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(REDACTED)")
    }
}

/// What a token whose MAC held says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Opened<T> {
    pub(crate) value: T,
    /// What may become of its signature.
    pub(crate) signature: Signature,
}

/// Why a value is not a valid token, the less telling causes first; a client never learns which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rejected {
    /// Its length, its spelling, its version or, though signed by us, its content is not a token's.
    Malformed,
    /// Its key id is not in the ring.
    UnknownKey,
    /// Its MAC is another.
    Forged,
    /// It is ours, and its session has ended.
    Expired,
    /// It is ours, and was issued later than any honest clock says.
    FromTheFuture,
}

impl Rejected {
    /// Whether this server signed the value.
    pub(crate) const fn is_ours(self) -> bool {
        match self {
            Self::Malformed | Self::UnknownKey | Self::Forged => false,
            Self::Expired | Self::FromTheFuture => true,
        }
    }
}

impl From<Malformed> for Rejected {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// What signs and verifies the tokens of one layer: a key for each version, name and audience.
#[derive(Debug)]
pub(crate) struct TokenKeys {
    keys: Derived<ByKind<Macs>>,
    max_len: ByKind<usize>,
}

/// The MACs for the tokens of one cookie under one key of the ring.
struct Macs {
    reference: Mac,
    self_contained: Mac,
    self_contained_v1: Mac,
}

impl TokenKeys {
    pub(crate) fn new(ring: KeyRing, policy: &CookiePolicy, audience: &str) -> Self {
        let names = policy.clone();
        let audience = audience.to_owned();
        let by_name = move |key: &Mac, kind| {
            let name = names.name(kind).as_str().as_bytes();
            let mac = |version| key.derive(&[LABEL, &[version], name, audience.as_bytes()]);
            Macs {
                reference: mac(REFERENCE),
                self_contained: mac(SELF_CONTAINED),
                self_contained_v1: mac(SELF_CONTAINED_V1),
            }
        };
        let max_len = |kind| MAX_NAME_AND_VALUE - policy.name(kind).as_str().len();
        Self {
            keys: Derived::new(ring, move |key| ByKind {
                guest: by_name(key, CookieKind::Guest),
                session: by_name(key, CookieKind::Session),
            }),
            max_len: ByKind {
                guest: max_len(CookieKind::Guest),
                session: max_len(CookieKind::Session),
            },
        }
    }

    /// What stands between head and MAC, and what may become of the signature.
    ///
    /// Nothing but the version and the key id is looked at before the MAC held.
    fn authentic<'a>(
        &self,
        version: u8,
        bytes: &'a [u8],
        mac: impl FnOnce(&ByKind<Macs>) -> &Mac,
    ) -> Result<(&'a [u8], Signature), Rejected> {
        let (signed, tag) = bytes.split_last_chunk().ok_or(Rejected::Malformed)?;
        let (&[own_version, a, b, c], body) =
            signed.split_first_chunk().ok_or(Rejected::Malformed)?;
        if own_version != version {
            return Err(Rejected::Malformed);
        }
        let keys = self.keys.current();
        let (macs, role) = keys
            .find(KeyId::from_bytes([a, b, c]))
            .ok_or(Rejected::UnknownKey)?;
        if !mac(macs).verify(signed, tag) {
            return Err(Rejected::Forged);
        }
        let signature = match role {
            KeyUse::Signs | KeyUse::Next => Signature::Current,
            KeyUse::Older => Signature::Older,
            KeyUse::Expiring => Signature::Final,
        };
        Ok((body, signature))
    }
}

/// Strict: neither padding nor another alphabet nor bits that say nothing.
fn decode<'a>(value: &[u8], bytes: &'a mut [u8]) -> Result<&'a [u8], Rejected> {
    let len = URL_SAFE_NO_PAD
        .decode_slice(value, bytes)
        .map_err(|_| Rejected::Malformed)?;
    Ok(&bytes[..len])
}
