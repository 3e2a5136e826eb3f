//! Documents: what they hold, and what is believed of them.

use std::collections::HashMap;

use googleapis_tonic_google_firestore_v1::google::firestore::v1::{
    ArrayValue, Document, Value,
    value::ValueType::{self, ArrayValue as Array, BytesValue, IntegerValue, TimestampValue},
};
use prost_types::Timestamp as UpdateTime;
use tower_session_guard::{
    Record, SessionId, Timestamp,
    store::{
        Counting, IndexKey, ListedHead, RecordHead, Revision, StoreError, StoreErrorKind, Stored,
    },
};

/// Half a SHA-256 digest of an index key: what a document holds of it, however long the key is.
pub(super) type KeyDigest = [u8; 16];

/// The record's first bytes, which hold its head.
pub(super) const HEAD: &str = "head";
/// The record's other bytes; absent if there are none.
pub(super) const DATA: &str = "data";
/// The digests of the keys that the session is listed under; absent for a guest's.
pub(super) const KEYS: &str = "keys";
/// The digests of the owners towards whose limits the session counts; absent if it counts towards none.
pub(super) const COUNTED_FOR: &str = "counted_for";
/// When the session expires, and Firestore may clear the document away.
pub(super) const EXPIRES_AT: &str = "expires_at";
/// A random number that each write draws anew: a write that changed nothing would keep the update time,
/// and two writers could win.
pub(super) const WRITE: &str = "write";

/// The last second of the year 9999, the latest that Firestore knows.
const LATEST: i64 = 253_402_300_799;

pub(super) type Fields = HashMap<String, Value>;

/// The fields of a session that a replacement writes.
pub(super) const REPLACED: [&str; 4] = [HEAD, DATA, EXPIRES_AT, WRITE];

/// What a replacement writes of a session.
pub(super) fn replaced_fields(record: &Record, write: i64) -> Fields {
    let mut head = record.encode();
    let data = head.split_off(head.len().min(Record::MAX_HEAD_LEN));
    let mut fields = HashMap::from([
        (HEAD.to_owned(), value(BytesValue(head))),
        (EXPIRES_AT.to_owned(), timestamp(record.expires_at())),
        (WRITE.to_owned(), value(IntegerValue(write))),
    ]);
    if !data.is_empty() {
        fields.insert(DATA.to_owned(), value(BytesValue(data)));
    }
    fields
}

/// What a creation writes.
pub(super) fn fields(record: &Record, counting: Counting, write: i64) -> Fields {
    let mut fields = replaced_fields(record, write);
    let owners = match counting {
        Counting::Counted => record.owners(),
        Counting::LeftOut => Vec::new(),
    };
    for (name, keys) in [(KEYS, record.index_keys()), (COUNTED_FOR, owners)] {
        if !keys.is_empty() {
            let values = keys.iter().map(digest).collect();
            fields.insert(name.to_owned(), value(Array(ArrayValue { values })));
        }
    }
    fields
}

/// What an array holds for a key.
pub(super) fn digest(key: &IndexKey) -> Value {
    value(BytesValue(key.digest().to_vec()))
}

pub(super) fn digests(keys: &[IndexKey]) -> Vec<KeyDigest> {
    keys.iter().map(IndexKey::digest).collect()
}

pub(super) const fn value(value: ValueType) -> Value {
    Value {
        value_type: Some(value),
    }
}

/// To the millisecond, so that nothing is cleared away early.
pub(super) fn timestamp(time: Timestamp) -> Value {
    let millis = time.as_unix_millis();
    let nanos = i32::try_from(millis % 1000 * 1_000_000).unwrap_or_default();
    let time = match i64::try_from(millis / 1000) {
        Ok(seconds) if seconds < LATEST => UpdateTime { seconds, nanos },
        _ => UpdateTime {
            seconds: LATEST,
            nanos: 0,
        },
    };
    value(TimestampValue(time))
}

