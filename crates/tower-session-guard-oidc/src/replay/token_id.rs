//! [`TokenId`]: what a logout token is known by.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

/// What a logout token is known by: a SHA-256 digest of its issuer and its `jti`, as 43 characters of base64url.
///
/// So a key made of it has one length, whatever a provider writes into `jti`, and providers do not meet each other's.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId(String);

impl TokenId {
    /// The id of the token that `issuer` calls `jti`.
    #[must_use]
    pub fn of(issuer: &str, jti: &str) -> Self {
        let digest = Sha256::new()
            // The length keeps `ab` + `c` apart from `a` + `bc`.
            .chain_update((issuer.len() as u64).to_be_bytes())
            .chain_update(issuer)
            .chain_update(jti)
            .finalize();
        Self(URL_SAFE_NO_PAD.encode(digest))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenId({})", self.0)
    }
}
