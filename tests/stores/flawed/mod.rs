//! A plain store that holds the contract, unless it is given a flaw.

mod cached;
mod cutoffs;
mod flaw;
mod index;

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use tokio::time::sleep;
use tower_session_guard::{
    Record, SessionId, SessionStore, Timestamp, VerifiedId,
    store::{
        Counting, Created, Cursor, Cutoff, EndedPage, IndexKey, Page, Removed, Replaced, Revision,
        StoreError, StoreErrorKind, StoreFuture, Stored,
    },
    testing::RecordBuilder,
};

pub(crate) use self::{
    cached::{Cached, CopyFlaw},
    flaw::Flaw,
};

#[derive(Clone, Debug)]
pub(crate) struct Flawed {
    flaw: Flaw,
    node: u8,
    shared: Arc<Mutex<Shared>>,
    /// What this node has read, where it caches.
    cache: Option<Arc<Mutex<BTreeMap<SessionId, Stored>>>>,
}

#[derive(Clone, Debug, Default)]
struct Shared {
    rows: BTreeMap<Vec<u8>, Row>,
    index: BTreeMap<(Vec<u8>, SessionId), Counting>,
    cutoffs: BTreeMap<(u8, Vec<u8>), Cutoff>,
    revision: u64,
    banned: BTreeSet<Vec<u8>>,
    removed: Vec<(Vec<u8>, Row)>,
    is_down: bool,
}

#[derive(Clone, Debug)]
struct Row {
    bytes: Vec<u8>,
    listed_under: Vec<Vec<u8>>,
    revision: u64,
    expires_at: Timestamp,
    first_expiry: Timestamp,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Row {
    fn record(&self) -> Result<Record, StoreError> {
        Ok(Record::decode(&self.bytes)?)
    }
}

impl Flawed {
    pub(crate) fn new(flaw: Flaw) -> Self {
        Self {
            flaw,
            node: 0,
            shared: Arc::default(),
            cache: None,
        }
    }

    pub(crate) fn second_node(&self) -> Self {
        Self {
            node: self.node + 1,
            cache: self.is(Flaw::SecondNodeCaches).then(Arc::default),
            ..self.clone()
        }
    }

    /// Kills the engine and starts it again.
    pub(crate) fn restart(&self) {
        let mut shared = lock(&self.shared);
        shared.is_down = self.is(Flaw::NeverReconnects);
        if self.is(Flaw::RestartRevives) {
            let revived = std::mem::take(&mut shared.removed);
            shared.rows.extend(revived);
        }
    }

    fn is(&self, flaw: Flaw) -> bool {
        self.flaw == flaw
    }

    /// Long enough that whoever runs beside this call comes in between.
    async fn race(&self, flaw: Flaw) {
        if self.is(flaw) {
            sleep(Duration::from_millis(5)).await;
        }
    }

    fn shared(&self) -> Result<MutexGuard<'_, Shared>, StoreError> {
        let shared = lock(&self.shared);
        if shared.is_down {
            return Err(StoreError::new(StoreErrorKind::Unavailable));
        }
        Ok(shared)
    }

    fn row_name(&self, id: &SessionId) -> Vec<u8> {
        if self.is(Flaw::IdsAreText) {
            return String::from_utf8_lossy(id.as_bytes()).into_owned().into();
        }
        id.as_bytes().to_vec()
    }

    fn is_live(&self, row: &Row, now: Timestamp) -> bool {
        let engine: Timestamp = SystemTime::now().into();
        match self.flaw {
            Flaw::ExpiredIsVisible => true,
            Flaw::ExpiryIsInclusive => now <= row.expires_at,
            Flaw::ExpiryByOwnClock => engine < row.expires_at,
            Flaw::FirstExpiryStays => now < row.first_expiry,
            Flaw::EngineDropsAtFirstExpiry if engine >= row.first_expiry => false,
            _ => now < row.expires_at,
        }
    }

    fn row(&self, shared: &mut Shared, record: &Record, before: Option<&Row>) -> Row {
        let mut bytes = record.encode();
        shared.revision += 1;
        let mut revision = shared.revision;
        if self.is(Flaw::RevisionIsADigest) {
            let mut hasher = DefaultHasher::new();
            bytes.hash(&mut hasher);
            revision = hasher.finish();
        }
        if self.is(Flaw::LosesLabels) && record.label().is_some() {
            bytes = RecordBuilder::of(record).label("").build().encode();
        }
        if self.is(Flaw::LosesDevices) && record.is_device_bound() {
            let unbound = RecordBuilder::of(record).expecting_device([0; 32]);
            bytes = unbound.build().encode();
        }
        if self.is(Flaw::LossyText) {
            let text = String::from_utf8_lossy(&bytes[100..]).into_owned();
            bytes.truncate(100);
            bytes.extend_from_slice(text.as_bytes());
        }
        Row {
            bytes,
            listed_under: self.index_names(record),
            revision,
            expires_at: record.expires_at(),
            first_expiry: before.map_or(record.expires_at(), |row| row.first_expiry),
        }
    }

