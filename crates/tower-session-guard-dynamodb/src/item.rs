//! Items: their keys, what they hold, and what is believed of them.
//!
//! A session is one item. For each key that it is listed under there is an index entry besides, in the item
//! collection of that key, so that a consistent query finds them all.

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::{
    primitives::Blob,
    types::AttributeValue::{self, B, Bool, Bs, N, S},
};
use tower_session_guard::{
    Record, SessionId, Timestamp,
    store::{
        Counting, IndexKey, ListedHead, RecordHead, Revision, StoreError, StoreErrorKind, Stored,
    },
};

pub(super) type Item = HashMap<String, AttributeValue>;

/// Half a SHA-256 digest of an index key: what the table holds of it, however long the key is.
pub(super) type KeyDigest = [u8; 16];

pub(super) const PARTITION: &str = "pk";
pub(super) const SORT: &str = "sk";
/// The record's first bytes, which hold its head.
pub(super) const HEAD: &str = "head";
/// The record's other bytes; absent if there are none.
pub(super) const DATA: &str = "data";
/// A random number that each write draws anew, so that a write that is repeated knows its own work.
pub(super) const REVISION: &str = "revision";
/// Milliseconds since the Unix epoch: what conditions compare with `now`.
pub(super) const EXPIRES_AT: &str = "expires_at";
/// The digests of the keys that the session is listed under; absent for a guest's.
pub(super) const KEYS: &str = "keys";
/// Whether the session counts towards its owner's limit; absent for a guest's.
pub(super) const COUNTED: &str = "counted";
/// Until when the index entries last at least, in milliseconds.
pub(super) const INDEXED_UNTIL: &str = "indexed_until";
/// In an index entry, the digests of the record's other keys; absent if there are none.
pub(super) const OTHER_KEYS: &str = "other_keys";
/// Seconds since the Unix epoch: when DynamoDB may clear the item away.
pub(super) const TTL: &str = "ttl";

/// Begins the sort key of an entry whose session counts, so that a query counts without a filter.
pub(super) const COUNTED_PREFIX: &str = "counted#";
const LEFT_OUT_PREFIX: &str = "left-out#";

/// How much longer than they must index entries and cut-offs last, for clocks that differ.
pub(super) const MARGIN: Duration = Duration::from_secs(86_400);

fn key(partition: String, sort: String) -> Item {
    Item::from([
        (PARTITION.to_owned(), S(partition)),
        (SORT.to_owned(), S(sort)),
    ])
}

pub(super) fn session_key(id: &SessionId) -> Item {
    key(format!("session#{id}"), "session".to_owned())
}

pub(super) fn cutoff_key(of: &IndexKey) -> Item {
    key(format!("cutoff#{}", hex(&of.digest())), "cutoff".to_owned())
}

/// The partition of a key's index entries.
pub(super) fn collection(key: &KeyDigest) -> AttributeValue {
    S(format!("index#{}", hex(key)))
}

fn hex(digest: &KeyDigest) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The digests of the keys that a record is listed under.
pub(super) fn digests(record: &Record) -> Vec<KeyDigest> {
    record.index_keys().iter().map(IndexKey::digest).collect()
}

/// One session in the index of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: SessionId,
    pub(super) counting: Counting,
    pub(super) other_keys: Vec<KeyDigest>,
}

impl Entry {
    pub(super) fn new(id: &SessionId, counting: Counting, other_keys: Vec<KeyDigest>) -> Self {
        Self {
            id: *id,
            counting,
            other_keys,
        }
    }

    /// The entry that an item holds, or that a page ended with.
    pub(super) fn of(item: &Item) -> Result<Self, StoreError> {
        let sort = item.get(SORT).and_then(|sort| sort.as_s().ok());
        let (counting, id) = sort
            .and_then(|sort| parse_sort(sort))
            .ok_or_else(|| corrupt("the index holds something else than entries"))?;
        let other_keys = digests_in(item, OTHER_KEYS);
        Ok(Self::new(&id, counting, other_keys))
    }

    pub(super) fn sort(&self) -> String {
        let prefix = match self.counting {
            Counting::Counted => COUNTED_PREFIX,
            Counting::LeftOut => LEFT_OUT_PREFIX,
        };
        format!("{prefix}{}", self.id)
    }

    /// The key of this entry in the index of `of`.
    pub(super) fn key(&self, of: &KeyDigest) -> Item {
        let mut item = Item::from([(PARTITION.to_owned(), collection(of))]);
        item.insert(SORT.to_owned(), S(self.sort()));
        item
    }

    /// The keys of all entries of the same session, this one's index being that of `of`.
    pub(super) fn keys(&self, of: &KeyDigest) -> Vec<Item> {
        let all = self.other_keys.iter().chain([of]);
        all.map(|of| self.key(of)).collect()
    }
}

