//! Between our types and columns.

use sqlx::error::BoxDynError;
use tower_session_guard::{
    Record, SessionId, Timestamp,
    store::{
        Cursor, Cutoff, IndexKey, ListedHead, Page, RecordHead, Revision, StoreError,
        StoreErrorKind, Stored,
    },
};

/// A row of `load`: the record in two pieces, its revision, and its keys.
pub(super) type LoadedRow = (
    Vec<u8>,
    Option<Vec<u8>>,
    i64,
    Option<Vec<u8>>,
    Option<Vec<u8>>,
);

/// A row of `heads`: an entry, and the head of its record while that lives.
pub(super) type HeadRow = (Vec<u8>, bool, Option<Vec<u8>>);

/// A time as a column keeps it. Times after the year 292,000,000 become that year, `now` like the rest.
pub(super) fn millis(time: Timestamp) -> i64 {
    i64::try_from(time.as_unix_millis()).unwrap_or(i64::MAX)
}

fn time(millis: i64) -> Timestamp {
    Timestamp::from_unix_millis(u64::try_from(millis).unwrap_or_default())
}

/// A revision as a column keeps it; one that this store never gave matches no row.
pub(super) fn number(revision: Revision) -> i64 {
    i64::try_from(revision.get()).unwrap_or(-1)
}

/// How many entries a page may have, as a statement takes it.
pub(super) fn limit(limit: usize) -> i64 {
    i64::try_from(limit.max(1)).unwrap_or(i64::MAX)
}

/// A record's bytes as two columns keep them: what a list reads, and the rest if there is more.
pub(super) fn pieces(record: &[u8]) -> (&[u8], Option<&[u8]>) {
    match record.split_at_checked(Record::MAX_HEAD_LEN) {
        Some((head, rest)) if !rest.is_empty() => (head, Some(rest)),
        _ => (record, None),
    }
}

/// A record's keys as two columns keep them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Keys {
    /// The first key as it is.
    pub(super) owner: Option<Vec<u8>>,
    /// The others, each after its length in two bytes.
    pub(super) others: Option<Vec<u8>>,
}

impl Keys {
    pub(super) fn of(keys: &[IndexKey]) -> Self {
        let Some((owner, others)) = keys.split_first() else {
            let (owner, others) = (None, None);
            return Self { owner, others };
        };
        let mut bytes = Vec::new();
        for key in others {
            // A key is shorter than `IndexKey::MAX_LEN`.
            bytes.extend_from_slice(&(key.as_bytes().len() as u16).to_be_bytes());
            bytes.extend_from_slice(key.as_bytes());
        }
        Self {
            owner: Some(owner.as_bytes().to_vec()),
            others: (!bytes.is_empty()).then_some(bytes),
        }
    }
}

/// What a row says, unless its columns contradict each other: a row that was copied under another
/// owner or whose expiry was moved by hand is not believed.
pub(super) fn stored(row: LoadedRow, now: Timestamp) -> Result<Option<Stored>, StoreError> {
    let (mut bytes, rest, revision, owner, others) = row;
    bytes.extend(rest.unwrap_or_default());
    let record = Record::decode(&bytes)?;
    if Keys::of(&record.index_keys()) != (Keys { owner, others }) {
        return Err(corrupt("the record is of another owner than its row"));
    }
    let revision = u64::try_from(revision).map_err(corrupt)?;
    Ok((!record.is_expired(now)).then(|| Stored::new(record, Revision::new(revision))))
}

/// A page of the live sessions under `key`, from the entries in `rows`.
///
/// A session that is listed under a key that its head does not name is passed over, like an entry without a record.
pub(super) fn page(key: &IndexKey, limit: i64, rows: Vec<HeadRow>) -> Result<Page, StoreError> {
    let entries = rows.len();
    let (mut heads, mut last) = (Vec::with_capacity(entries), None);
    for (bytes, counted, head) in rows {
        let id = id(&bytes)?;
        last = last.max(Some(id));
        let Some(head) = head else { continue };
        let head = RecordHead::decode(&head);
        if head
            .as_ref()
            .is_ok_and(|head| !head.index_keys().contains(key))
        {
            continue;
        }
        heads.push(ListedHead::new(id, counted, head));
    }
    Ok(Page::new(heads, next(entries, limit, last)))
}

