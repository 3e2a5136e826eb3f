//! [`KeyRing`]: the keys that sign and verify tokens.

mod derived;
mod mac;
mod source;
#[cfg(test)]
mod tests;
mod weak;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwap;

use self::weak::refuse_weak;
pub(crate) use self::{
    derived::Derived,
    mac::{Mac, TAG_LEN},
};
use crate::error::ConfigError;

/// Opens every message of this crate that a ring key authenticates.
pub(crate) const LABEL: &[u8] = b"tower-session-guard";

/// The keys that sign and verify tokens: the first signs, all verify.
///
/// A clone is the same ring: [`replace`](Self::replace) on one is seen by all, and by every layer that
/// was built from one of them.
///
/// *Routine roll-over:* put the new key first and keep the old one behind it for as long as tokens under it may live;
/// they are signed anew when they are used. Nobody is logged out. On several servers, put the new key second
/// everywhere before it comes first anywhere, so that each server knows what another one signs.
///
/// *After a leak:* leave the leaked key out at once, on every server. Every token under it is dead, and its users log in
/// again. While it stayed in the ring, whoever has it could forge self-contained tokens, and each would be signed
/// anew under the new key, to live for as long as the policy allows from the creation time that stands in it.
///
/// Every key has at least 32 bytes. Each use of a key (a cookie name, a token version, an audience)
/// gets a key of its own, derived with HMAC-SHA-256, so one ring may serve several layers. Keys are kept
/// as HMAC states only, zeroized when the last clone is gone, and never printed.
///
/// # Examples
///
/// ```
/// use tower_session_guard::KeyRing;
///
/// let ring = KeyRing::generate()?;
/// assert!(format!("{ring:?}").contains("REDACTED"));
/// # Ok::<(), tower_session_guard::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct KeyRing(Arc<Keys>);

struct Keys {
    /// Grows after each replacement of the keys.
    generation: AtomicU64,
    keys: ArcSwap<Box<[RingKey]>>,
}

struct RingKey {
    id: KeyId,
    mac: Mac,
}

impl KeyRing {
    /// The shortest key, in bytes: as long as an HMAC-SHA-256 tag (RFC 2104, section 3).
    pub const MIN_KEY_LEN: usize = 32;

    /// The ring of these keys, in this order. The bytes are the caller's to zeroize.
    ///
    /// # Errors
    ///
    /// If there is no key, or a key is shorter than 32 bytes, is no secret (it repeats a single byte or a pattern of
    /// up to 16, counts up or down by one, or was printed in this crate's documentation), or is in the ring
    /// already (which includes a key whose [id](KeyId) collides: for random keys one pair in 16 million).
    pub fn from_bytes(
        keys: impl IntoIterator<Item = impl AsRef<[u8]>>,
    ) -> Result<Self, ConfigError> {
        Self::checked(keys, refuse_weak)
    }

    /// Keys of tests, which may be patterned: frozen vectors are made with such.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn of_tests(keys: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Self {
        match Self::checked(keys, |_, _| Ok(())) {
            Ok(ring) => ring,
            Err(refused) => unreachable!("{refused}"),
        }
    }

    fn checked(
        keys: impl IntoIterator<Item = impl AsRef<[u8]>>,
        refuse: fn(&[u8], usize) -> Result<(), ConfigError>,
    ) -> Result<Self, ConfigError> {
        let mut ring: Vec<RingKey> = Vec::new();
        for (index, bytes) in keys.into_iter().enumerate() {
            let (bytes, position) = (bytes.as_ref(), index + 1);
            if bytes.len() < Self::MIN_KEY_LEN {
                return Err(ConfigError::WeakKey {
                    position,
                    bytes: bytes.len(),
                });
            }
            refuse(bytes, position)?;
            let key = RingKey::new(bytes);
            if ring.iter().any(|other| other.id == key.id) {
                return Err(ConfigError::DuplicateKey { position });
            }
            ring.push(key);
        }
        if ring.is_empty() {
            return Err(ConfigError::NoKeys);
        }
        Ok(Self(Arc::new(Keys {
            generation: AtomicU64::new(0),
            keys: ArcSwap::from_pointee(ring.into()),
        })))
    }

    /// Takes over the keys of another ring, while the server runs.
    ///
    /// Every layer that was built from this ring follows at its next request. The other ring stays as it
    /// is, and is not followed later.
    pub fn replace(&self, with: &KeyRing) {
        self.0.keys.store(with.0.keys.load_full());
        // After the keys, so that whoever sees the new generation sees them too.
        self.0.generation.fetch_add(1, Ordering::Release);
    }

    /// The ids of the keys in the ring, the signing one first: for an operator who compares servers.
    #[must_use]
    pub fn key_ids(&self) -> Vec<KeyId> {
        self.keys().iter().map(|key| key.id).collect()
    }

    fn generation(&self) -> u64 {
        self.0.generation.load(Ordering::Acquire)
    }

    fn keys(&self) -> Arc<Box<[RingKey]>> {
        self.0.keys.load_full()
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing")
            .field("ids", &self.key_ids())
            .field("keys", &format_args!("REDACTED"))
            .finish()
    }
}

impl RingKey {
    fn new(bytes: &[u8]) -> Self {
        let mac = Mac::new(bytes);
        let [a, b, c, ..] = mac.tag_parts(&[LABEL, KeyId::PURPOSE]);
        Self {
            id: KeyId([a, b, c]),
            mac,
        }
    }
}

/// What tells the keys of a ring apart: it stands in every token, and says nothing about the key.
///
/// The first 3 bytes of HMAC-SHA-256 under the key over a fixed message, so every process that has the
/// key knows it by the same id. Its text form is 6 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId([u8; Self::LEN]);

impl KeyId {
    /// Length in bytes.
    pub const LEN: usize = 3;

    const PURPOSE: &[u8] = b"key id";

    pub(crate) const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c] = self.0;
        write!(f, "{a:02x}{b:02x}{c:02x}")
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}