/// What the sort key of an entry says.
pub(super) fn parse_sort(sort: &str) -> Option<(Counting, SessionId)> {
    let (counting, id) = match sort.strip_prefix(COUNTED_PREFIX) {
        Some(id) => (Counting::Counted, id),
        None => (Counting::LeftOut, sort.strip_prefix(LEFT_OUT_PREFIX)?),
    };
    Some((counting, id.parse().ok()?))
}

/// The index entries of a session that may last until `until`, one for each of its keys.
pub(super) fn entries(
    id: &SessionId,
    counting: Counting,
    keys: &[KeyDigest],
    until: Timestamp,
) -> Vec<Item> {
    let entry = |of: &KeyDigest| {
        let others = keys.iter().filter(|other| *other != of).copied();
        let entry = Entry::new(id, counting, others.collect());
        let mut item = entry.key(of);
        if !entry.other_keys.is_empty() {
            item.insert(OTHER_KEYS.to_owned(), digest_set(&entry.other_keys));
        }
        item.insert(TTL.to_owned(), seconds(until.after(MARGIN)));
        item
    };
    keys.iter().map(entry).collect()
}

pub(super) fn session(
    id: &SessionId,
    record: &Record,
    counting: Counting,
    revision: Revision,
) -> Item {
    let mut item = session_key(id);
    let (head, data) = halves(record);
    let attributes = [
        (HEAD, B(head)),
        (REVISION, number(revision.get())),
        (EXPIRES_AT, millis(record.expires_at())),
        (TTL, seconds(record.expires_at())),
    ];
    item.extend(attributes.map(|(name, value)| (name.to_owned(), value)));
    if let Some(data) = data {
        item.insert(DATA.to_owned(), B(data));
    }
    let keys = digests(record);
    if !keys.is_empty() {
        let counted = Bool(counting == Counting::Counted);
        item.insert(KEYS.to_owned(), digest_set(&keys));
        item.insert(COUNTED.to_owned(), counted);
        item.insert(INDEXED_UNTIL.to_owned(), millis(lasts_until(record)));
    }
    item
}

/// A record as two attributes, so that a list reads the first alone.
pub(super) fn halves(record: &Record) -> (Blob, Option<Blob>) {
    let mut head = record.encode();
    let data = head.split_off(head.len().min(Record::MAX_HEAD_LEN));
    let data = (!data.is_empty()).then(|| Blob::new(data));
    (Blob::new(head), data)
}

pub(super) fn digest_set(keys: &[KeyDigest]) -> AttributeValue {
    Bs(keys.iter().map(|key| Blob::new(*key)).collect())
}

/// The latest moment at which the session can still be alive.
pub(super) fn lasts_until(record: &Record) -> Timestamp {
    record.absolute_expiry().max(record.expires_at())
}

/// What a session's item says, unless its attributes contradict each other: an item that was copied from
/// one owner to another is not believed.
pub(super) fn stored(item: &Item) -> Result<Stored, StoreError> {
    let head = bytes(item, HEAD).ok_or_else(|| corrupt("the item has no record"))?;
    let record = Record::decode(&[head, bytes(item, DATA).unwrap_or_default()].concat())?;
    if !is_listed_as(item, &digests(&record)) {
        return Err(corrupt("the record has other keys than its item"));
    }
    let revision = revision(item).ok_or_else(|| corrupt("the item has no revision"))?;
    Ok(Stored::new(record, revision))
}

/// The session of an index entry, if its item is live and listed under the key.
pub(super) fn listed(
    item: &Item,
    entry: &Entry,
    key: &IndexKey,
    now: Timestamp,
) -> Option<ListedHead> {
    if is_expired(item, now) || !digests_in(item, KEYS).contains(&key.digest()) {
        return None;
    }
    let head = RecordHead::decode(bytes(item, HEAD).unwrap_or_default());
    if let Ok(head) = &head
        && (!head.index_keys().contains(key) || head.expires_at() <= now)
    {
        return None;
    }
    let counted = entry.counting == Counting::Counted;
    Some(ListedHead::new(entry.id, counted, head))
}

/// Whether the item is listed under these keys and no others.
pub(super) fn is_listed_as(item: &Item, keys: &[KeyDigest]) -> bool {
    let (mut found, mut keys) = (digests_in(item, KEYS), keys.to_vec());
    found.sort_unstable();
    keys.sort_unstable();
    found == keys
}

/// The keys of the index entries of a session's item.
pub(super) fn entry_keys(item: &Item, id: &SessionId) -> Vec<Item> {
    let keys = digests_in(item, KEYS);
    let entry = Entry::new(id, counting(item), Vec::new());
    keys.iter().map(|of| entry.key(of)).collect()
}

pub(super) fn counting(item: &Item) -> Counting {
    match item.get(COUNTED) {
        Some(Bool(false)) => Counting::LeftOut,
        _ => Counting::Counted,
    }
}

pub(super) fn revision(item: &Item) -> Option<Revision> {
    integer(item, REVISION).map(Revision::new)
}

