//! [`DerivedKey`]: a key for a use of the application's own.

use std::fmt;

use zeroize::Zeroizing;

use super::{KeyId, KeyRing, LABEL, TAG_LEN};

/// A key of 32 bytes for a use of the application's own, derived from a key of a [`KeyRing`].
///
/// It is zeroized when it is dropped, and never printed.
#[derive(Clone)]
pub struct DerivedKey {
    id: KeyId,
    bytes: Zeroizing<[u8; TAG_LEN]>,
}

impl KeyRing {
    /// Keys for a use of the application's own, one of each key that is in the ring now; the one that signs comes first.
    ///
    /// Sign with the first and verify with all, and derive anew after each [replacement](Self::replace): so another signed
    /// cookie rolls over with the ring. Each is the HMAC-SHA-256, under the ring's key, of a label of this crate and of `purpose`.
    /// No other purpose gives the same keys, and none gives the keys that sign this crate's tokens. Name the application, the use
    /// and its version.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::KeyRing;
    ///
    /// let ring = KeyRing::generate()?;
    /// let keys = ring.derive_keys("shop.example invitation 1");
    /// assert_eq!(keys.len(), 1);
    /// assert_eq!(keys[0].as_ref().len(), 32);
    /// # Ok::<(), tower_session_guard::ConfigError>(())
    /// ```
    #[must_use]
    pub fn derive_keys(&self, purpose: impl AsRef<[u8]>) -> Vec<DerivedKey> {
        let parts = [LABEL, b"own use", purpose.as_ref()];
        let derive = |key: &super::RingKey| DerivedKey {
            id: key.id,
            bytes: Zeroizing::new(key.mac.tag_parts(&parts)),
        };
        self.keys().iter().map(derive).collect()
    }
}

impl DerivedKey {
    /// The id of the ring's key that it was derived from.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }
}

impl AsRef<[u8]> for DerivedKey {
    fn as_ref(&self) -> &[u8] {
        &*self.bytes
    }
}

impl fmt::Debug for DerivedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DerivedKey")
            .field("id", &self.id)
            .field("bytes", &format_args!("REDACTED"))
            .finish()
    }
}
