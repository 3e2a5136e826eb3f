//! [`Plain`]: the store contract word for word, in one map; and the rules of it, or of those above it, that a
//! mutant breaks.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use crate::{
    session::{
        device::Device,
        id::{SessionId, VerifiedId},
        record::Record,
        time::Timestamp,
    },
    simulation::world::GRACE,
    store::{
        Counting, Created, Cursor, Cutoff, EndedPage, IndexKey, ListedHead, Page, Removed,
        Replaced, Revision, SessionStore, StoreFuture, Stored,
    },
};

/// A rule that is broken on purpose.
#[allow(dead_code, reason = "the feature `dbsc` breaks some")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::simulation) enum Mutant {
    /// A login leaves the record that it replaces.
    LoginKeepsTheOldRecord,
    /// A logout leaves the record.
    LogoutKeepsTheRecord,
    /// A write of a session that is gone brings it back.
    ReplaceCreates,
    /// A write does not look whether somebody wrote meanwhile.
    ReplaceIgnoresTheRevision,
    /// A change of privilege leaves the secret as it was.
    ElevationKeepsTheSecret,
    /// A change of privilege gives the old secret a grace time.
    ElevationHasGrace,
    /// A login keeps whatever the guest's session held.
    LoginCarriesEverything,
    /// A replica answers loads, one write behind.
    LoadLags,
    /// A renewal forgets that the secret before it is to die.
    RenewalHasNoEnd,
    /// A login does not hear that everything of its subject ended while it was under way.
    CutoffIsForgotten,
    /// What ends everything of an actor passes over the sessions in which they act.
    ActorIsNotListed,
    /// A self-contained token leaves again unasked without a look at what was written since its request came.
    ReissueOverwrites,
    /// A bound session opens with its token alone.
    OpensWithoutItsDevice,
    /// A registration does not look whether the session is bound.
    AnotherKeyRebinds,
    /// What was loaded before the binding is written over it.
    AnOlderWriteUnbinds,
    /// Accepted proofs are not counted.
    ProofsAreNotCounted,
    /// A bound cookie is good for longer than is set.
    ProofsLastLonger,
}

impl Mutant {
    /// All that a store shows.
    pub(super) const IN_STORE: [Self; 10] = [
        Self::LoginKeepsTheOldRecord,
        Self::LogoutKeepsTheRecord,
        Self::ReplaceCreates,
        Self::ReplaceIgnoresTheRevision,
        Self::ElevationKeepsTheSecret,
        Self::ElevationHasGrace,
        Self::LoginCarriesEverything,
        Self::LoadLags,
        Self::RenewalHasNoEnd,
        Self::CutoffIsForgotten,
    ];
}

/// What a store holds.
#[derive(Clone, Debug, Default)]
pub(in crate::simulation) struct Content {
    pub(in crate::simulation) records: BTreeMap<SessionId, (u64, Record)>,
    cutoffs: BTreeMap<IndexKey, Cutoff>,
    revision: u64,
    /// For the mutants: what was there before the last write of each, what was loaded last, and whether a
    /// record was created since the last removal.
    before: BTreeMap<SessionId, Option<(u64, Record)>>,
    loaded: Option<Record>,
    created: bool,
    /// Which endpoint the request under way is for, if it is for one.
    endpoint: Option<Endpoint>,
}

/// An endpoint of device binding.
#[allow(dead_code, reason = "the feature `dbsc` has them")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::simulation) enum Endpoint {
    Register,
    Refresh,
}

#[derive(Clone, Debug)]
pub(in crate::simulation) struct Plain {
    content: Arc<Mutex<Content>>,
    mutant: Option<Mutant>,
}

impl Plain {
    pub(in crate::simulation) fn new(mutant: Option<Mutant>) -> Self {
        Self {
            content: Arc::default(),
            mutant,
        }
    }

    pub(in crate::simulation) fn content(&self) -> Content {
        self.content.lock().unwrap().clone()
    }

    pub(in crate::simulation) fn restore(&self, content: Content) {
        *self.content.lock().unwrap() = content;
    }

