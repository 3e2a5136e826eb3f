//! [`Mac`]: HMAC-SHA-256 under one key whose schedule was computed once.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::equal::same;

/// Length of a tag in bytes: never truncated.
pub(crate) const TAG_LEN: usize = 32;

/// HMAC-SHA-256 (RFC 2104) under one key.
///
/// Holds the inner and outer state after the padded key, which each use clones: a message of up to 55
/// bytes then costs two compressions. The states are zeroized on drop.
#[derive(Clone)]
pub(crate) struct Mac(Hmac<Sha256>);

impl Mac {
    pub(crate) fn new(key: &[u8]) -> Self {
        match Hmac::new_from_slice(key) {
            Ok(mac) => Self(mac),
            Err(_) => unreachable!("HMAC takes keys of every length"),
        }
    }

    /// The key for another use: the tag of the [pre-authentication encoding](Self::tag_parts) of `parts`.
    pub(crate) fn derive(&self, parts: &[&[u8]]) -> Self {
        Self::new(&*Zeroizing::new(self.tag_parts(parts)))
    }

    /// The tag of `message` as it is: for messages of one fixed layout.
    pub(crate) fn tag(&self, message: &[u8]) -> [u8; TAG_LEN] {
        self.0
            .clone()
            .chain_update(message)
            .finalize()
            .into_bytes()
            .into()
    }

    /// The tag of several parts, encoded so that no other parts give the same bytes: before each part
    /// its length in bytes as 8 big-endian bytes.
    pub(crate) fn tag_parts(&self, parts: &[&[u8]]) -> [u8; TAG_LEN] {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    /// Whether `tag` is the tag of `message`, compared in constant time.
    pub(crate) fn verify(&self, message: &[u8], tag: &[u8; TAG_LEN]) -> bool {
        same(&self.tag(message), tag)
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mac(REDACTED)")
    }
}
