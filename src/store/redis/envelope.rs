//! [`Envelope`]: a record's value in Redis, with what the scripts need to know in front of it.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use super::super::{Revision, StoreError, StoreErrorKind, Stored};
use crate::session::{authentication::Subject, record::Record, time::Timestamp};

const VERSION: u8 = 1;

/// The latest moment that scripts count with: a Lua number is exact up to here.
const LAST_MOMENT: u64 = 1 << 52;

/// Whose record it is: the first half of the SHA-256 of the subject, so that no name of a user appears in
/// a key, or zeros for a guest's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner([u8; Self::LEN]);

impl Owner {
    const LEN: usize = 16;
    const NONE: Self = Self([0; Self::LEN]);

    pub(super) fn of(subject: &Subject) -> Self {
        let digest = Sha256::digest(subject.as_str().as_bytes());
        let mut owner = [0; Self::LEN];
        owner.copy_from_slice(&digest[..Self::LEN]);
        Self(owner)
    }

    /// The owner in the name of a key.
    pub(super) fn to_text(self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    pub(super) const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

/// When the index of its subject got a record's entry, and until when it keeps it, by the clock of the
/// server that holds the index, in milliseconds; both 0 for a guest record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Listing {
    pub(super) at: u64,
    pub(super) until: u64,
}

/// What stands in front of a record's bytes: version, revision, owner, expiry and listing, 49 bytes. The
/// scripts know these places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Envelope {
    pub(super) revision: Revision,
    pub(super) owner: Owner,
    pub(super) expires_at: u64,
    pub(super) listing: Listing,
}

impl Envelope {
    const LEN: usize = 1 + 8 + Owner::LEN + 3 * 8;

    pub(super) fn of(record: &Record, revision: Revision) -> Self {
        Self {
            revision,
            owner: record.subject().map_or(Owner::NONE, Owner::of),
            expires_at: moment(record.expires_at()),
            listing: Listing::default(),
        }
    }

    /// The whole value of a record.
    pub(super) fn seal(&self, record: &Record) -> Vec<u8> {
        let body = record.encode();
        let mut out = Vec::with_capacity(Self::LEN + body.len());
        out.push(VERSION);
        out.extend_from_slice(&self.revision.get().to_be_bytes());
        out.extend_from_slice(&self.owner.0);
        for number in [self.expires_at, self.listing.at, self.listing.until] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        out.extend_from_slice(&body);
        out
    }

    /// Reads the front of a value.
    pub(super) fn of_value(value: &[u8]) -> Result<(Self, &[u8]), StoreError> {
        let corrupt = || StoreError::new(StoreErrorKind::Corrupt);
        let (head, body) = value.split_at_checked(Self::LEN).ok_or_else(corrupt)?;
        if head[0] != VERSION {
            return Err(corrupt());
        }
        let number = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&head[at..at + 8]);
            u64::from_be_bytes(bytes)
        };
        let mut owner = [0; Owner::LEN];
        owner.copy_from_slice(&head[9..25]);
        let envelope = Self {
            revision: Revision::new(number(1)),
            owner: Owner(owner),
            expires_at: number(25),
            listing: Listing {
                at: number(33),
                until: number(41),
            },
        };
        Ok((envelope, body))
    }

    /// The owner whose index lists the record, if any.
    pub(super) fn listed_owner(&self) -> Option<Owner> {
        (self.owner != Owner::NONE).then_some(self.owner)
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
