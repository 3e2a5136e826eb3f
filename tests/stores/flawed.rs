//! A plain store that holds the contract, unless it is given a flaw.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use tokio::time::sleep;
use tower_session_guard::{
    Claim, Record, SessionId, SessionStore, Subject, Timestamp,
    store::{
        Created, Removed, Replaced, Revision, StoreError, StoreErrorKind, StoreFuture, Stored,
    },
    testing::RecordBuilder,
};

/// What a store may get wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    Nothing,
    LoadCreates,
    LosesLabels,
    CreateOverwrites,
    CreateRaces,
    RefusedCreateUnindexes,
    RefusedCreateIndexes,
    WorksBeforeItIsPolled,
    ReplaceIgnoresRevision,
    ReplaceWritesNothing,
    ReplaceUpserts,
    ReplaceRaces,
    ReplaceRevives,
    RevisionIsADigest,
    RemoveKeepsRecord,
    RemoveRaces,
    RemoveUnindexesSubject,
    CountsExpired,
    ExpiredIsVisible,
    ExpiryIsInclusive,
    ExpiryByOwnClock,
    ExpiredIsReplaced,
    ExpiredIsListed,
    ReadDestroysExpired,
    FirstExpiryStays,
    EngineDropsAtFirstExpiry,
    ListsEverybody,
    ReplaceUnindexes,
    SubjectsLoseCase,
    SubjectsLoseSpaces,
    SubjectsEndAtNul,
    ListsOnePage,
    IndexLosesParallelLogins,
    RevokesNothing,
    RevokesTheException,
    SparesAllForAForeignException,
    RevokesOnlyUnchanged,
    BansRevoked,
    DropsLargeRecords,
    EmptyIsMissing,
    LossyText,
    IdsAreText,
    SecondNodeCaches,
    NeverReconnects,
    RestartRevives,
}

#[derive(Clone, Debug)]
pub(crate) struct Flawed {
    flaw: Flaw,
    shared: Arc<Mutex<Shared>>,
    /// What this node has read, where it caches.
    cache: Option<Arc<Mutex<BTreeMap<SessionId, Stored>>>>,
}

#[derive(Clone, Debug, Default)]
struct Shared {
    rows: BTreeMap<Vec<u8>, Row>,
    index: BTreeSet<(String, SessionId)>,
    revision: u64,
    banned: BTreeSet<String>,
    removed: Vec<(Vec<u8>, Row)>,
    is_down: bool,
}

