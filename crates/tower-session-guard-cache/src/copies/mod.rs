//! [`SessionCopies`]: the copies of records that one epoch holds.

mod part;

use std::{
    hash::{Hash, Hasher},
    sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

#[cfg(test)]
use tower_session_guard::store::Revision;
use tower_session_guard::{SessionId, Timestamp, store::Stored};

pub(crate) use self::part::IdHasher;
use self::part::Part;
use crate::options::CacheOptions;

/// The most parts: enough that threads seldom want the same one.
const MAX_PARTS: usize = 64;

/// Each part has room for so many entries at least, so that chance fills them evenly.
const MIN_ENTRIES: usize = 256;

/// The same in bytes.
const MIN_BYTES: usize = 256 * 1024;

/// Copies of records, in a bounded number of entries and bytes.
///
/// What may fill a copy is guarded by a [generation](Noted): a copy is not kept if anything was forgotten since it was
/// asked for. Nor is it kept beside a copy of another revision: one of the two is older, and the feed is yet to tell of
/// the change.
#[derive(Debug)]
pub(crate) struct SessionCopies {
    parts: Box<[Shard]>,
}

/// Aligned, so that no two locks share a cache line.
#[derive(Debug)]
#[repr(align(64))]
struct Shard(RwLock<Part>);

/// What was noted before a record was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Noted(u64);

impl SessionCopies {
    pub(crate) fn new(options: CacheOptions) -> Self {
        let (entries, bytes) = (options.max_entries, options.max_bytes);
        let parts = (entries / MIN_ENTRIES).min(bytes / MIN_BYTES);
        let parts = (1 << parts.checked_ilog2().unwrap_or(0)).min(MAX_PARTS);
        let part = || Shard(RwLock::new(Part::new(entries / parts, bytes / parts)));
        Self {
            parts: (0..parts).map(|_| part()).collect(),
        }
    }

    /// Notes what holds before a record is asked for.
    pub(crate) fn note(&self, id: &SessionId) -> Noted {
        Noted(self.read(id).generation())
    }

    /// Keeps a copy, unless something was forgotten since `noted`. Says whether it did.
    ///
    /// Where there is a copy of another revision, it keeps neither, so that a node does not show what is older than what
    /// it has shown.
    pub(crate) fn insert_if(&self, noted: Noted, id: &SessionId, stored: &Stored) -> bool {
        // Encoded before the lock is taken.
        let (bytes, expires_at) = (stored.record.encode(), stored.record.expires_at());
        let mut part = self.write(id);
        if part
            .revision(id)
            .is_some_and(|copy| copy != stored.revision)
        {
            part.forget(id);
            return false;
        }
        noted == Noted(part.generation()) && part.put(id, bytes, stored.revision, expires_at)
    }

    /// The copy of a record, unless it has expired by `now`.
    #[inline]
    pub(crate) fn get(&self, id: &SessionId, now: Timestamp) -> Option<Stored> {
        self.read(id).get(id, now)
    }

    /// The revision of a copy: for the checked model, which asks often.
    #[cfg(test)]
    pub(crate) fn revision(&self, id: &SessionId) -> Option<u64> {
        self.read(id).revision(id).map(Revision::get)
    }

    /// Forgets a copy, and whatever was asked for and has not come yet.
    pub(crate) fn forget(&self, id: &SessionId) {
        self.write(id).forget(id);
    }

    /// Forgets the copy of a record that the store no longer has. Where there is none, it disturbs nobody.
    pub(crate) fn forget_gone(&self, id: &SessionId) {
        let is_kept = self.read(id).revision(id).is_some();
        if is_kept {
            self.forget(id);
        }
    }

    /// Forgets all copies, and whatever was asked for and has not come yet.
    pub(crate) fn forget_all(&self) {
        for Shard(part) in &self.parts {
            part.write()
                .unwrap_or_else(PoisonError::into_inner)
                .forget_all();
        }
    }

    pub(crate) fn entries(&self) -> usize {
        self.each().map(|part| part.entries()).sum()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.each().map(|part| part.bytes()).sum()
    }

    fn each(&self) -> impl Iterator<Item = RwLockReadGuard<'_, Part>> {
        self.parts.iter().map(reading)
    }

    #[inline]
    fn read(&self, id: &SessionId) -> RwLockReadGuard<'_, Part> {
        reading(&self.parts[self.place(id)])
    }

    /// Nothing that may panic runs under a lock, so a poisoned one is taken all the same.
    fn write(&self, id: &SessionId) -> RwLockWriteGuard<'_, Part> {
        let Shard(part) = &self.parts[self.place(id)];
        part.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// By bits that a hash table uses neither for its buckets nor for its tags. There is a power of two of parts.
    #[inline]
    fn place(&self, id: &SessionId) -> usize {
        let mut hasher = IdHasher::default();
        id.hash(&mut hasher);
        (hasher.finish() >> 48) as usize & (self.parts.len() - 1)
    }
}

#[inline]
fn reading(Shard(part): &Shard) -> RwLockReadGuard<'_, Part> {
    part.read().unwrap_or_else(PoisonError::into_inner)
}

/// As it is: for the checked model, which goes on from one state in several ways.
#[cfg(test)]
impl Clone for SessionCopies {
    fn clone(&self) -> Self {
        Self {
            parts: self
                .each()
                .map(|part| Shard(RwLock::new(part.clone())))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests;
