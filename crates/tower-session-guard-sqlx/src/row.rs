//! Between our types and columns.

use sqlx::error::BoxDynError;
use tower_session_guard::{
    Record, SessionId, Subject, Timestamp,
    store::{Revision, StoreError, StoreErrorKind, Stored},
};

/// A time as a column keeps it. Times after the year 292,000,000 become that year, `now` like the rest.
pub(super) fn millis(time: Timestamp) -> i64 {
    i64::try_from(time.as_unix_millis()).unwrap_or(i64::MAX)
}

/// A revision as a column keeps it; one that this store never gave matches no row.
pub(super) fn number(revision: Revision) -> i64 {
    i64::try_from(revision.get()).unwrap_or(-1)
}

pub(super) fn subject(record: &Record) -> Option<&[u8]> {
    record.subject().map(|subject| subject.as_str().as_bytes())
}

/// What a row says, unless its columns contradict each other: a row that was copied under another
/// subject or whose expiry was moved by hand is not believed.
pub(super) fn stored(
    record: &[u8],
    revision: i64,
    owner: Option<&[u8]>,
    now: Timestamp,
) -> Result<Option<Stored>, StoreError> {
    let record = Record::decode(record)?;
    if subject(&record) != owner {
        return Err(corrupt("the record is of another subject than its row"));
    }
    let revision = u64::try_from(revision).map_err(corrupt)?;
    Ok((!record.is_expired(now)).then(|| Stored::new(record, Revision::new(revision))))
}

/// One of the rows of `subject`.
pub(super) fn session_of(
    subject: &Subject,
    id: &[u8],
    record: &[u8],
) -> Result<(SessionId, Record), StoreError> {
    let id = SessionId::from_bytes(id.try_into().map_err(corrupt)?);
    let record = Record::decode(record)?;
    if record.subject() != Some(subject) {
        return Err(corrupt("the record is of another subject than its row"));
    }
    Ok((id, record))
}

fn corrupt(why: impl Into<BoxDynError>) -> StoreError {
    StoreError::with_source(StoreErrorKind::Corrupt, why)
}
