//! The index: which records are listed under a key, and how they end.

use std::{ops::Bound, thread, time::Duration};

use tower_session_guard::{
    Record, SessionId, Timestamp,
    store::{
        Counting, Cursor, EndedPage, IndexKey, ListedHead, Page, RecordHead, StoreError,
        StoreErrorKind,
    },
};

use super::{Flaw, Flawed, Row, Shared};

/// Longer than anybody may wait for a load.
const TOO_LONG: Duration = Duration::from_millis(1_500);

type Entry = (SessionId, Counting);

impl Flawed {
    /// The bytes under which a key is in the index.
    pub(super) fn index_name(&self, key: &IndexKey) -> Vec<u8> {
        let bytes = key.as_bytes().to_vec();
        if !key.is_owner() {
            return bytes;
        }
        let text = || String::from_utf8_lossy(&bytes);
        match (self.flaw, &*bytes) {
            (Flaw::SubjectsLoseCase, _) => text().to_lowercase().into(),
            (Flaw::SubjectsLoseSpaces, _) => text().trim().as_bytes().to_vec(),
            (Flaw::SubjectsEndAtNul, _) => bytes.split(|byte| *byte == 0).next().unwrap().to_vec(),
            // A marker, the audience's length and the audience come before the subject.
            (Flaw::OwnersLoseTheirAudience, [0xFF, length, rest @ ..]) => {
                rest[usize::from(*length)..].to_vec()
            }
            _ => bytes,
        }
    }

    /// Under which names a record is listed, its first owner's first.
    pub(super) fn index_names(&self, record: &Record) -> Vec<Vec<u8>> {
        let first = record.owner();
        let is_listed = |key: &&IndexKey| match self.flaw {
            Flaw::ActorsAreNotListed => !key.is_owner() || Some(*key) == first.as_ref(),
            Flaw::TagsAreNotListed => key.is_owner(),
            _ => true,
        };
        let keys = record.index_keys();
        let listed = keys.iter().filter(is_listed);
        listed.map(|key| self.index_name(key)).collect()
    }

    /// How many sessions under this name count.
    pub(super) fn counted(&self, shared: &Shared, name: &[u8]) -> usize {
        let counts = |(_, counting): &Entry| {
            self.is(Flaw::CountsWhatIsLeftOut) || *counting == Counting::Counted
        };
        let count = entries(shared, name, None).filter(counts).count();
        if self.is(Flaw::CountsTooFew) {
            return count.saturating_sub(1);
        }
        count
    }