/// An item without an expiry is no session's; whoever needs its record says so.
pub(super) fn is_expired(item: &Item, now: Timestamp) -> bool {
    integer(item, EXPIRES_AT).is_some_and(|at| at <= now.as_unix_millis())
}

/// The session's id in the key of its item.
pub(super) fn id_in(item: &Item) -> Result<SessionId, StoreError> {
    let key = item.get(PARTITION).and_then(|key| key.as_s().ok());
    let id = key.and_then(|key| key.strip_prefix("session#"));
    id.unwrap_or_default()
        .parse()
        .map_err(|error| StoreError::with_source(StoreErrorKind::Corrupt, error))
}

pub(super) fn millis(time: Timestamp) -> AttributeValue {
    number(time.as_unix_millis())
}

/// Rounded up, so that nothing is cleared away early.
pub(super) fn seconds(time: Timestamp) -> AttributeValue {
    number(time.as_unix_millis().div_ceil(1000))
}

pub(super) fn number(number: u64) -> AttributeValue {
    N(number.to_string())
}

pub(super) fn integer(item: &Item, name: &str) -> Option<u64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

pub(super) fn bytes<'a>(item: &'a Item, name: &str) -> Option<&'a [u8]> {
    Some(item.get(name)?.as_b().ok()?.as_ref())
}

fn digests_in(item: &Item, name: &str) -> Vec<KeyDigest> {
    let set = item.get(name).and_then(|set| set.as_bs().ok());
    let set = set.into_iter().flatten();
    set.filter_map(|one| one.as_ref().try_into().ok()).collect()
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
    const REVISED: Revision = Revision::new(u64::MAX);

    fn member() -> RecordBuilder {
        let member = RecordBuilder::new(NOW).subject("alice").audience("shop");
        member.actor("support").tags(["sid"])
    }

    #[test]
    fn an_item_comes_back_as_its_record_with_and_without_data() {
        let noise = vec![7; 3 * Record::MAX_HEAD_LEN];
        for builder in [
            RecordBuilder::new(NOW),
            member(),
            member().entry("noise", noise),
        ] {
            let record = builder.build();
            let item = session(&ID, &record, Counting::Counted, REVISED);
            let is_long = record.encode().len() > Record::MAX_HEAD_LEN;
            assert_eq!(item.contains_key(DATA), is_long);
            assert_eq!(stored(&item).unwrap(), Stored::new(record, REVISED));
            assert_eq!(id_in(&item).unwrap(), ID);
        }
    }

    /// S12: what a later release wrote is listed without details; S13: a head needs no data.
    #[test]
    fn a_head_is_listed_without_data_and_whether_it_can_be_read_or_not() {
        let key = &member().build().index_keys()[2];
        for (builder, readable) in [(member(), true), (member().of_a_later_release(), false)] {
            let record = builder.entry("noise", vec![7; 5000]).build();
            let mut item = session(&ID, &record, Counting::LeftOut, REVISED);
            item.remove(DATA);
            let entry = Entry::new(&ID, Counting::LeftOut, vec![]);
            let listed = |now, key| listed(&item, &entry, key, now);
            let head = listed(NOW, key).unwrap();
            assert_eq!((head.id, head.counted), (ID, false));
            assert_eq!(head.head.is_ok(), readable);
            assert!(listed(record.expires_at(), key).is_none());
            let foreign = IndexKey::owner("", &"alice".into());
            assert!(listed(NOW, &foreign).is_none());
        }
    }

    #[test]
    fn an_entry_names_the_entries_of_the_same_session() {
        let record = member().build();
        let keys = digests(&record);
        let items = entries(&ID, Counting::LeftOut, &keys, lasts_until(&record));
        assert_eq!(items.len(), 3);
        let item = session(&ID, &record, Counting::LeftOut, REVISED);
        let of_session = entry_keys(&item, &ID);
        for (item, of) in items.iter().zip(&keys) {
            let entry = Entry::of(item).unwrap();
            let named = entry.keys(of);
            assert_eq!(named.len(), 3);
            assert!(named.iter().all(|key| of_session.contains(key)));
            assert_eq!(parse_sort(&entry.sort()), Some((Counting::LeftOut, ID)));
        }
        for foreign in ["", "cutoff", "counted#", "counted#x", "session"] {
            assert_eq!(parse_sort(foreign), None, "{foreign}");
        }
    }

    /// A29: an item of one owner does not answer for another.
    #[test]
    fn an_item_with_other_keys_than_its_record_is_corrupt() {
        let item = session(&ID, &member().build(), Counting::Counted, REVISED);
        for keys in [vec![], vec![[1; 16]]] {
            let mut item = item.clone();
            item.remove(KEYS);
            if !keys.is_empty() {
                item.insert(KEYS.to_owned(), digest_set(&keys));
            }
            let error = stored(&item).unwrap_err();
            assert_eq!(error.kind(), StoreErrorKind::Corrupt);
        }
    }
}