    /// Says which endpoint the calls from now on are for.
    #[cfg(feature = "dbsc")]
    pub(in crate::simulation) fn serve(&self, endpoint: Option<Endpoint>) {
        self.content.lock().unwrap().endpoint = endpoint;
    }

    fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// Whether a load for this endpoint, or for none, finds no device.
    fn forgets_the_device(&self, endpoint: Option<Endpoint>) -> bool {
        match self.mutant {
            Some(Mutant::OpensWithoutItsDevice) => endpoint.is_none(),
            Some(Mutant::AnotherKeyRebinds) => endpoint == Some(Endpoint::Register),
            _ => false,
        }
    }

    /// Whether a write of `record` over `old` goes without a look at the revision.
    fn unbinds(&self, old: &Record, record: &Record) -> bool {
        let is_bound = |record: &Record| record.fields.state.bound_device().is_some();
        self.is(Mutant::AnOlderWriteUnbinds) && is_bound(old) && !is_bound(record)
    }

    fn do_load(&self, id: &SessionId, now: Timestamp) -> Option<Stored> {
        let mut content = self.content.lock().unwrap();
        let mut found = content.records.get(id).cloned();
        if self.is(Mutant::LoadLags) {
            found = content.before.get(id).cloned().unwrap_or(found);
        }
        if let Some((_, record)) = &mut found
            && self.forgets_the_device(content.endpoint)
        {
            record.fields.state.with_extra(|extra| extra.device = None);
        }
        let found = found.filter(|(_, record)| !record.is_expired(now));
        content.loaded = found.as_ref().map(|(_, record)| record.clone());
        found.map(|(revision, record)| Stored::new(record, Revision::new(revision)))
    }

    fn do_create(&self, id: &SessionId, record: &Record) -> Created {
        let mut content = self.content.lock().unwrap();
        if content.records.contains_key(id) {
            return Created::Occupied;
        }
        let mut record = record.clone();
        if self.is(Mutant::LoginCarriesEverything)
            && let Some(loaded) = &content.loaded
        {
            record.fields.state.entries = loaded.fields.state.entries.clone();
        }
        content.created = true;
        let owner = record.owner();
        let revision = content.put(id, record);
        let owned = content.records.values();
        let owned = owned.filter(|(_, record)| owner.is_some() && record.owner() == owner);
        let sessions = owned.count();
        Created::Created { revision, sessions }
    }

    fn do_replace(
        &self,
        id: &SessionId,
        revision: Revision,
        record: &Record,
        now: Timestamp,
    ) -> Replaced {
        let mut content = self.content.lock().unwrap();
        let Some((at, old)) = content
            .records
            .get(id)
            .cloned()
            .filter(|(_, old)| !old.is_expired(now))
        else {
            if self.is(Mutant::ReplaceCreates) {
                return Replaced::Replaced(content.put(id, record.clone()));
            }
            return Replaced::Gone;
        };
        let in_order = at == revision.get() || self.is(Mutant::ReplaceIgnoresTheRevision);
        let in_order = in_order || self.unbinds(&old, record);
        if !in_order {
            return Replaced::Conflict;
        }
        let mut record = record.clone();
        if self.is(Mutant::ProofsAreNotCounted)
            && let Some(device) = old.fields.state.bound_device()
        {
            let device = Some(Device::Bound(*device));
            record
                .fields
                .state
                .with_extra(|extra| extra.device = device);
        }
        let elevated = record
            .fields
            .secrets
            .superseded
            .contains(&old.fields.secrets.current);
        if self.is(Mutant::ElevationKeepsTheSecret) && elevated {
            record.fields.secrets = old.fields.secrets;
        } else if self.is(Mutant::ElevationHasGrace) && elevated {
            record.fields.secrets.grace = Some((old.fields.secrets.current, now.after(GRACE)));
        } else if self.is(Mutant::RenewalHasNoEnd)
            && let Some((_, until)) = &mut record.fields.secrets.grace
        {
            *until = now.after(GRACE * 1000);
        }
        Replaced::Replaced(content.put(id, record))
    }