    fn page(
        &self,
        shared: &Shared,
        key: &IndexKey,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<(Vec<Entry>, Option<Cursor>), StoreError> {
        let place = |after: &Cursor| {
            let bytes = after.as_bytes().try_into();
            bytes.map_err(|_| StoreError::new(StoreErrorKind::Unsupported))
        };
        let after = after.map(place).transpose()?.map(SessionId::from_bytes);
        let limit = match self.flaw {
            Flaw::PagesAreUnbounded => usize::MAX,
            _ => limit,
        };
        let name = self.index_name(key);
        let found: Vec<Entry> = if self.is(Flaw::ListsEverybody) {
            let all = shared.index.iter();
            let all = all.map(|((_, id), counting)| (*id, *counting));
            all.filter(|(id, _)| Some(*id) > after).collect()
        } else {
            entries(shared, &name, after).take(limit).collect()
        };
        let last = found.last().filter(|_| found.len() >= limit);
        let mut next = last.map(|(id, _)| *id);
        match self.flaw {
            Flaw::ListsOnePage => next = None,
            Flaw::CursorStandsStill if next.is_some() => next = after.or(found.first().map(id_of)),
            Flaw::CursorSkips => {
                let skipped = entries(shared, &name, next).next();
                next = next.and(skipped).map(|(id, _)| id);
            }
            _ => {}
        }
        Ok((found, next.map(|id| Cursor::new(*id.as_bytes()))))
    }

    pub(super) async fn heads_now(
        &self,
        key: &IndexKey,
        after: Option<&Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page, StoreError> {
        let shared = self.shared()?;
        let (entries, next) = self.page(&shared, key, after, limit)?;
        let mut heads = Vec::new();
        for (id, counting) in entries {
            let Some(row) = shared.rows.get(&self.row_name(&id)) else {
                continue;
            };
            let is_live = self.is(Flaw::ExpiredIsListed) || self.is_live(row, now);
            let head = RecordHead::decode(&row.bytes);
            if self.is(Flaw::ListStopsAtUnreadable) && head.is_err() {
                return Err(StoreError::new(StoreErrorKind::Corrupt));
            }
            let is_hidden = self.is(Flaw::UnreadableIsUnlisted) && head.is_err();
            if is_live && !is_hidden {
                let counted = self.is(Flaw::ForgetsWhatIsLeftOut) || counting == Counting::Counted;
                heads.push(ListedHead::new(id, counted, head));
            }
        }
        Ok(Page::new(heads, next))
    }

    pub(super) async fn end_now(
        &self,
        key: &IndexKey,
        after: Option<&Cursor>,
        limit: usize,
        except: Option<&SessionId>,
    ) -> Result<EndedPage, StoreError> {
        let name = self.index_name(key);
        let (rows, next) = {
            let shared = self.shared()?;
            let (entries, next) = self.page(&shared, key, after, limit)?;
            let rows = entries.iter().filter_map(|(id, _)| {
                let row = shared.rows.get(&self.row_name(id));
                row.map(|row| (*id, row.revision))
            });
            (rows.collect::<Vec<_>>(), next)
        };
        self.race(Flaw::RevokesOnlyUnchanged).await;
        let mut shared = self.shared()?;
        if self.is(Flaw::EndingHoldsTheEngine) {
            thread::sleep(TOO_LONG);
        }
        let is_foreign = except.is_some_and(|id| !shared.index.contains_key(&(name.clone(), *id)));
        if is_foreign && self.is(Flaw::SparesAllForAForeignException) {
            return Ok(EndedPage::new(0, None));
        }
        let mut ended = 0;
        for (id, revision) in rows {
            let present = shared.rows.get(&self.row_name(&id)).map(|row| row.revision);
            let changed = self.is(Flaw::RevokesOnlyUnchanged) && present != Some(revision);
            let spared = except == Some(&id) && !self.is(Flaw::RevokesTheException);
            if present.is_none() || changed || spared {
                continue;
            }
            ended += 1;
            if self.is(Flaw::EndingWalksTheIndex) {
                let walked = shared.index.clone();
                assert!(walked.contains_key(&(name.clone(), id)));
            }
            if !self.is(Flaw::RevokesNothing) {
                self.take(&mut shared, &id);
            }
        }
        if self.is(Flaw::BansRevoked) {
            shared.banned.insert(name.clone());
        }
        if self.is(Flaw::CutoffsEndWithTheirSessions) {
            shared.cutoffs.remove(&(0, name));
        }
        Ok(EndedPage::new(ended, next))
    }

    /// Takes a record and its entries away.
    pub(super) fn take(&self, shared: &mut Shared, id: &SessionId) -> Option<Row> {
        let row = shared.rows.remove(&self.row_name(id))?;
        for name in &row.listed_under {
            if self.is(Flaw::RemoveUnindexesSubject) {
                shared.index.retain(|(listed, _), _| listed != name);
            }
            shared.index.remove(&(name.clone(), *id));
        }
        shared.removed.push((self.row_name(id), row.clone()));
        Some(row)
    }
}

const fn id_of((id, _): &Entry) -> SessionId {
    *id
}

/// The entries under a name that come after `after`, in the order of their ids.
fn entries<'a>(
    shared: &'a Shared,
    name: &[u8],
    after: Option<SessionId>,
) -> impl Iterator<Item = Entry> + use<'a> {
    let name = name.to_vec();
    let from = match after {
        Some(id) => Bound::Excluded((name.clone(), id)),
        None => Bound::Included((name.clone(), SessionId::from_bytes([0; SessionId::LEN]))),
    };
    let listed = shared.index.range((from, Bound::Unbounded));
    let of_name = listed.take_while(move |((listed, _), _)| *listed == name);
    of_name.map(|((_, id), counting)| (*id, *counting))
}
