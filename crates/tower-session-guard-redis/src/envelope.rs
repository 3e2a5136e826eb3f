//! [`Envelope`]: a record's value in Redis, with what the scripts need to know in front of it.

use tower_session_guard::{
    Record, Timestamp,
    store::{Counting, IndexKey, Revision, StoreError, StoreErrorKind, Stored},
};

const VERSION: u8 = 2;

/// The latest moment that scripts count with: a Lua number is exact up to here.
const LAST_MOMENT: u64 = 1 << 52;

/// An index key in the names of Redis keys and in envelopes, so that neither shows the name of a user.
pub(super) type KeyDigest = [u8; 16];

/// When the indexes got a record's entries, and until when they keep them, by the clocks of the servers that
/// hold the indexes, in milliseconds: the earliest of each. Both are 0 for a guest's record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Listing {
    pub(super) at: u64,
    pub(super) until: u64,
}

impl Listing {
    pub(super) fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.at.to_be_bytes());
        bytes[8..].copy_from_slice(&self.until.to_be_bytes());
        bytes
    }
}

/// What stands in front of a record's bytes: version, revision, expiry, listing, whether the session counts, and
/// the digests of its keys after their number. The scripts know these places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Envelope {
    pub(super) revision: Revision,
    pub(super) expires_at: u64,
    pub(super) listing: Listing,
    pub(super) counting: Counting,
    pub(super) keys: Vec<KeyDigest>,
}

/// The length of an envelope without keys.
const FIXED: usize = 1 + 8 + 8 + 16 + 1 + 1;

/// How many keys a record of this release has at most: two owners and eight tags.
const MAX_KEYS: usize = 10;

impl Envelope {
    /// How many bytes of a value hold the envelope and the record's head.
    pub(super) const WITH_HEAD: usize =
        FIXED + MAX_KEYS * size_of::<KeyDigest>() + Record::MAX_HEAD_LEN;

    pub(super) fn of(record: &Record, revision: Revision, counting: Counting) -> Self {
        let keys = record.index_keys();
        Self {
            revision,
            expires_at: moment(record.expires_at()),
            listing: Listing::default(),
            counting,
            keys: keys.iter().map(IndexKey::digest).collect(),
        }
    }

    /// The whole value of a record.
    pub(super) fn seal(&self, record: &Record) -> Result<Vec<u8>, StoreError> {
        let many = |_| StoreError::with_source(StoreErrorKind::Unsupported, "too many index keys");
        let count = u8::try_from(self.keys.len()).map_err(many)?;
        let body = record.encode();
        let mut out = Vec::with_capacity(FIXED + size_of_val(&self.keys[..]) + body.len());
        out.push(VERSION);
        out.extend_from_slice(&self.revision.get().to_be_bytes());
        out.extend_from_slice(&self.expires_at.to_be_bytes());
        out.extend_from_slice(&self.listing.to_bytes());
        out.push(flag(self.counting));
        out.push(count);
        out.extend_from_slice(self.keys.as_flattened());
        out.extend_from_slice(&body);
        Ok(out)
    }

    /// Reads the front of a value; what follows is the record.
    pub(super) fn of_value(value: &[u8]) -> Result<(Self, &[u8]), StoreError> {
        Self::read(value).ok_or(StoreError::new(StoreErrorKind::Corrupt))
    }

    fn read(value: &[u8]) -> Option<(Self, &[u8])> {
        let (version, rest) = value.split_first()?;
        let (revision, rest) = number(rest)?;
        let (expires_at, rest) = number(rest)?;
        let (at, rest) = number(rest)?;
        let (until, rest) = number(rest)?;
        let (counting, rest) = rest.split_first()?;
        let (count, rest) = rest.split_first()?;
        let (keys, body) = rest.split_at_checked(usize::from(*count) * size_of::<KeyDigest>())?;
        let (keys, _) = keys.as_chunks();
        let envelope = Self {
            revision: Revision::new(revision),
            expires_at,
            listing: Listing { at, until },
            counting: counting_of(*counting)?,
            keys: keys.to_vec(),
        };
        (*version == VERSION).then_some((envelope, body))
    }

    pub(super) const fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at <= now.as_unix_millis()
    }
}

fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u64::from_be_bytes(*number), rest))
}

/// Whether a session counts, in envelopes and in index entries.
pub(super) const fn flag(counting: Counting) -> u8 {
    match counting {
        Counting::Counted => 1,
        Counting::LeftOut => 2,
    }
}

pub(super) const fn counting_of(flag: u8) -> Option<Counting> {
    match flag {
        1 => Some(Counting::Counted),
        2 => Some(Counting::LeftOut),
        _ => None,
    }
}

/// The live record in a value.
pub(super) fn open(value: &[u8], now: Timestamp) -> Result<Option<Stored>, StoreError> {
    let (envelope, body) = Envelope::of_value(value)?;
    let record = Record::decode(body)?;
    if record.is_expired(now) {
        return Ok(None);
    }
    Ok(Some(Stored::new(record, envelope.revision)))
}

/// A moment in milliseconds, as scripts can count with it.
pub(super) fn moment(at: Timestamp) -> u64 {
    at.as_unix_millis().min(LAST_MOMENT)
}