    fn do_remove(&self, id: &SessionId) -> Removed {
        let mut content = self.content.lock().unwrap();
        let by_login = std::mem::take(&mut content.created);
        let skipped = if by_login {
            Mutant::LoginKeepsTheOldRecord
        } else {
            Mutant::LogoutKeepsTheRecord
        };
        if self.is(skipped) && content.records.contains_key(id) {
            return Removed::Removed;
        }
        let old = content.records.remove(id);
        content.before.insert(*id, old.clone());
        match old {
            Some(_) => Removed::Removed,
            None => Removed::Absent,
        }
    }

    fn lists(&self, record: &Record, key: &IndexKey) -> bool {
        let hides = self.is(Mutant::ActorIsNotListed) && record.owner().as_ref() != Some(key);
        !hides && record.index_keys().contains(key)
    }

    fn do_end_listed(&self, key: &IndexKey, except: Option<&SessionId>) -> usize {
        let mut content = self.content.lock().unwrap();
        let before = content.records.len();
        content
            .records
            .retain(|id, (_, record)| Some(id) == except || !self.lists(record, key));
        before - content.records.len()
    }
}

impl Content {
    fn put(&mut self, id: &SessionId, record: Record) -> Revision {
        self.revision += 1;
        let old = self.records.insert(*id, (self.revision, record));
        self.before.insert(*id, old);
        Revision::new(self.revision)
    }
}

impl SessionStore for Plain {
    fn load<'a>(&'a self, id: VerifiedId<'a>, now: Timestamp) -> StoreFuture<'a, Option<Stored>> {
        Box::pin(async move { Ok(self.do_load(id.get(), now)) })
    }

    fn create<'a>(
        &'a self,
        id: &'a SessionId,
        record: &'a Record,
        _: Counting,
        _: Timestamp,
    ) -> StoreFuture<'a, Created> {
        Box::pin(async move { Ok(self.do_create(id, record)) })
    }

    fn replace<'a>(
        &'a self,
        id: &'a SessionId,
        revision: Revision,
        record: &'a Record,
        now: Timestamp,
    ) -> StoreFuture<'a, Replaced> {
        Box::pin(async move { Ok(self.do_replace(id, revision, record, now)) })
    }

    fn remove<'a>(
        &'a self,
        id: &'a SessionId,
        _: Option<&'a IndexKey>,
    ) -> StoreFuture<'a, Removed> {
        Box::pin(async move { Ok(self.do_remove(id)) })
    }

    fn heads<'a>(
        &'a self,
        key: &'a IndexKey,
        _: Option<&'a Cursor>,
        _: usize,
        now: Timestamp,
    ) -> StoreFuture<'a, Page> {
        Box::pin(async move {
            let records = self.content().records.into_iter();
            let listed = records.filter(|(_, (_, record))| {
                record.index_keys().contains(key) && !record.is_expired(now)
            });
            let heads =
                listed.map(|(id, (_, record))| ListedHead::new(id, true, Ok((&record).into())));
            Ok(Page::new(heads.collect(), None))
        })
    }

    fn end_listed<'a>(
        &'a self,
        key: &'a IndexKey,
        _: Option<&'a Cursor>,
        _: usize,
        except: Option<&'a SessionId>,
    ) -> StoreFuture<'a, EndedPage> {
        Box::pin(async move { Ok(EndedPage::new(self.do_end_listed(key, except), None)) })
    }

    fn raise_cutoff<'a>(
        &'a self,
        key: &'a IndexKey,
        cutoff: &'a Cutoff,
        _: Timestamp,
    ) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            let mut content = self.content.lock().unwrap();
            let before = content.cutoffs.get(key).copied();
            let raised = before.map_or(*cutoff, |before| before.raised_by(cutoff));
            content.cutoffs.insert(key.clone(), raised);
            Ok(())
        })
    }

    fn cutoff<'a>(&'a self, key: &'a IndexKey, _: Timestamp) -> StoreFuture<'a, Option<Cutoff>> {
        Box::pin(async move {
            if self.is(Mutant::CutoffIsForgotten) {
                return Ok(None);
            }
            Ok(self.content.lock().unwrap().cutoffs.get(key).copied())
        })
    }
}