/// Where the page after one of so many entries begins.
pub(super) fn next(entries: usize, limit: i64, last: Option<SessionId>) -> Option<Cursor> {
    let is_full = i64::try_from(entries).is_ok_and(|entries| entries >= limit);
    let last = last.filter(|_| is_full)?;
    Some(Cursor::new(*last.as_bytes()))
}

/// The id after which a page begins; none is less than no bytes at all.
pub(super) fn place(after: Option<&Cursor>) -> Result<&[u8], StoreError> {
    let Some(after) = after.map(Cursor::as_bytes) else {
        return Ok(&[]);
    };
    if after.len() == SessionId::LEN {
        return Ok(after);
    }
    let why = "the cursor is not one of this store";
    Err(StoreError::with_source(StoreErrorKind::Unsupported, why))
}

pub(super) fn id(bytes: &[u8]) -> Result<SessionId, StoreError> {
    Ok(SessionId::from_bytes(bytes.try_into().map_err(corrupt)?))
}

/// The cut-off of a row, unless its time is over.
pub(super) fn cutoff(
    (at, until, mark): (i64, i64, Vec<u8>),
    now: Timestamp,
) -> Result<Option<Cutoff>, StoreError> {
    let mark = <[u8; 16]>::try_from(mark).map_err(|_| corrupt("the mark is not of 16 bytes"))?;
    let cutoff = Cutoff::new(time(at), time(until), mark);
    Ok((now < cutoff.until.after(Cutoff::SLACK)).then_some(cutoff))
}

/// Up to which `until` a cut-off may be forgotten at `now`.
pub(super) fn forgettable(now: Timestamp) -> i64 {
    millis(now).saturating_sub(i64::try_from(Cutoff::SLACK.as_millis()).unwrap_or(i64::MAX))
}

fn corrupt(why: impl Into<BoxDynError>) -> StoreError {
    StoreError::with_source(StoreErrorKind::Corrupt, why)
}

#[cfg(test)]
mod tests {
    use tower_session_guard::{
        Record, SessionId, Timestamp, store::IndexKey, testing::RecordBuilder,
    };

    use super::{Keys, next, pieces};

    #[test]
    fn a_record_is_cut_after_the_longest_head() {
        let longest = Record::MAX_HEAD_LEN;
        for (len, rest) in [(0, None), (longest, None), (longest + 1, Some(1))] {
            let bytes = vec![7; len];
            let (head, found) = pieces(&bytes);
            assert_eq!(found.map(<[u8]>::len), rest);
            assert_eq!(head.len() + rest.unwrap_or_default(), len);
        }
    }

    #[test]
    fn no_keys_look_like_others() {
        let key = |name: &str| IndexKey::owner("", &name.into());
        let lists = [
            vec![],
            vec![key("a")],
            vec![key("a"), key("bc")],
            vec![key("a"), key("b"), key("c")],
            vec![key("a"), key("c"), key("b")],
            vec![key("ab"), key("c")],
        ];
        for (at, list) in lists.iter().enumerate() {
            for other in &lists[at + 1..] {
                assert_ne!(Keys::of(list), Keys::of(other));
            }
        }
        let guest = RecordBuilder::new(Timestamp::from_unix_seconds(1)).build();
        assert_eq!(Keys::of(&guest.index_keys()).owner, None);
    }

    #[test]
    fn only_a_full_page_has_a_next_one() {
        let last = SessionId::from_bytes([9; 16]);
        assert_eq!(next(0, 1, None), None);
        assert_eq!(next(1, 2, Some(last)), None);
        let cursor = next(2, 2, Some(last)).unwrap();
        assert_eq!(cursor.as_bytes(), [9; 16]);
    }
}
