//! [`Shards`]: one table in many parts, so that writers on different cores seldom meet, and readers never.

use std::{
    hash::{BuildHasherDefault, Hash, Hasher},
    sync::PoisonError,
};

use crossbeam_utils::sync::{ShardedLock, ShardedLockReadGuard, ShardedLockWriteGuard};

use crate::session::id::SessionId;

/// How many parts: enough that writers on a few dozen cores seldom want the same one.
pub(super) const COUNT: usize = 64;

/// Parts of a table, each behind a lock of its own.
///
/// A reader locks a cache line that is its thread's own, as long as there are no more than eight: with one line
/// for all, every second load on two cores would fetch it from the other one. A writer locks all eight.
#[derive(Debug)]
pub(super) struct Shards<T>(Box<[ShardedLock<T>]>);

impl<T> Shards<T>
where
    T: Default,
{
    pub(super) fn new() -> Self {
        Self((0..COUNT).map(|_| ShardedLock::default()).collect())
    }
}

impl<T> Shards<T> {
    /// Reads the part of the table where `hash` belongs.
    pub(super) fn read(&self, hash: u64) -> ShardedLockReadGuard<'_, T> {
        reading(&self.0[position(hash)])
    }

    /// Changes the part of the table where `hash` belongs.
    pub(super) fn write(&self, hash: u64) -> ShardedLockWriteGuard<'_, T> {
        self.write_at(position(hash))
    }

    /// Changes the part at this position.
    ///
    /// A panic cannot leave a part half-written, since nothing that may panic runs under its lock; so a
    /// poisoned lock is taken all the same.
    pub(super) fn write_at(&self, position: usize) -> ShardedLockWriteGuard<'_, T> {
        let part = self.0[position].write();
        part.unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads every part, one after the other.
    pub(super) fn each(&self) -> impl Iterator<Item = ShardedLockReadGuard<'_, T>> {
        self.0.iter().map(reading)
    }
}

/// Which part: by bits that a hash table uses neither for its buckets nor for its tags.
pub(super) const fn position(hash: u64) -> usize {
    (hash >> 48) as usize % COUNT
}

fn reading<T>(part: &ShardedLock<T>) -> ShardedLockReadGuard<'_, T> {
    part.read().unwrap_or_else(PoisonError::into_inner)
}

/// The hash of an id in every table here.
pub(super) fn hash_of(id: &SessionId) -> u64 {
    let mut hasher = IdHasher::default();
    id.hash(&mut hasher);
    hasher.finish()
}

/// Hashes ids, which are random bits that no client chooses, so no key is needed: two multiplications.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct IdHasher(u64);

pub(super) type BuildIdHasher = BuildHasherDefault<IdHasher>;

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        debug_assert!(rest.is_empty(), "an id is two words");
        for word in words {
            let mixed = u64::from_le_bytes(*word) ^ self.0 ^ 0x9E37_79B9_7F4A_7C15;
            let product = u128::from(mixed) * 0xD6E8_FEB8_6659_FD93;
            self.0 = (product as u64) ^ ((product >> 64) as u64);
        }
    }

    fn write_usize(&mut self, _: usize) {
        // The length of an id: always the same.
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{hash_of, position};
    use crate::session::id::SessionId;

    #[test]
    fn ids_that_share_a_half_spread_over_the_shards() {
        for at in [0, 7, 8, 15] {
            let hashes = (0..=255).map(|byte| {
                let mut bytes = [7; SessionId::LEN];
                bytes[at] = byte;
                hash_of(&SessionId::from_bytes(bytes))
            });
            let hashes: HashSet<_> = hashes.collect();
            let shards: HashSet<_> = hashes.iter().map(|&h| position(h)).collect();
            assert_eq!(hashes.len(), 256);
            assert!(shards.len() > 48, "byte {at}: {} shards", shards.len());
        }
    }
}
