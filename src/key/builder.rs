//! [`KeyRingBuilder`]: a ring whose keys are for different uses.

use super::{KeyRing, KeyUse, RingKey, weak::refuse_weak};
use crate::error::ConfigError;

/// Makes a [`KeyRing`] of keys for different uses, see [`KeyRing::builder`].
#[derive(Debug, Default)]
#[must_use = "call build"]
pub struct KeyRingBuilder {
    keys: Vec<RingKey>,
    added: usize,
    refused: Option<ConfigError>,
}

impl KeyRing {
    /// A ring of keys for different uses.
    ///
    /// | key | verifies | a token under it |
    /// |---|---|---|
    /// | [`signing`](KeyRingBuilder::signing), exactly one | yes | is as it should be |
    /// | [`next`](KeyRingBuilder::next) | yes | is left alone: another server signs with it already |
    /// | [`older`](KeyRingBuilder::older) | yes | is signed again with the signing key when it is used |
    /// | [`expiring`](KeyRingBuilder::expiring) | yes | is never signed again: it ends with its session, or when the key leaves |
    ///
    /// A roll-over on several servers has two steps, and each may take as long as it likes. First the new key becomes
    /// `next` everywhere. Then it signs, and the key before it becomes `older`, one server after the other.
    ///
    /// The session of a self-contained token under an expiring key can be read, ended, and replaced by a login. Nothing else
    /// is written, since that would sign it again: an elevation is refused with 401, and data is dropped with an event.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::KeyRing;
    ///
    /// # let key = |seed: u8| (1..33u8).map(|n| n.wrapping_mul(n).wrapping_mul(seed)).collect::<Vec<u8>>();
    /// # let (new, old) = (key(3), key(5));
    /// let ring = KeyRing::builder().signing(&new).older(&old).build()?;
    /// assert_eq!(ring.key_ids().len(), 2);
    /// # Ok::<(), tower_session_guard::ConfigError>(())
    /// ```
    pub fn builder() -> KeyRingBuilder {
        KeyRingBuilder::default()
    }
}

impl KeyRingBuilder {
    /// Adds the key that signs.
    pub fn signing(self, key: impl AsRef<[u8]>) -> Self {
        self.with(key.as_ref(), KeyUse::Signs)
    }

    /// Adds a key that will sign later.
    pub fn next(self, key: impl AsRef<[u8]>) -> Self {
        self.with(key.as_ref(), KeyUse::Next)
    }

    /// Adds a key that signed before.
    pub fn older(self, key: impl AsRef<[u8]>) -> Self {
        self.with(key.as_ref(), KeyUse::Older)
    }

    /// Adds a key under which no token is to outlive the key.
    pub fn expiring(self, key: impl AsRef<[u8]>) -> Self {
        self.with(key.as_ref(), KeyUse::Expiring)
    }

    /// The ring.
    ///
    /// # Errors
    ///
    /// If no key signs, or more than one does, and as [`KeyRing::from_bytes`].
    pub fn build(self) -> Result<KeyRing, ConfigError> {
        match self.refused {
            Some(refused) => Err(refused),
            None => KeyRing::of(self.keys),
        }
    }

    pub(super) fn with(self, key: &[u8], role: KeyUse) -> Self {
        self.checked(key, role, refuse_weak)
    }

    pub(super) fn checked(
        mut self,
        key: &[u8],
        role: KeyUse,
        refuse: fn(&[u8], usize) -> Result<(), ConfigError>,
    ) -> Self {
        self.added += 1;
        let position = self.added;
        let taken = if key.len() < KeyRing::MIN_KEY_LEN {
            let bytes = key.len();
            Err(ConfigError::WeakKey { position, bytes })
        } else {
            refuse(key, position)
        };
        let key = taken.map(|()| RingKey::new(key, role));
        match key {
            Err(refused) => {
                self.refused.get_or_insert(refused);
            }
            Ok(key) if self.keys.iter().any(|other| other.id == key.id) => {
                self.refused
                    .get_or_insert(ConfigError::DuplicateKey { position });
            }
            Ok(key) => self.keys.push(key),
        }
        self
    }
}
