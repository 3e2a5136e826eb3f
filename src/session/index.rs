//! [`IndexKey`]: what a store lists sessions under, besides their ids.

use std::fmt;

use sha2::{Digest, Sha256};

use super::{authentication::Subject, codec::put_bytes};

/// Begins the key of an owner in a named audience. No UTF-8 text begins with this byte.
const IN_AUDIENCE: u8 = 0xFF;

/// Begins the key of a tag. No UTF-8 text begins with this byte.
const TAG: u8 = 0xFE;

/// What a store lists sessions under: an *owner*, which is a subject in an audience, or a *tag*.
///
/// A record names its keys: [`Record::index_keys`](crate::Record::index_keys). Two applications with
/// different [audiences](crate::SessionLayer::with_audience) may share a store and use the same subjects: their
/// keys differ. A store compares keys by their [bytes](Self::as_bytes), or by their [digest](Self::digest) where
/// it needs a fixed length.
///
/// # Examples
///
/// ```
/// use tower_session_guard::store::IndexKey;
///
/// let shop = IndexKey::owner("shop", &"42".into());
/// let admin = IndexKey::owner("admin", &"42".into());
/// assert_ne!(shop, admin);
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IndexKey(Box<[u8]>);

impl IndexKey {
    /// The longest key, in bytes: the marker, two lengths, and the longest audience and subject.
    pub const MAX_LEN: usize = 1 + 2 + 255 + Subject::MAX_LEN;

    /// The key of the sessions of `subject` in `audience`.
    #[must_use]
    pub fn owner(audience: &str, subject: &Subject) -> Self {
        let subject = subject.as_str().as_bytes();
        if audience.is_empty() {
            return Self(subject.into());
        }
        let mut bytes = Vec::with_capacity(3 + audience.len() + subject.len());
        bytes.push(IN_AUDIENCE);
        // The length keeps `ab` + `c` apart from `a` + `bc`.
        put_bytes(&mut bytes, audience.as_bytes());
        bytes.extend_from_slice(subject);
        Self(bytes.into())
    }

    /// The key of the sessions in `audience` whose login named `tag`.
    ///
    /// It holds a digest of the tag, so that neither a record nor a token shows what an identity provider
    /// calls its session.
    #[must_use]
    pub fn tag(audience: &str, tag: &str) -> Self {
        Self::of_tag(TagDigest::of(audience, tag))
    }

    pub(crate) fn of_tag(TagDigest(digest): TagDigest) -> Self {
        let mut bytes = [TAG; 17];
        bytes[1..].copy_from_slice(&digest);
        Self(bytes.into())
    }

    /// Whether this is the key of an owner, rather than of a tag.
    #[must_use]
    pub fn is_owner(&self) -> bool {
        self.0.first() != Some(&TAG)
    }

    /// The key's bytes, not empty for a valid subject and at most [`MAX_LEN`](Self::MAX_LEN) long.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The first half of the SHA-256 digest of the key's bytes.
    ///
    /// It shows neither subject nor tag to whoever reads an index, unless they can guess them.
    #[must_use]
    pub fn digest(&self) -> [u8; 16] {
        first_half(&self.0)
    }
}

/// What a session keeps of a tag: half a SHA-256 digest of the audience and the tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TagDigest(pub(crate) [u8; 16]);

impl TagDigest {
    pub(crate) fn of(audience: &str, tag: &str) -> Self {
        let mut bytes = Vec::with_capacity(2 + audience.len() + tag.len());
        put_bytes(&mut bytes, audience.as_bytes());
        bytes.extend_from_slice(tag.as_bytes());
        Self(first_half(&bytes))
    }
}

pub(super) fn first_half(bytes: &[u8]) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&Sha256::digest(bytes)[..16]);
    half
}

/// Shows the digest: a subject may be personal.
impl fmt::Debug for IndexKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_owner() {
            "IndexKey(owner "
        } else {
            "IndexKey(tag "
        })?;
        for byte in &self.digest()[..4] {
            write!(f, "{byte:02x}")?;
        }
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::IndexKey;

    /// S21: no owner, tag or audience is taken for another.
    #[test]
    fn keys_of_different_audiences_kinds_and_names_differ() {
        let owner = |audience, subject: &str| IndexKey::owner(audience, &subject.into());
        let keys = [
            owner("", "a"),
            owner("a", "a"),
            owner("a", "b"),
            owner("ab", "c"),
            owner("a", "bc"),
            owner("", "abc"),
            IndexKey::tag("", "a"),
            IndexKey::tag("a", "a"),
            IndexKey::tag("ab", "c"),
            IndexKey::tag("a", "bc"),
        ];
        for (at, key) in keys.iter().enumerate() {
            for other in &keys[at + 1..] {
                assert_ne!(key, other);
                assert_ne!(key.digest(), other.digest());
            }
        }
    }

    #[test]
    fn an_owner_without_an_audience_is_the_subject() {
        let key = IndexKey::owner("", &"alice".into());
        assert_eq!(key.as_bytes(), b"alice");
        assert!(key.is_owner() && !IndexKey::tag("", "alice").is_owner());
    }

    #[test]
    fn a_key_does_not_print_its_subject() {
        let printed = format!("{:?}", IndexKey::owner("shop", &"alice".into()));
        assert!(!printed.contains("alice"), "{printed}");
    }
}
