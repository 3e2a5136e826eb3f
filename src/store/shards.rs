//! [`Shards`]: one table in many parts, so that readers on different cores do not meet.

use std::{
    hash::{BuildHasherDefault, Hash, Hasher},
    sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use crate::session::id::SessionId;

/// How many parts: enough that a few dozen cores seldom want the same one.
pub(super) const COUNT: usize = 64;

/// Parts of a table, each behind a lock of its own and on cache lines of its own.
#[derive(Debug)]
pub(super) struct Shards<T>(Box<[Padded<RwLock<T>>]>);

#[derive(Debug, Default)]
#[repr(align(128))]
struct Padded<T>(T);

impl<T> Shards<T>
where
    T: Default,
{
    pub(super) fn new() -> Self {
        Self((0..COUNT).map(|_| Padded::default()).collect())
    }
}

impl<T> Shards<T> {
    /// Reads the part of the table where `hash` belongs.
    pub(super) fn read(&self, hash: u64) -> RwLockReadGuard<'_, T> {
        reading(&self.0[Self::position(hash)])
    }

    /// Changes the part of the table where `hash` belongs.
    pub(super) fn write(&self, hash: u64) -> RwLockWriteGuard<'_, T> {
        self.write_at(Self::position(hash))
    }

    /// Changes the part at this position.
    ///
    /// A panic cannot leave a part half-written, since nothing that may panic runs under its lock; so a
    /// poisoned lock is taken all the same.
    pub(super) fn write_at(&self, position: usize) -> RwLockWriteGuard<'_, T> {
        let part = self.0[position].0.write();
        part.unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads every part, one after the other.
    pub(super) fn each(&self) -> impl Iterator<Item = RwLockReadGuard<'_, T>> {
        self.0.iter().map(reading)
    }

    /// Which part: by bits that a hash table uses neither for its buckets nor for its tags.
    pub(super) fn position(hash: u64) -> usize {
        (hash >> 48) as usize % COUNT
    }
}

fn reading<T>(part: &Padded<RwLock<T>>) -> RwLockReadGuard<'_, T> {
    part.0.read().unwrap_or_else(PoisonError::into_inner)
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

    use super::{Shards, hash_of};
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
            let shards: HashSet<_> = hashes.iter().map(|&h| Shards::<()>::position(h)).collect();
            assert_eq!(hashes.len(), 256);
            assert!(shards.len() > 48, "byte {at}: {} shards", shards.len());
        }
    }
}