/// A document that Firestore gave, or those fields of it that it was asked for.
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
    /// one owner to another is not believed.
    pub(super) fn stored(&self) -> Result<Stored, StoreError> {
        let head = self.bytes(HEAD);
        let head = head.ok_or_else(|| corrupt("there is no record"))?;
        let record = Record::decode(&[head, self.bytes(DATA).unwrap_or_default()].concat())?;
        if !self.is_listed_as(&digests(&record.index_keys())) {
            return Err(corrupt("the record has other keys than its document"));
        }
        Ok(Stored::new(record, self.revision))
    }

    /// The session, if it is live and listed under the key.
    pub(super) fn listed(
        &self,
        key: &IndexKey,
        now: Timestamp,
    ) -> Result<Option<ListedHead>, StoreError> {
        if self.is_expired(now) || !self.is_listed_under(key) {
            return Ok(None);
        }
        let head = RecordHead::decode(self.bytes(HEAD).unwrap_or_default());
        if let Ok(head) = &head
            && (!head.index_keys().contains(key) || head.expires_at() <= now)
        {
            return Ok(None);
        }
        let counted = !self.digests_in(COUNTED_FOR).is_empty();
        Ok(Some(ListedHead::new(self.id()?, counted, head)))
    }

    pub(super) fn is_listed_under(&self, key: &IndexKey) -> bool {
        self.digests_in(KEYS).contains(&key.digest())
    }

    /// Whether the document is listed under these keys and no others.
    pub(super) fn is_listed_as(&self, keys: &[KeyDigest]) -> bool {
        let (mut found, mut keys) = (self.digests_in(KEYS), keys.to_vec());
        found.sort_unstable();
        keys.sort_unstable();
        found == keys
    }

    /// A document without an expiry is no session's; whoever needs its record says so.
    pub(super) fn is_expired(&self, now: Timestamp) -> bool {
        let Some(TimestampValue(at)) = self.field(EXPIRES_AT) else {
            return false;
        };
        let seconds = u64::try_from(at.seconds).unwrap_or_default();
        let millis = u64::try_from(at.nanos).unwrap_or_default() / 1_000_000;
        seconds.saturating_mul(1000).saturating_add(millis) <= now.as_unix_millis()
    }

    /// Whether it was this write that left the document as it is.
    pub(super) fn is_of(&self, write: i64) -> bool {
        self.field(WRITE) == Some(&IntegerValue(write))
    }

    pub(super) fn bytes(&self, field: &str) -> Option<&[u8]> {
        match self.field(field)? {
            BytesValue(bytes) => Some(bytes),
            _ => None,
        }
    }

    fn field(&self, field: &str) -> Option<&ValueType> {
        self.document.fields.get(field)?.value_type.as_ref()
    }

    fn digests_in(&self, field: &str) -> Vec<KeyDigest> {
        let Some(Array(array)) = self.field(field) else {
            return Vec::new();
        };
        let digest = |value: &Value| match &value.value_type {
            Some(BytesValue(bytes)) => bytes.as_slice().try_into().ok(),
            _ => None,
        };
        array.values.iter().filter_map(digest).collect()
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
    use super::*;
    use tower_session_guard::testing::RecordBuilder;

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_800_000_000);
    const ID: SessionId = SessionId::from_bytes([7; SessionId::LEN]);
    const WRITTEN: UpdateTime = UpdateTime {
        seconds: 1_800_000_000,
        nanos: 123_456_789,
    };

    fn member() -> RecordBuilder {
        let member = RecordBuilder::new(NOW).subject("alice").audience("shop");
        member.actor("support").tags(["sid"])
    }

    fn snapshot(record: &Record, counting: Counting) -> Snapshot {
        let document = Document {
            name: format!("projects/p/databases/d/documents/sessions/{ID}"),
            fields: fields(record, counting, -5),
            update_time: Some(WRITTEN),
            ..Document::default()
        };
        Snapshot::of(document).unwrap()
    }

    #[test]
    fn a_document_comes_back_as_its_record_with_and_without_data() {
        let noise = vec![7; 3 * Record::MAX_HEAD_LEN];
        for builder in [
            RecordBuilder::new(NOW),
            member(),
            member().entry("noise", noise),
        ] {
            let record = builder.build();
            let found = snapshot(&record, Counting::Counted);
            let is_long = record.encode().len() > Record::MAX_HEAD_LEN;
            assert_eq!(found.field(DATA).is_some(), is_long);
            let revision = revision(WRITTEN).unwrap();
            assert_eq!(
                found.stored().unwrap(),
                Stored::new(record.clone(), revision)
            );
            assert_eq!(found.id().unwrap(), ID);
            assert!(found.is_of(-5) && !found.is_of(5));
            let end = record.expires_at().as_unix_millis();
            for (at, expired) in [(end - 1, false), (end, true), (end + 1, true)] {
                let at = Timestamp::from_unix_millis(at);
                assert_eq!(found.is_expired(at), expired);
            }
        }
    }

    /// S12: what a later release wrote is listed without details; S13: a head needs no data.
    #[test]
    fn a_head_is_listed_without_data_and_whether_it_can_be_read_or_not() {
        let key = &member().build().index_keys()[2];
        for (builder, readable) in [(member(), true), (member().of_a_later_release(), false)] {
            let record = builder.entry("noise", vec![7; 5000]).build();
            for (counting, counted) in [(Counting::Counted, true), (Counting::LeftOut, false)] {
                let mut found = snapshot(&record, counting);
                found.document.fields.remove(DATA);
                let head = found.listed(key, NOW).unwrap().unwrap();
                assert_eq!((head.id, head.counted), (ID, counted));
                assert_eq!(head.head.is_ok(), readable);
                let end = record.expires_at();
                assert!(found.listed(key, end).unwrap().is_none());
                let foreign = IndexKey::owner("", &"alice".into());
                assert!(found.listed(&foreign, NOW).unwrap().is_none());
            }
        }
    }

    /// A tag does not count, and a replacement changes neither keys nor counts.
    #[test]
    fn a_session_counts_for_its_owners_and_a_replacement_leaves_that_alone() {
        let record = member().build();
        let found = snapshot(&record, Counting::Counted);
        assert_eq!(found.digests_in(COUNTED_FOR), digests(&record.owners()));
        assert_eq!(found.digests_in(KEYS).len(), 3);
        let replaced = replaced_fields(&record, 1);
        assert!(
            replaced
                .keys()
                .all(|name| REPLACED.contains(&name.as_str()))
        );
    }

    /// A29: a document of one owner does not answer for another.
    #[test]
    fn a_document_with_other_keys_than_its_record_is_corrupt() {
        let mut found = snapshot(&member().build(), Counting::Counted);
        found.document.fields.remove(KEYS);
        let error = found.stored().unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    }

    #[test]
    fn a_revision_is_an_update_time_to_the_nanosecond() {
        let number = revision(WRITTEN).unwrap();
        assert_eq!(number, Revision::new(1_800_000_000_123_456_789));
        assert_eq!(update_time(number), WRITTEN);
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
        let of = |millis| match timestamp(Timestamp::from_unix_millis(millis)).value_type {
            Some(TimestampValue(time)) => (time.seconds, time.nanos),
            _ => panic!("no timestamp"),
        };
        assert_eq!(of(1_001), (1, 1_000_000));
        assert_eq!(of(u64::MAX), (LATEST, 0));
    }
}
