//! [`Index`]: which ids are listed under a key, and how many of them count.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crossbeam_utils::CachePadded;

use super::super::{Counting, Created, Revision, shards};
use crate::session::id::SessionId;

/// Half a SHA-256 digest of a key: what the index and the table keep of it, however long the key is.
pub(super) type KeyDigest = [u8; 16];

/// A sorted map from keys' digests and ids.
#[derive(Debug)]
pub(super) struct Index {
    parts: Box<[CachePadded<Mutex<Part>>]>,
}

/// One part: almost nobody only reads it.
#[derive(Debug, Default)]
struct Part {
    entries: BTreeMap<(KeyDigest, SessionId), Counting>,
    counted: HashMap<KeyDigest, usize>,
}

impl Index {
    pub(super) fn new() -> Self {
        Self {
            parts: (0..shards::COUNT).map(|_| CachePadded::default()).collect(),
        }
    }

    fn part(&self, key: &KeyDigest) -> MutexGuard<'_, Part> {
        self.part_at(position(key))
    }

    fn part_at(&self, position: usize) -> MutexGuard<'_, Part> {
        // The only thing under the lock that may panic, a caller's closure, comes before any change.
        let part = self.parts[position].lock();
        part.unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a record's entries together with the record: nobody sees one without the other.
    ///
    /// The creation tells how many sessions under the first key count by then. `None` from `insert` means that
    /// the id is taken.
    pub(super) fn insert_with(
        &self,
        keys: &[KeyDigest],
        id: &SessionId,
        counting: Counting,
        insert: impl FnOnce() -> Option<Revision>,
    ) -> Created {
        // Most sessions have one owner and no tags.
        if let [key] = keys {
            let mut part = self.part(key);
            return insert().map_or(Created::Occupied, |revision| Created::Created {
                revision,
                sessions: part.insert((*key, *id), counting),
            });
        }
        let mut positions: Vec<_> = keys.iter().map(position).collect();
        positions.sort_unstable();
        positions.dedup();
        // In ascending order, so that two creations never wait for each other.
        let mut parts: Vec<_> = positions
            .iter()
            .map(|at| (*at, self.part_at(*at)))
            .collect();
        let Some(revision) = insert() else {
            return Created::Occupied;
        };
        let mut counts = keys.iter().map(|key| {
            let at = position(key);
            let part = parts.iter_mut().find(|(position, _)| *position == at);
            part.map_or(0, |(_, part)| part.insert((*key, *id), counting))
        });
        let sessions = counts.next().unwrap_or_default();
        counts.for_each(drop);
        Created::Created { revision, sessions }
    }

    /// Takes an entry away, unless its record is there.
    pub(super) fn remove_unless(
        &self,
        key: &KeyDigest,
        id: &SessionId,
        is_there: impl FnOnce() -> bool,
    ) {
        let mut part = self.part(key);
        if !is_there() {
            part.remove(&(*key, *id));
        }
    }

    /// At most `limit` of the ids under a key that come after `after`, in order.
    pub(super) fn page(
        &self,
        key: &KeyDigest,
        after: Option<SessionId>,
        limit: usize,
    ) -> Vec<(SessionId, Counting)> {
        let from = match after {
            Some(id) => Bound::Excluded((*key, id)),
            None => Bound::Included((*key, SessionId::from_bytes([0; SessionId::LEN]))),
        };
        let last = SessionId::from_bytes([0xFF; SessionId::LEN]);
        let part = self.part(key);
        let entries = part.entries.range((from, Bound::Included((*key, last))));
        let entries = entries.map(|((_, id), counting)| (*id, *counting));
        entries.take(limit).collect()
    }
}

/// Which part: digests are evenly spread.
const fn position(key: &KeyDigest) -> usize {
    key[0] as usize % shards::COUNT
}

impl Part {
    /// Adds an entry, and tells how many under its key count by then.
    fn insert(&mut self, entry: (KeyDigest, SessionId), counting: Counting) -> usize {
        let is_new = self.entries.insert(entry, counting).is_none();
        if !is_new || counting != Counting::Counted {
            return self.counted.get(&entry.0).copied().unwrap_or_default();
        }
        let count = self.counted.entry(entry.0).or_default();
        *count += 1;
        *count
    }

    fn remove(&mut self, entry: &(KeyDigest, SessionId)) {
        if self.entries.remove(entry) == Some(Counting::Counted)
            && let Some(count) = self.counted.get_mut(&entry.0)
        {
            *count -= 1;
            if *count == 0 {
                self.counted.remove(&entry.0);
            }
        }
    }
}