    async fn load_now(&self, id: &SessionId, now: Timestamp) -> Result<Option<Stored>, StoreError> {
        if let Some(cache) = &self.cache
            && let Some(stored) = lock(cache).get(id)
        {
            return Ok(Some(stored.clone()));
        }
        if self.is(Flaw::EndingHoldsTheEngine) {
            // As slow as an engine on a network, so that loads and endings overlap.
            sleep(Duration::from_millis(10)).await;
        }
        let mut shared = self.shared()?;
        let Some(row) = shared.rows.get(&self.row_name(id)).cloned() else {
            if self.is(Flaw::LoadCreates) {
                let guest = RecordBuilder::new(now).build();
                let row = self.row(&mut shared, &guest, None);
                shared.rows.insert(self.row_name(id), row);
            }
            return Ok(None);
        };
        let record = match row.record() {
            Err(_) if self.is(Flaw::LoadHidesUnreadable) => return Ok(None),
            record => record?,
        };
        if !self.is_live(&row, now) {
            if self.is(Flaw::ReadDestroysExpired) {
                shared.rows.remove(&self.row_name(id));
            }
            return Ok(None);
        }
        let is_too_large = self.is(Flaw::DropsLargeRecords) && row.bytes.len() > 64 * 1024;
        let is_empty = self.is(Flaw::EmptyIsMissing) && row.bytes.len() < 100;
        if is_too_large || is_empty {
            return Ok(None);
        }
        let stored = Stored::new(record, Revision::new(row.revision));
        if let Some(cache) = &self.cache {
            lock(cache).insert(*id, stored.clone());
        }
        Ok(Some(stored))
    }

    async fn create_now(
        &self,
        id: &SessionId,
        record: &Record,
        counting: Counting,
    ) -> Result<Created, StoreError> {
        let names = self.index_names(record);
        let is_free = !self.shared()?.rows.contains_key(&self.row_name(id));
        self.race(Flaw::CreateRaces).await;
        let early = match self.flaw {
            Flaw::IndexLosesParallelLogins => Some(self.shared()?.index.clone()),
            _ => None,
        };
        self.race(Flaw::IndexLosesParallelLogins).await;
        let mut shared = self.shared()?;
        let is_free = match self.flaw {
            Flaw::CreateOverwrites => true,
            Flaw::CreateRaces => is_free,
            _ => !shared.rows.contains_key(&self.row_name(id)),
        };
        let entries = names.iter().map(|name| (name.clone(), *id));
        if !is_free {
            for entry in entries {
                match self.flaw {
                    Flaw::RefusedCreateUnindexes => drop(shared.index.remove(&entry)),
                    Flaw::RefusedCreateIndexes => drop(shared.index.insert(entry, counting)),
                    _ => {}
                }
            }
            return Ok(Created::Occupied);
        }
        if let Some(early) = early {
            shared.index = early;
        }
        shared.index.extend(entries.map(|entry| (entry, counting)));
        let row = self.row(&mut shared, record, None);
        let revision = Revision::new(row.revision);
        if !names.iter().any(|name| shared.banned.contains(name)) {
            shared.rows.insert(self.row_name(id), row);
        }
        let owner = record.owner().map(|owner| self.index_name(&owner));
        let sessions = owner.map_or(0, |owner| self.counted(&shared, &owner));
        Ok(Created::Created { revision, sessions })
    }

    /// Why a record may not be replaced, or `None` if it may.
    fn refusal(
        &self,
        shared: &Shared,
        id: &SessionId,
        revision: Revision,
        now: Timestamp,
    ) -> Result<Option<Replaced>, StoreError> {
        let row = shared.rows.get(&self.row_name(id)).cloned();
        let live = match row {
            Some(row) if self.is(Flaw::ExpiredIsReplaced) => Some(row),
            Some(row) if self.is_live(&row, now) => Some(row),
            _ => None,
        };
        Ok(match live {
            None if self.is(Flaw::ReplaceUpserts) => None,
            None => Some(Replaced::Gone),
            Some(_) if self.is(Flaw::ReplaceIgnoresRevision) => None,
            Some(row) => (row.revision != revision.get()).then_some(Replaced::Conflict),
        })
    }

