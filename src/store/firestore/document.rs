//! Documents: what they hold, and what is believed of them.

use std::collections::HashMap;

use googleapis_tonic_google_firestore_v1::google::firestore::v1::{
    Document, Value,
    value::ValueType::{self, BytesValue, IntegerValue, TimestampValue},
};
use prost_types::Timestamp as UpdateTime;

use crate::{
    session::{authentication::Subject, id::SessionId, record::Record, time::Timestamp},
    store::{Revision, StoreError, StoreErrorKind, Stored},
};

/// The record's bytes.
pub(super) const RECORD: &str = "record";
/// The subject's bytes, which any text may be; absent for a guest.
pub(super) const SUBJECT: &str = "subject";
/// When Firestore may clear the document away. What has expired is decided by the record.
pub(super) const EXPIRES_AT: &str = "expires_at";
/// A random number that each write draws anew: a write that changed nothing would keep the update time,
/// and two writers could win.
pub(super) const WRITE: &str = "write";

/// The last second of the year 9999, the latest that Firestore knows.
const LATEST: i64 = 253_402_300_799;

/// The document of a session as a write sends it.
pub(super) fn document(name: String, record: &Record, write: i64) -> Document {
    let mut fields = HashMap::from([
        (RECORD.to_owned(), value(BytesValue(record.encode()))),
        (
            EXPIRES_AT.to_owned(),
            value(TimestampValue(ttl(record.expires_at()))),
        ),
        (WRITE.to_owned(), value(IntegerValue(write))),
    ]);
    if let Some(subject) = record.subject() {
        fields.insert(SUBJECT.to_owned(), subject_value(subject));
    }
    Document {
        name,
        fields,
        ..Document::default()
    }
}

pub(super) fn subject_value(subject: &Subject) -> Value {
    value(BytesValue(subject.as_str().as_bytes().to_vec()))
}

const fn value(value: ValueType) -> Value {
    Value {
        value_type: Some(value),
    }
}

/// Rounded up, so that nothing is cleared away early.
fn ttl(time: Timestamp) -> UpdateTime {
    let seconds = time.as_unix_millis().div_ceil(1000);
    UpdateTime {
        seconds: i64::try_from(seconds).map_or(LATEST, |seconds| seconds.min(LATEST)),
        nanos: 0,
    }
}

/// A document that Firestore gave.
pub(super) struct Snapshot {
    document: Document,
    pub(super) revision: Revision,
}

impl Snapshot {
    pub(super) fn of(document: Document) -> Result<Self, StoreError> {
        let revision = document.update_time.and_then(revision);
        let revision = revision.ok_or_else(|| corrupt("the document has no update time"))?;
        Ok(Self { document, revision })
    }

    /// What the document says, unless its fields contradict each other: a document that was copied from
    /// one subject to another is not believed.
    pub(super) fn stored(&self) -> Result<Stored, StoreError> {
        let record = self.bytes(RECORD);
        let record = Record::decode(record.ok_or_else(|| corrupt("there is no record"))?)?;
        let subject = record.subject().map(|subject| subject.as_str().as_bytes());
        if subject != self.bytes(SUBJECT) {
            return Err(corrupt(
                "the record is of another subject than its document",
            ));
        }
        Ok(Stored::new(record, self.revision))
    }

    /// Whether it was this write that left the document as it is.
    pub(super) fn is_of(&self, write: i64) -> bool {
        let field = self.document.fields.get(WRITE);
        field.and_then(|field| field.value_type.as_ref()) == Some(&IntegerValue(write))
    }

    fn bytes(&self, field: &str) -> Option<&[u8]> {
        match &self.document.fields.get(field)?.value_type {
            Some(BytesValue(bytes)) => Some(bytes),
            _ => None,
        }
    }

    /// The session's id: the last part of the document's name.
    pub(super) fn id(&self) -> Result<SessionId, StoreError> {
        id_in(&self.document.name)
    }
}

pub(super) fn id_in(name: &str) -> Result<SessionId, StoreError> {
    let id = name.rsplit('/').next().unwrap_or_default();
    id.parse()
        .map_err(|error| StoreError::with_source(StoreErrorKind::Corrupt, error))
}

/// The time of a write as a number: nanoseconds since the Unix epoch.
pub(super) fn revision(time: UpdateTime) -> Option<Revision> {
    let seconds = u64::try_from(time.seconds).ok()?;
    let nanos = u64::try_from(time.nanos).ok()?;
    let number = seconds.checked_mul(1_000_000_000)?.checked_add(nanos)?;
    Some(Revision::new(number))
}

pub(super) fn update_time(revision: Revision) -> UpdateTime {
    let number = revision.get();
    UpdateTime {
        seconds: i64::try_from(number / 1_000_000_000).unwrap_or(i64::MAX),
        nanos: i32::try_from(number % 1_000_000_000).unwrap_or_default(),
    }
}

pub(super) fn corrupt(why: &'static str) -> StoreError {
    StoreError::with_source(StoreErrorKind::Corrupt, why)
}

#[cfg(test)]
mod tests {
    use prost_types::Timestamp as UpdateTime;

    use super::{LATEST, revision, ttl, update_time};
    use crate::{session::time::Timestamp, store::Revision};

    #[test]
    fn a_revision_is_an_update_time_to_the_nanosecond() {
        let time = UpdateTime {
            seconds: 1_800_000_000,
            nanos: 123_456_789,
        };
        let number = revision(time).unwrap();
        assert_eq!(number, Revision::new(1_800_000_000_123_456_789));
        assert_eq!(update_time(number), time);
        assert!(
            revision(UpdateTime {
                seconds: -1,
                nanos: 0
            })
            .is_none()
        );
    }

    #[test]
    fn a_time_to_live_is_never_early_and_never_beyond_what_firestore_knows() {
        assert_eq!(ttl(Timestamp::from_unix_millis(1_001)).seconds, 2);
        assert_eq!(ttl(Timestamp::from_unix_millis(u64::MAX)).seconds, LATEST);
    }
}