#[derive(Clone, Debug)]
struct Row {
    id: SessionId,
    bytes: Vec<u8>,
    revision: u64,
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
            shared: Arc::default(),
            cache: None,
        }
    }

    pub(crate) fn second_node(&self) -> Self {
        Self {
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

    fn key(&self, id: &SessionId) -> Vec<u8> {
        if self.is(Flaw::IdsAreText) {
            return String::from_utf8_lossy(id.as_bytes()).into_owned().into();
        }
        id.as_bytes().to_vec()
    }

    fn owner(&self, subject: &Subject) -> String {
        let name = subject.as_str();
        match self.flaw {
            Flaw::SubjectsLoseCase => name.to_lowercase(),
            Flaw::SubjectsLoseSpaces => name.trim().to_owned(),
            Flaw::SubjectsEndAtNul => name.split('\0').next().unwrap_or_default().to_owned(),
            _ => name.to_owned(),
        }
    }

    fn is_live(&self, row: &Row, record: &Record, now: Timestamp) -> bool {
        let engine: Timestamp = SystemTime::now().into();
        match self.flaw {
            Flaw::ExpiredIsVisible => true,
            Flaw::ExpiryIsInclusive => now <= record.expires_at(),
            Flaw::ExpiryByOwnClock => engine < record.expires_at(),
            Flaw::FirstExpiryStays => now < row.first_expiry,
            Flaw::EngineDropsAtFirstExpiry if engine >= row.first_expiry => false,
            _ => !record.is_expired(now),
        }
    }

    fn row(
        &self,
        shared: &mut Shared,
        id: &SessionId,
        record: &Record,
        before: Option<&Row>,
    ) -> Row {
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
        if self.is(Flaw::LossyText) {
            let text = String::from_utf8_lossy(&bytes[100..]).into_owned();
            bytes.truncate(100);
            bytes.extend_from_slice(text.as_bytes());
        }
        Row {
            id: *id,
            bytes,
            revision,
            first_expiry: before.map_or(record.expires_at(), |row| row.first_expiry),
        }
    }

    async fn load_now(&self, id: &SessionId, now: Timestamp) -> Result<Option<Stored>, StoreError> {
        if let Some(cache) = &self.cache
            && let Some(stored) = lock(cache).get(id)
        {
            return Ok(Some(stored.clone()));
        }
        let mut shared = self.shared()?;
        let Some(row) = shared.rows.get(&self.key(id)).cloned() else {
            if self.is(Flaw::LoadCreates) {
                let guest = RecordBuilder::new(now).build();
                let row = self.row(&mut shared, id, &guest, None);
                shared.rows.insert(self.key(id), row);
            }
            return Ok(None);
        };
        let record = row.record()?;
        if !self.is_live(&row, &record, now) {
            if self.is(Flaw::ReadDestroysExpired) {
                shared.rows.remove(&self.key(id));
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

    async fn create_now(&self, id: &SessionId, record: &Record) -> Result<Created, StoreError> {
        let owner = record.subject().map(|subject| self.owner(subject));
        let is_free = !self.shared()?.rows.contains_key(&self.key(id));
        self.race(Flaw::CreateRaces).await;
        let index = self.shared()?.index.clone();
        self.race(Flaw::IndexLosesParallelLogins).await;
        let mut shared = self.shared()?;
        let is_free = match self.flaw {
            Flaw::CreateOverwrites => true,
            Flaw::CreateRaces => is_free,
            _ => !shared.rows.contains_key(&self.key(id)),
        };
        let is_banned = owner
            .as_ref()
            .is_some_and(|owner| shared.banned.contains(owner));
        let entry = owner.map(|owner| (owner, *id));
        if !is_free {
            match (self.flaw, entry) {
                (Flaw::RefusedCreateUnindexes, Some(entry)) => drop(shared.index.remove(&entry)),
                (Flaw::RefusedCreateIndexes, Some(entry)) => drop(shared.index.insert(entry)),
                _ => {}
            }
            return Ok(Created::Occupied);
        }
        if self.is(Flaw::IndexLosesParallelLogins) {
            shared.index = index;
        }
        shared.index.extend(entry);
        let row = self.row(&mut shared, id, record, None);
        let revision = row.revision;
        if !is_banned {
            shared.rows.insert(self.key(id), row);
        }
        Ok(Created::Created(Revision::new(revision)))
    }

    /// Why a record may not be replaced, or `None` if it may.
    fn refusal(
        &self,
        shared: &Shared,
        id: &SessionId,
        revision: Revision,
        now: Timestamp,
    ) -> Result<Option<Replaced>, StoreError> {
        let row = shared.rows.get(&self.key(id)).cloned();
        let live = match row {
            Some(row) if self.is(Flaw::ExpiredIsReplaced) => Some(row),
            Some(row) if self.is_live(&row, &row.record()?, now) => Some(row),
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
        let before = shared.rows.get(&self.key(id)).cloned();
        if before.is_none() && self.is(Flaw::ReplaceRaces) {
            return Ok(Replaced::Gone);
        }
        let row = self.row(&mut shared, id, record, before.as_ref());
        let revision = Revision::new(row.revision);
        let owner = record.subject().map(|subject| self.owner(subject));
        if let (Flaw::ReplaceUnindexes, Some(owner)) = (self.flaw, owner) {
            shared.index.remove(&(owner, *id));
        }
        if !self.is(Flaw::ReplaceWritesNothing) {
            shared.rows.insert(self.key(id), row);
        }
        Ok(Replaced::Replaced(revision))
    }

    async fn remove_now(&self, id: &SessionId) -> Result<Removed, StoreError> {
        let was_there = self.shared()?.rows.contains_key(&self.key(id));
        self.race(Flaw::RemoveRaces).await;
        let mut shared = self.shared()?;
        if self.is(Flaw::RemoveKeepsRecord) {
            return Ok(Removed::Removed);
        }
        let Some(row) = shared.rows.remove(&self.key(id)) else {
            let lies = self.is(Flaw::RemoveRaces) && was_there;
            return Ok(if lies {
                Removed::Removed
            } else {
                Removed::Absent
            });
        };
        if let Some(subject) = row.record()?.subject() {
            let owner = self.owner(subject);
            let all = self.is(Flaw::RemoveUnindexesSubject);
            shared
                .index
                .retain(|(who, at)| *who != owner || !all && at != id);
        }
        shared.removed.push((self.key(id), row));
        Ok(Removed::Removed)
    }

    fn rows_of(&self, shared: &Shared, subject: &Subject) -> Vec<Row> {
        let owner = self.owner(subject);
        let entries = shared.index.iter();
        let theirs = entries.filter(|(who, _)| self.is(Flaw::ListsEverybody) || *who == owner);
        let rows = theirs.filter_map(|(_, id)| shared.rows.get(&self.key(id)).cloned());
        let page = if self.is(Flaw::ListsOnePage) {
            100
        } else {
            usize::MAX
        };
        rows.take(page).collect()
    }

    async fn list_now(
        &self,
        subject: &Subject,
        now: Timestamp,
    ) -> Result<Vec<(SessionId, Record)>, StoreError> {
        let rows = self.rows_of(&*self.shared()?, subject);
        let mut sessions = Vec::new();
        for row in rows {
            let record = row.record()?;
            if self.is(Flaw::ExpiredIsListed) || self.is_live(&row, &record, now) {
                sessions.push((row.id, record));
            }
        }
        Ok(sessions)
    }

    async fn revoke_now(
        &self,
        subject: &Subject,
        except: Option<&SessionId>,
    ) -> Result<usize, StoreError> {
        let rows = self.rows_of(&*self.shared()?, subject);
        self.race(Flaw::RevokesOnlyUnchanged).await;
        let mut shared = self.shared()?;
        let is_foreign = except.is_some_and(|id| rows.iter().all(|row| row.id != *id));
        if is_foreign && self.is(Flaw::SparesAllForAForeignException) {
            return Ok(0);
        }
        let mut count = 0;
        for row in rows {
            let key = self.key(&row.id);
            let now = shared.rows.get(&key).map(|row| row.revision);
            let changed = self.is(Flaw::RevokesOnlyUnchanged) && now != Some(row.revision);
            let spared = except == Some(&row.id) && !self.is(Flaw::RevokesTheException);
            if changed || spared {
                continue;
            }
            count += 1;
            if !self.is(Flaw::RevokesNothing) {
                shared.rows.remove(&key);
                shared.removed.push((key, row));
            }
        }
        if self.is(Flaw::BansRevoked) {
            shared.banned.insert(self.owner(subject));
        }
        Ok(count)
    }
}

impl SessionStore for Flawed {
    fn load<'a>(&'a self, claim: &'a Claim, now: Timestamp) -> StoreFuture<'a, Option<Stored>> {
        Box::pin(self.load_now(claim.id(), now))
    }

    fn create<'a>(
        &'a self,
        id: &'a SessionId,
        record: &'a Record,
        _now: Timestamp,
    ) -> StoreFuture<'a, Created> {
        if self.is(Flaw::WorksBeforeItIsPolled) {
            let mut shared = lock(&self.shared);
            let row = self.row(&mut shared, id, record, None);
            shared.rows.insert(self.key(id), row);
        }
        Box::pin(self.create_now(id, record))
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

    fn remove<'a>(&'a self, id: &'a SessionId) -> StoreFuture<'a, Removed> {
        Box::pin(self.remove_now(id))
    }

    fn sessions_of<'a>(
        &'a self,
        subject: &'a Subject,
        now: Timestamp,
    ) -> StoreFuture<'a, Vec<(SessionId, Record)>> {
        Box::pin(self.list_now(subject, now))
    }

    fn remove_all_of<'a>(
        &'a self,
        subject: &'a Subject,
        except: Option<&'a SessionId>,
    ) -> StoreFuture<'a, usize> {
        Box::pin(self.revoke_now(subject, except))
    }

    fn live_records<'a>(&'a self, now: Timestamp) -> StoreFuture<'a, Option<u64>> {
        Box::pin(async move {
            let shared = self.shared()?;
            let is_counted = |row: &&Row| {
                let record = row.record();
                let is_live = |record| self.is_live(row, &record, now);
                self.is(Flaw::CountsExpired) || record.is_ok_and(is_live)
            };
            Ok(Some(shared.rows.values().filter(is_counted).count() as u64))
        })
    }
}
