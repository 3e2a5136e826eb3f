//! [`KeyRing`]: the keys that sign and verify tokens.

mod builder;
mod derived;
mod mac;
mod own_use;
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
pub use self::{builder::KeyRingBuilder, own_use::DerivedKey};
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
/// *Routine roll-over:* on one server, put the new key first and keep the old one behind it for as long as tokens under
/// it may live; they are signed again when they are used. Nobody is logged out. On several servers that takes two
/// steps, so that each server knows what another one signs: see [`builder`](Self::builder). The example `key_reload` reads
/// a file of keys again at each SIGHUP.
///
/// *After a leak:* take the leaked key out at once, on every server: with [`retire_now`](Self::retire_now), or with
/// [`replace`](Self::replace) if it signs. Every token under it is dead, and its users log in again. While it stays
/// in the ring, whoever has it forges self-contained tokens. As an [`expiring`](KeyRingBuilder::expiring) key it lets
/// none of them be signed again; as an older one each is, to live for as long as the policy allows from the creation time
/// that stands in it.
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

#[derive(Clone, Debug)]
struct RingKey {
    id: KeyId,
    role: KeyUse,
    mac: Mac,
}

/// What a key of a ring is for, see [`KeyRing::builder`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyUse {
    Signs,
    Next,
    Older,
    Expiring,
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
    #[cfg(test)]
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
        let builder = keys.into_iter().enumerate();
        let builder = builder.fold(Self::builder(), |builder, (index, key)| {
            let role = if index == 0 {
                KeyUse::Signs
            } else {
                KeyUse::Older
            };
            builder.checked(key.as_ref(), role, refuse)
        });
        builder.build()
    }

    /// The ring of these keys, of which exactly one signs.
    fn of(mut keys: Vec<RingKey>) -> Result<Self, ConfigError> {
        // The signing one first; the others stay in their order.
        keys.sort_by_key(|key| key.role != KeyUse::Signs);
        match keys.iter().filter(|key| key.role == KeyUse::Signs).count() {
            1 => {}
            0 => return Err(ConfigError::NoKeys),
            _ => return Err(ConfigError::SeveralSigningKeys),
        }
        Ok(Self(Arc::new(Keys {
            generation: AtomicU64::new(0),
            keys: ArcSwap::from_pointee(keys.into()),
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

    /// Takes a key out of the ring, while the server runs: no token under it opens from now on.
    ///
    /// Every layer that was built from this ring follows at its next request. Each server has a ring of its own: call it on
    /// all of them, and leave the key out of what they read at their next start.
    ///
    /// # Errors
    ///
    /// If the ring has no such key, or it is the one that signs: [`replace`](Self::replace) the ring then. Nothing is
    /// changed.
    pub fn retire_now(&self, id: KeyId) -> Result<(), ConfigError> {
        let mut refused = None;
        self.0.keys.rcu(|keys| {
            refused = match keys.iter().find(|key| key.id == id) {
                Some(key) if key.role == KeyUse::Signs => {
                    let id = id.to_string();
                    Some(ConfigError::SigningKeyRetired { id })
                }
                Some(_) => None,
                None => {
                    let id = id.to_string();
                    Some(ConfigError::KeyNotInRing { id })
                }
            };
            if refused.is_some() {
                return Arc::clone(keys);
            }
            let left = keys.iter().filter(|key| key.id != id).cloned();
            Arc::new(left.collect())
        });
        match refused {
            Some(refused) => Err(refused),
            None => {
                self.0.generation.fetch_add(1, Ordering::Release);
                Ok(())
            }
        }
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
    fn new(bytes: &[u8], role: KeyUse) -> Self {
        let mac = Mac::new(bytes);
        let [a, b, c, ..] = mac.tag_parts(&[LABEL, KeyId::PURPOSE]);
        Self {
            id: KeyId([a, b, c]),
            role,
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
