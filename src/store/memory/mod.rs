//! [`MemoryStore`]: sessions in the memory of one process.

mod capacity;
mod index;
mod keys;
mod listed;
mod part;
mod table;
#[cfg(test)]
#[cfg(feature = "testing")]
mod tests;

use std::{fmt, sync::Arc};

use self::{
    capacity::Capacity,
    index::{Index, KeyDigest},
    part::{Departed, Slot},
    table::Table,
};
use super::{
    Counting, Created, Cursor, Cutoff, EndedPage, IndexKey, ListedHead, Page, Removed, Replaced,
    Revision, SessionStore, StoreError, StoreErrorKind, StoreFuture, Stored, cutoffs::Cutoffs,
};
use crate::session::{
    id::{SessionId, VerifiedId},
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
/// It holds at most [`DEFAULT_CAPACITY`](Self::DEFAULT_CAPACITY) sessions in at most
/// [`DEFAULT_MAX_BYTES`](Self::DEFAULT_MAX_BYTES), or as many as [`with_capacity`](Self::with_capacity) and
/// [`with_max_bytes`](Self::with_max_bytes) say. A session costs about 400 bytes besides its data. When the store
/// is full, a new session takes the place of
///
/// 1. an expired one, or else
/// 2. the guest's session nearest to its expiry, which with an idle timeout is the one unused for longest, or else
/// 3. if the new one is a login, the logged-in session nearest to its expiry. A guest's new session is
///    refused instead ([`StoreErrorKind::Full`]).
///
/// So no number of guests can log anybody out. Accounts that log in without end can, up to the limit of the
/// sessions of a subject. A session whose data grows makes room in the same way.
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
    index: Index,
    table: Table,
    capacity: Capacity,
    cutoffs: Cutoffs,
}

impl MemoryStore {
    /// How many sessions a store of [`new`](Self::new) holds: a million.
    pub const DEFAULT_CAPACITY: usize = 1_000_000;

    /// How many bytes the sessions of a store of [`new`](Self::new) take: 256 MiB.
    pub const DEFAULT_MAX_BYTES: usize = 256 * 1024 * 1024;

    /// An empty store for up to [`DEFAULT_CAPACITY`](Self::DEFAULT_CAPACITY) sessions in up to
    /// [`DEFAULT_MAX_BYTES`](Self::DEFAULT_MAX_BYTES).
    #[must_use]
    pub fn new() -> Self {
        Self::limited(Self::DEFAULT_CAPACITY, Self::DEFAULT_MAX_BYTES)
    }

    /// An empty store for up to `max_sessions` sessions. Memory is taken as they come.
    #[must_use]
    pub fn with_capacity(max_sessions: usize) -> Self {
        Self::limited(max_sessions, Self::DEFAULT_MAX_BYTES)
    }

    /// An empty store for up to [`DEFAULT_CAPACITY`](Self::DEFAULT_CAPACITY) sessions that take up to
    /// `max_bytes`: their records, and a fixed part for each. The allocator's own overhead is not counted.
    #[must_use]
    pub fn with_max_bytes(max_bytes: usize) -> Self {
        Self::limited(Self::DEFAULT_CAPACITY, max_bytes)
    }

