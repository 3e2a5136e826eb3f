//! Items: their keys, what they hold, and what is believed of them.
//!
//! A session is one item. A session of a subject has an index entry besides, in the item collection of
//! the subject, so that a consistent query finds them all.

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::{
    primitives::Blob,
    types::AttributeValue::{self, B, N, S},
};
use tower_session_guard::{
    Record, SessionId, Subject, Timestamp,
    store::{Revision, StoreError, StoreErrorKind, Stored},
};

pub(super) type Item = HashMap<String, AttributeValue>;

pub(super) const PARTITION: &str = "pk";
pub(super) const SORT: &str = "sk";
/// The record's bytes.
pub(super) const RECORD: &str = "record";
/// A random number that each write draws anew, so that a write that is repeated knows its own work.
pub(super) const REVISION: &str = "revision";
/// Milliseconds since the Unix epoch: what conditions compare with `now`.
pub(super) const EXPIRES_AT: &str = "expires_at";
pub(super) const SUBJECT: &str = "subject";
/// Until when the index entry lasts at least, in milliseconds.
pub(super) const INDEXED_UNTIL: &str = "indexed_until";
/// Seconds since the Unix epoch: when DynamoDB may clear the item away.
pub(super) const TTL: &str = "ttl";

/// How much longer than its session an index entry lasts, for clocks that differ.
const MARGIN: Duration = Duration::from_secs(86_400);

pub(super) fn session_key(id: &SessionId) -> Item {
    let key = format!("session#{id}");
    Item::from([
        (PARTITION.to_owned(), S(key)),
        (SORT.to_owned(), S("session".to_owned())),
    ])
}

pub(super) fn collection(subject: &Subject) -> AttributeValue {
    S(format!("subject#{subject}"))
}

pub(super) fn entry_key(subject: &Subject, id: &SessionId) -> Item {
    Item::from([
        (PARTITION.to_owned(), collection(subject)),
        (SORT.to_owned(), S(id.to_string())),
    ])
}

/// The index entry of a session that may last until `until`.
pub(super) fn entry(subject: &Subject, id: &SessionId, until: Timestamp) -> Item {
    let mut item = entry_key(subject, id);
    item.insert(TTL.to_owned(), seconds(until.after(MARGIN)));
    item
}

pub(super) fn session(id: &SessionId, record: &Record, revision: Revision) -> Item {
    let mut item = session_key(id);
    let attributes = [
        (RECORD, B(Blob::new(record.encode()))),
        (REVISION, number(revision.get())),
        (EXPIRES_AT, millis(record.expires_at())),
        (TTL, seconds(record.expires_at())),
    ];
    item.extend(attributes.map(|(name, value)| (name.to_owned(), value)));
    if let Some(subject) = record.subject() {
        item.insert(SUBJECT.to_owned(), S(subject.as_str().to_owned()));
        item.insert(INDEXED_UNTIL.to_owned(), millis(lasts_until(record)));
    }
    item
}

/// The latest moment at which the session can still be alive.
pub(super) fn lasts_until(record: &Record) -> Timestamp {
    record.absolute_expiry().max(record.expires_at())
}

/// What a session's item says, unless its attributes contradict each other: an item that was copied from
/// one subject to another is not believed.
pub(super) fn stored(item: &Item) -> Result<Stored, StoreError> {
    let Some(B(bytes)) = item.get(RECORD) else {
        return Err(corrupt("the item has no record"));
    };
    let record = Record::decode(bytes.as_ref())?;
    if record.subject().map(Subject::as_str) != subject(item) {
        return Err(corrupt("the record is of another subject than its item"));
    }
    let revision = revision(item).ok_or_else(|| corrupt("the item has no revision"))?;
    Ok(Stored::new(record, revision))
}

pub(super) fn subject(item: &Item) -> Option<&str> {
    item.get(SUBJECT)?.as_s().ok().map(String::as_str)
}

pub(super) fn revision(item: &Item) -> Option<Revision> {
    integer(item, REVISION).map(Revision::new)
}

pub(super) fn is_expired(item: &Item, now: Timestamp) -> bool {
    integer(item, EXPIRES_AT).is_none_or(|at| at <= now.as_unix_millis())
}

/// The session's id in a key or in an index entry.
pub(super) fn id_in(item: &Item) -> Result<SessionId, StoreError> {
    let text = |name| {
        item.get(name)
            .and_then(|value: &AttributeValue| value.as_s().ok())
    };
    let session = text(PARTITION).and_then(|key| key.strip_prefix("session#"));
    let id = session.or(text(SORT).map(String::as_str));
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

fn integer(item: &Item, name: &str) -> Option<u64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

pub(super) fn corrupt(why: &'static str) -> StoreError {
    StoreError::with_source(StoreErrorKind::Corrupt, why)
}
