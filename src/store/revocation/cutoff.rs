//! [`Cutoffs`]: for an owner or a tag, the moment up to which everything issued has ended.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::atomic::{
        AtomicUsize,
        Ordering::{Acquire, Relaxed, Release},
    },
};

use super::expiry::Expiry;
use crate::{
    session::{id::SessionId, index::IndexKey, time::Timestamp},
    store::{Cutoff, shards::Shards},
};

/// The cut-offs. Methods that write are called under the list's own lock, one at a time.
#[derive(Debug)]
pub(super) struct Cutoffs {
    /// Keyed, since users may choose their subject.
    hasher: RandomState,
    by_key: Shards<HashMap<IndexKey, Entry>>,
    /// Counted before an entry is written, so that a reader who sees 0 misses none.
    len: AtomicUsize,
    expiry: Expiry<IndexKey>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    cutoff: Cutoff,
    /// The session that asked for it, which goes on.
    spared: Option<SessionId>,
}

impl Cutoffs {
    pub(super) fn new() -> Self {
        Self {
            hasher: RandomState::new(),
            by_key: Shards::new(),
            len: AtomicUsize::new(0),
            expiry: Expiry::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len.load(Acquire)
    }

    pub(super) fn of(&self, key: &IndexKey) -> Option<Cutoff> {
        self.find(key).map(|entry| entry.cutoff)
    }

    /// Whether a token of this family, issued at `issued_at`, has ended with everything of a key.
    pub(super) fn ends(&self, key: &IndexKey, family: &SessionId, issued_at: Timestamp) -> bool {
        let entry = self.find(key);
        entry.is_some_and(|entry| issued_at <= entry.cutoff.at && entry.spared != Some(*family))
    }

    /// Raises a key's cut-off, never back, and spares one session alone.
    pub(super) fn raise(&self, key: &IndexKey, cutoff: &Cutoff, spared: Option<SessionId>) {
        let before = self.find(key).map(|entry| entry.cutoff);
        let raised = before.map_or(*cutoff, |before| before.raised_by(cutoff));
        let entry = Entry {
            cutoff: raised,
            spared,
        };
        if before.is_none() {
            self.len.fetch_add(1, Release);
        }
        let mut part = self.by_key.write(self.hasher.hash_one(key));
        part.insert(key.clone(), entry);
        drop(part);
        let before = before.map(|before| before.until);
        self.expiry.note(key, before, raised.until);
    }

    pub(super) fn clear_away(&self, now: Timestamp) {
        for key in self.expiry.pop(now).into_iter().flatten() {
            let mut part = self.by_key.write(self.hasher.hash_one(&key));
            if part.remove(&key).is_some() {
                self.len.fetch_sub(1, Relaxed);
            }
        }
    }

    fn find(&self, key: &IndexKey) -> Option<Entry> {
        if self.len() == 0 {
            return None;
        }
        let part = self.by_key.read(self.hasher.hash_one(key));
        part.get(key).copied()
    }
}