    async fn replace_now(
        &self,
        id: &SessionId,
        revision: Revision,
        record: &Record,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        let early = self.refusal(&*self.shared()?, id, revision, now)?;
        self.race(Flaw::ReplaceRaces).await;
        self.race(Flaw::ReplaceRevives).await;
        let mut shared = self.shared()?;
        let refusal = match self.flaw {
            Flaw::ReplaceRaces | Flaw::ReplaceRevives => early,
            _ => self.refusal(&shared, id, revision, now)?,
        };
        if let Some(refusal) = refusal {
            return Ok(refusal);
        }
        let before = shared.rows.get(&self.row_name(id)).cloned();
        if before.is_none() && self.is(Flaw::ReplaceRaces) {
            return Ok(Replaced::Gone);
        }
        if let Some(before) = &before
            && !self.may_follow(before, record)?
        {
            return Err(StoreError::new(StoreErrorKind::Unsupported));
        }
        let row = self.row(&mut shared, record, before.as_ref());
        let revision = Revision::new(row.revision);
        if self.is(Flaw::ReplaceUnindexes) {
            for name in &row.listed_under {
                shared.index.remove(&(name.clone(), *id));
            }
        }
        if !self.is(Flaw::ReplaceWritesNothing) {
            shared.rows.insert(self.row_name(id), row);
        }
        Ok(Replaced::Replaced(revision))
    }

    /// Whether a record may take the place of the one that is there: its keys are the same.
    fn may_follow(&self, before: &Row, record: &Record) -> Result<bool, StoreError> {
        Ok(match self.flaw {
            Flaw::ReplaceChangesOwners => true,
            Flaw::ReplaceChecksSubjectOnly => before.record()?.subject() == record.subject(),
            _ => before.listed_under == self.index_names(record),
        })
    }

    async fn remove_now(
        &self,
        id: &SessionId,
        listed_under: Option<&IndexKey>,
    ) -> Result<Removed, StoreError> {
        let was_there = self.shared()?.rows.contains_key(&self.row_name(id));
        self.race(Flaw::RemoveRaces).await;
        let mut shared = self.shared()?;
        if self.is(Flaw::RemoveKeepsRecord) {
            return Ok(Removed::Removed);
        }
        let Some(row) = shared.rows.get(&self.row_name(id)) else {
            let lies = self.is(Flaw::RemoveRaces) && was_there;
            return Ok(if lies {
                Removed::Removed
            } else {
                Removed::Absent
            });
        };
        if self.is(Flaw::RemoveReadsRecord) {
            row.record()?;
        }
        let name = listed_under.map(|key| self.index_name(key));
        let is_listed = name.is_none_or(|name| row.listed_under.contains(&name));
        if !is_listed && !self.is(Flaw::RemoveIgnoresKey) {
            return Ok(Removed::Absent);
        }
        self.take(&mut shared, id);
        Ok(Removed::Removed)
    }
}

impl SessionStore for Flawed {
    fn load<'a>(&'a self, id: VerifiedId<'a>, now: Timestamp) -> StoreFuture<'a, Option<Stored>> {
        Box::pin(self.load_now(id.get(), now))
    }

    fn create<'a>(
        &'a self,
        id: &'a SessionId,
        record: &'a Record,
        counting: Counting,
        _now: Timestamp,
    ) -> StoreFuture<'a, Created> {
        if self.is(Flaw::WorksBeforeItIsPolled) {
            let mut shared = lock(&self.shared);
            let row = self.row(&mut shared, record, None);
            shared.rows.insert(self.row_name(id), row);
        }
        Box::pin(self.create_now(id, record, counting))
    }

    fn replace<'a>(
        &'a self,
        id: &'a SessionId,
        revision: Revision,
        record: &'a Record,
        now: Timestamp,
    ) -> StoreFuture<'a, Replaced> {
        Box::pin(self.replace_now(id, revision, record, now))
    }

    fn remove<'a>(
        &'a self,
        id: &'a SessionId,
        listed_under: Option<&'a IndexKey>,
    ) -> StoreFuture<'a, Removed> {
        Box::pin(self.remove_now(id, listed_under))
    }

    fn heads<'a>(
        &'a self,
        key: &'a IndexKey,
        after: Option<&'a Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> StoreFuture<'a, Page> {
        Box::pin(self.heads_now(key, after, limit, now))
    }

    fn end_listed<'a>(
        &'a self,
        key: &'a IndexKey,
        after: Option<&'a Cursor>,
        limit: usize,
        except: Option<&'a SessionId>,
    ) -> StoreFuture<'a, EndedPage> {
        Box::pin(self.end_now(key, after, limit, except))
    }

    fn raise_cutoff<'a>(
        &'a self,
        key: &'a IndexKey,
        cutoff: &'a Cutoff,
        now: Timestamp,
    ) -> StoreFuture<'a, ()> {
        Box::pin(self.raise_now(key, cutoff, now))
    }

    fn cutoff<'a>(&'a self, key: &'a IndexKey, now: Timestamp) -> StoreFuture<'a, Option<Cutoff>> {
        Box::pin(self.cutoff_now(key, now))
    }

    fn live_records<'a>(&'a self, now: Timestamp) -> StoreFuture<'a, Option<u64>> {
        Box::pin(async move {
            let shared = self.shared()?;
            let is_counted = |row: &&Row| self.is(Flaw::CountsExpired) || self.is_live(row, now);
            Ok(Some(shared.rows.values().filter(is_counted).count() as u64))
        })
    }
}