    /// An empty store for up to `max_sessions` sessions that take up to `max_bytes`.
    #[must_use]
    pub fn limited(max_sessions: usize, max_bytes: usize) -> Self {
        Self(Arc::new(Inner {
            index: Index::new(),
            table: Table::new(),
            capacity: Capacity::new(max_sessions, max_bytes),
            cutoffs: Cutoffs::default(),
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
            .field("sessions", &self.0.capacity.sessions())
            .field("max_sessions", &self.0.capacity.max_sessions())
            .field("bytes", &self.0.capacity.bytes())
            .field("max_bytes", &self.0.capacity.max_bytes())
            .finish()
    }
}

impl Inner {
    fn create(
        &self,
        id: &SessionId,
        record: &Record,
        counting: Counting,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        let slot = Slot::of(record);
        let (len, keys) = (slot.bytes.len(), slot.keys.clone());
        if !self.capacity.take(len) {
            // No session goes for one that does not come.
            if self.table.holds(id) {
                return Ok(Created::Occupied);
            }
            self.make_room(slot.is_member, now, |capacity| capacity.take(len))?;
        }
        let insert = || self.table.insert(id, slot);
        let created = self
            .index
            .insert_with(keys.as_slice(), id, counting, insert);
        if created == Created::Occupied {
            self.capacity.release(len);
        }
        self.clear_away(id, now);
        Ok(created)
    }

    /// Takes room, from other sessions if need be.
    fn make_room(
        &self,
        member: bool,
        now: Timestamp,
        take: impl Fn(&Capacity) -> bool,
    ) -> Result<(), StoreError> {
        while !take(&self.capacity) {
            let victim = self.table.victim(member, now);
            let victim = victim.ok_or(StoreError::new(StoreErrorKind::Full))?;
            // Somebody else may have taken that one; then look again.
            if let Some(departed) = self.table.evict(&victim) {
                self.forget(&departed);
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
        let slot = Slot::of(record);
        let len = slot.bytes.len();
        self.make_room(slot.is_member, now, |capacity| capacity.take_bytes(len))?;
        let replaced = self.table.replace(id, revision, slot, now);
        let unused = match &replaced {
            Ok((Replaced::Replaced(_), before)) => *before,
            _ => len,
        };
        self.capacity.release_bytes(unused);
        self.clear_away(id, now);
        replaced.map(|(replaced, _)| replaced)
    }

    fn remove(&self, id: &SessionId, listed_under: Option<&KeyDigest>) -> Removed {
        match self.table.remove(id, listed_under) {
            Some(departed) => {
                self.forget(&departed);
                Removed::Removed
            }
            None => Removed::Absent,
        }
    }

    fn heads(
        &self,
        key: &IndexKey,
        after: Option<&Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page, StoreError> {
        let key = key.digest();
        let entries = self.index.page(&key, place(after)?, limit.max(1));
        let next = next(&entries, limit);
        let heads = entries.into_iter().filter_map(|(id, counting)| {
            let head = self.table.head(&id, &key, now)?;
            Some(ListedHead::new(id, counting == Counting::Counted, head))
        });
        Ok(Page::new(heads.collect(), next))
    }

    fn end_listed(
        &self,
        key: &IndexKey,
        after: Option<&Cursor>,
        limit: usize,
        except: Option<&SessionId>,
    ) -> Result<EndedPage, StoreError> {
        let key = key.digest();
        let entries = self.index.page(&key, place(after)?, limit.max(1));
        let next = next(&entries, limit);
        let listed = entries.iter().filter(|(id, _)| Some(id) != except);
        let ended = listed.filter(|(id, _)| self.remove(id, Some(&key)) == Removed::Removed);
        Ok(EndedPage::new(ended.count(), next))
    }

    /// Removes a few expired records of the part of the table where `id` belongs.
    fn clear_away(&self, id: &SessionId, now: Timestamp) {
        for departed in self.table.take_expired(id, now).into_iter().flatten() {
            self.forget(&departed);
        }
    }

    /// Gives a record's room back, and takes its index entries, unless a record has come there since.
    fn forget(&self, departed: &Departed) {
        self.capacity.release(departed.len);
        for key in departed.keys.as_slice() {
            let is_there = || self.table.belongs_to(&departed.id, key);
            self.index.remove_unless(key, &departed.id, is_there);
        }
    }
}

/// The id after which a page begins.
fn place(after: Option<&Cursor>) -> Result<Option<SessionId>, StoreError> {
    let place = |after: &Cursor| {
        let bytes = after.as_bytes().try_into();
        let refused = |_| StoreError::with_source(StoreErrorKind::Unsupported, "a foreign cursor");
        bytes.map(SessionId::from_bytes).map_err(refused)
    };
    after.map(place).transpose()
}

/// Where the page after these entries begins.
fn next(entries: &[(SessionId, Counting)], limit: usize) -> Option<Cursor> {
    let (last, _) = entries.last().filter(|_| entries.len() >= limit)?;
    Some(Cursor::new(*last.as_bytes()))
}

impl SessionStore for MemoryStore {
    fn load<'a>(&'a self, id: VerifiedId<'a>, now: Timestamp) -> StoreFuture<'a, Option<Stored>> {
        Box::pin(async move { self.0.table.load(id.get(), now) })
    }

    fn try_load(&self, id: VerifiedId<'_>, now: Timestamp) -> Option<Stored> {
        self.0.table.load(id.get(), now).ok().flatten()
    }

    fn create<'a>(
        &'a self,
        id: &'a SessionId,
        record: &'a Record,
        counting: Counting,
        now: Timestamp,
    ) -> StoreFuture<'a, Created> {
        Box::pin(async move { self.0.create(id, record, counting, now) })
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

    fn remove<'a>(
        &'a self,
        id: &'a SessionId,
        listed_under: Option<&'a IndexKey>,
    ) -> StoreFuture<'a, Removed> {
        Box::pin(async move {
            let key = listed_under.map(IndexKey::digest);
            Ok(self.0.remove(id, key.as_ref()))
        })
    }

    fn heads<'a>(
        &'a self,
        key: &'a IndexKey,
        after: Option<&'a Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> StoreFuture<'a, Page> {
        Box::pin(async move { self.0.heads(key, after, limit, now) })
    }

    fn end_listed<'a>(
        &'a self,
        key: &'a IndexKey,
        after: Option<&'a Cursor>,
        limit: usize,
        except: Option<&'a SessionId>,
    ) -> StoreFuture<'a, EndedPage> {
        Box::pin(async move { self.0.end_listed(key, after, limit, except) })
    }

    fn raise_cutoff<'a>(
        &'a self,
        key: &'a IndexKey,
        cutoff: &'a Cutoff,
        now: Timestamp,
    ) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            self.0.cutoffs.raise(key, cutoff, now);
            Ok(())
        })
    }

    fn cutoff<'a>(&'a self, key: &'a IndexKey, now: Timestamp) -> StoreFuture<'a, Option<Cutoff>> {
        Box::pin(async move { Ok(self.0.cutoffs.of(key, now)) })
    }

    fn live_records<'a>(&'a self, now: Timestamp) -> StoreFuture<'a, Option<u64>> {
        Box::pin(async move { Ok(Some(self.0.table.live_records(now))) })
    }
}
