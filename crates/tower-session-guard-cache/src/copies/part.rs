//! [`Part`]: a part of the copies, behind one lock.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use tower_session_guard::{
    Record, SessionId, Timestamp,
    store::{Revision, Stored},
};

/// What an entry takes besides the bytes of its record, as measured with a million entries.
pub(super) const ENTRY_LEN: usize = 200;

/// How many entries that were used get a second chance before one goes all the same: bounded work under a lock.
const SECOND_CHANCES: usize = 16;

/// Copies of records, and how often any was forgotten.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
pub(super) struct Part {
    generation: u64,
    at: HashMap<SessionId, usize, BuildHasherDefault<IdHasher>>,
    /// In no order. The hand goes round in it.
    slots: Vec<Slot>,
    hand: usize,
    /// Of the records.
    record_bytes: usize,
    max_entries: usize,
    max_bytes: usize,
}

/// A record is kept encoded, in a third of its size.
#[derive(Debug)]
struct Slot {
    id: SessionId,
    bytes: Box<[u8]>,
    revision: Revision,
    expires_at: Timestamp,
    was_used: AtomicBool,
}

impl Part {
    pub(super) fn new(max_entries: usize, max_bytes: usize) -> Self {
        Self {
            generation: 0,
            at: HashMap::default(),
            slots: Vec::new(),
            hand: 0,
            record_bytes: 0,
            max_entries,
            max_bytes,
        }
    }

    pub(super) const fn generation(&self) -> u64 {
        self.generation
    }

    pub(super) const fn entries(&self) -> usize {
        self.slots.len()
    }

    pub(super) const fn bytes(&self) -> usize {
        self.record_bytes + self.slots.len() * ENTRY_LEN
    }

    pub(super) fn get(&self, id: &SessionId, now: Timestamp) -> Option<Stored> {
        let slot = &self.slots[*self.at.get(id)?];
        if now >= slot.expires_at {
            return None;
        }
        // A store to a line that other threads read is worth a look first.
        if !slot.was_used.load(Relaxed) {
            slot.was_used.store(true, Relaxed);
        }
        let record = Record::decode(&slot.bytes).ok()?;
        Some(Stored::new(record, slot.revision))
    }

    pub(super) fn revision(&self, id: &SessionId) -> Option<Revision> {
        let slot = &self.slots[*self.at.get(id)?];
        Some(slot.revision)
    }

    /// Keeps a copy, in the place of others if need be. False if it is too large for that.
    pub(super) fn put(
        &mut self,
        id: &SessionId,
        bytes: Vec<u8>,
        revision: Revision,
        expires_at: Timestamp,
    ) -> bool {
        self.take(id);
        let len = bytes.len() + ENTRY_LEN;
        if self.max_entries == 0 || len > self.max_bytes {
            return false;
        }
        while self.slots.len() >= self.max_entries || self.bytes() + len > self.max_bytes {
            self.evict();
        }
        self.record_bytes += bytes.len();
        self.at.insert(*id, self.slots.len());
        self.slots.push(Slot {
            id: *id,
            bytes: bytes.into(),
            revision,
            expires_at,
            was_used: AtomicBool::new(false),
        });
        true
    }

    pub(super) fn forget(&mut self, id: &SessionId) {
        self.generation += 1;
        self.take(id);
    }

    /// Gives the room back as well.
    pub(super) fn forget_all(&mut self) {
        self.generation += 1;
        self.at = HashMap::default();
        self.slots = Vec::new();
        self.hand = 0;
        self.record_bytes = 0;
    }

    fn take(&mut self, id: &SessionId) {
        let Some(at) = self.at.remove(id) else {
            return;
        };
        let slot = self.slots.swap_remove(at);
        self.record_bytes -= slot.bytes.len();
        if let Some(moved) = self.slots.get(at) {
            self.at.insert(moved.id, at);
        }
    }

    /// Takes the next entry that was not used since the hand came by.
    fn evict(&mut self) {
        for _ in 0..SECOND_CHANCES {
            if self.hand >= self.slots.len() {
                self.hand = 0;
            }
            let Some(slot) = self.slots.get_mut(self.hand) else {
                return;
            };
            if !std::mem::take(slot.was_used.get_mut()) {
                break;
            }
            self.hand += 1;
        }
        if self.hand >= self.slots.len() {
            self.hand = 0;
        }
        if let Some(id) = self.slots.get(self.hand).map(|slot| slot.id) {
            self.take(&id);
        }
    }
}

#[cfg(test)]
impl Clone for Slot {
    fn clone(&self) -> Self {
        Self {
            id: self.id,
            bytes: self.bytes.clone(),
            revision: self.revision,
            expires_at: self.expires_at,
            was_used: AtomicBool::new(self.was_used.load(Relaxed)),
        }
    }
}

/// Hashes ids, which are random bits that no client chooses, so no key is needed: two multiplications.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        debug_assert!(rest.is_empty(), "an id is two words");
        for word in words {
            let mixed = u64::from_le_bytes(*word) ^ self.0 ^ 0x9E37_79B9_7F4A_7C15;
            let product = u128::from(mixed) * 0xD6E8_FEB8_6659_FD93;
            self.0 = (product as u64) ^ ((product >> 64) as u64);
        }
    }

    #[inline]
    fn write_usize(&mut self, _: usize) {
        // The length of an id: always the same.
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}
