//! [`MemoryStore`]: sessions in the memory of one process.

mod capacity;
mod index;
mod part;
mod table;
#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;

use std::{fmt, sync::Arc};

use self::{capacity::Capacity, index::SubjectIndex, table::Table};
use super::{
    Created, Removed, Replaced, Revision, SessionStore, StoreError, StoreErrorKind, StoreFuture,
    Stored,
};
use crate::session::{
    authentication::Subject,
    id::{Claim, SessionId},
    record::Record,
    time::Timestamp,
};

/// Sessions in the memory of this process: nothing to run, gone when the process ends.
///
/// A clone is another handle to the same sessions. Nothing runs in the background: expired records are
/// invisible at once, and each write clears away up to two of them.
///
/// # Capacity
///
/// It holds at most [`DEFAULT_CAPACITY`](Self::DEFAULT_CAPACITY) sessions, or as many as
/// [`with_capacity`](Self::with_capacity) says. A session costs about 400 bytes besides its data. When it
/// is full, a new session takes the place of
///
/// 1. an expired one, or else
/// 2. the guest session nearest to its expiry, which with an idle timeout is the one unused for
///    longest, or else
/// 3. if the new one is a login, the logged-in session nearest to its expiry. A new guest session is
///    refused instead ([`StoreErrorKind::Full`]).
///
/// So no number of guest sessions can log a user out. Accounts that log in without end can: limit the
/// sessions of a subject.
///
/// # Examples
///
/// ```
/// use tower_session_guard::MemoryStore;
///
/// let store = MemoryStore::with_capacity(50_000);
/// let same_sessions = store.clone();
/// ```
#[derive(Clone)]
pub struct MemoryStore(Arc<Inner>);

/// Locks are taken in this order: a part of the index, then a part of the table. Nobody holds two parts
/// of one of them, or waits for the index while holding a part of the table.
struct Inner {
    index: SubjectIndex,
    table: Table,
    capacity: Capacity,
}

impl MemoryStore {
    /// How many sessions a store of [`new`](Self::new) holds: a million, at most about 400 MB and their
    /// data.
    pub const DEFAULT_CAPACITY: usize = 1_000_000;

    /// An empty store for up to [`DEFAULT_CAPACITY`](Self::DEFAULT_CAPACITY) sessions.
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(Self::DEFAULT_CAPACITY)
    }

    /// An empty store for up to `max_sessions` sessions. Memory is taken as they come.
    #[must_use]
    pub fn with_capacity(max_sessions: usize) -> Self {
        Self(Arc::new(Inner {
            index: SubjectIndex::new(),
            table: Table::new(),
            capacity: Capacity::new(max_sessions),
        }))
    }
}

impl Default for MemoryStore {
    /// The same as [`new`](Self::new).
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("records", &self.0.capacity.taken())
            .field("capacity", &self.0.capacity.max())
            .finish()
    }
}

impl Inner {
    fn create(
        &self,
        id: &SessionId,
        record: &Record,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        if self.table.holds(id) {
            return Ok(Created::Occupied);
        }
        self.make_room(record.subject().is_some(), now)?;
        let insert = || self.table.insert(id, record);
        let created = match record.subject() {
            Some(subject) => self.index.insert_with(subject, id, insert),
            None => insert(),
        };
        if created == Created::Occupied {
            self.capacity.release();
        }
        self.clear_away(id, now);
        Ok(created)
    }

    /// Takes a place for one session, from another one if need be.
    fn make_room(&self, member: bool, now: Timestamp) -> Result<(), StoreError> {
        while !self.capacity.take() {
            let victim = self.table.victim(member, now);
            let victim = victim.ok_or(StoreError::new(StoreErrorKind::Full))?;
            // Somebody else may have taken that one; then look again.
            if let Some((id, subject)) = self.table.evict(&victim) {
                self.forget(&id, subject.as_ref());
                return Ok(());
            }
        }
        Ok(())
    }

    fn replace(
        &self,
        id: &SessionId,
        revision: Revision,
        record: &Record,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        let replaced = self.table.replace(id, revision, record, now)?;
        self.clear_away(id, now);
        Ok(replaced)
    }

    fn remove(&self, id: &SessionId) -> Removed {
        match self.table.remove(id) {
            Some(subject) => {
                self.capacity.release();
                self.forget(id, subject.as_ref());
                Removed::Removed
            }
            None => Removed::Absent,
        }
    }

    fn sessions_of(&self, subject: &Subject, now: Timestamp) -> Vec<(SessionId, Record)> {
        let ids = self.index.ids_of(subject);
        let found = ids.into_iter().filter_map(|id| {
            let stored = self.table.load(&id, now).ok()??;
            (stored.record.subject() == Some(subject)).then_some((id, stored.record))
        });
        found.collect()
    }

    /// Holds the subject's part of the index throughout, so that no login of theirs slips in between.
    fn remove_all_of(&self, subject: &Subject, except: Option<&SessionId>) -> usize {
        self.index.retain(subject, |id| {
            let goes = Some(id) != except && self.table.remove_of(id, subject);
            if goes {
                self.capacity.release();
            }
            goes
        })
    }

    /// Removes a few expired records of the part of the table where `id` belongs.
    fn clear_away(&self, id: &SessionId, now: Timestamp) {
        for (id, subject) in self.table.take_expired(id, now).into_iter().flatten() {
            self.capacity.release();
            self.forget(&id, subject.as_ref());
        }
    }

    /// Takes the index entry of a record that went away, unless a record has come there since.
    fn forget(&self, id: &SessionId, subject: Option<&Subject>) {
        if let Some(subject) = subject {
            self.index
                .remove_unless(subject, id, || self.table.belongs_to(id, subject));
        }
    }
}

impl SessionStore for MemoryStore {
    fn load<'a>(&'a self, claim: &'a Claim, now: Timestamp) -> StoreFuture<'a, Option<Stored>> {
        Box::pin(async move { self.0.table.load(claim.id(), now) })
    }

    fn try_load(&self, claim: &Claim, now: Timestamp) -> Option<Stored> {
        self.0.table.load(claim.id(), now).ok().flatten()
    }

    fn create<'a>(
        &'a self,
        id: &'a SessionId,
        record: &'a Record,
        now: Timestamp,
    ) -> StoreFuture<'a, Created> {
        Box::pin(async move { self.0.create(id, record, now) })
    }

    fn replace<'a>(
        &'a self,
        id: &'a SessionId,
        revision: Revision,
        record: &'a Record,
        now: Timestamp,
    ) -> StoreFuture<'a, Replaced> {
        Box::pin(async move { self.0.replace(id, revision, record, now) })
    }

    fn remove<'a>(&'a self, id: &'a SessionId) -> StoreFuture<'a, Removed> {
        Box::pin(async move { Ok(self.0.remove(id)) })
    }

    fn sessions_of<'a>(
        &'a self,
        subject: &'a Subject,
        now: Timestamp,
    ) -> StoreFuture<'a, Vec<(SessionId, Record)>> {
        Box::pin(async move { Ok(self.0.sessions_of(subject, now)) })
    }

    fn remove_all_of<'a>(
        &'a self,
        subject: &'a Subject,
        except: Option<&'a SessionId>,
    ) -> StoreFuture<'a, usize> {
        Box::pin(async move { Ok(self.0.remove_all_of(subject, except)) })
    }

    fn live_records<'a>(&'a self, now: Timestamp) -> StoreFuture<'a, Option<u64>> {
        Box::pin(async move { Ok(Some(self.0.table.live_records(now))) })
    }
}
