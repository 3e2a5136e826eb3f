//! [`Index`]: which ids are listed under a key, and how many of them count.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Mutex, MutexGuard, PoisonError},
};

use crossbeam_utils::CachePadded;

use super::{
    super::{Counting, Created, Revision, shards},
    listed::Listed,
};
use crate::session::id::SessionId;

/// Half a SHA-256 digest of a key: what the index and the table keep of it, however long the key is.
pub(super) type KeyDigest = [u8; 16];

/// The ids under each key, by the key's digest.
#[derive(Debug)]
pub(super) struct Index {
    parts: Box<[CachePadded<Mutex<Part>>]>,
}

/// One part: almost nobody only reads it.
type Part = HashMap<KeyDigest, Listed>;

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
                sessions: insert_into(&mut part, key, id, counting),
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
            part.map_or(0, |(_, part)| insert_into(part, key, id, counting))
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
        if is_there() {
            return;
        }
        if let Entry::Occupied(mut listed) = part.entry(*key)
            && listed.get_mut().remove(id)
        {
            listed.remove();
        }
    }

    /// At most `limit` of the ids under a key that come after `after`, in order.
    pub(super) fn page(
        &self,
        key: &KeyDigest,
        after: Option<SessionId>,
        limit: usize,
    ) -> Vec<(SessionId, Counting)> {
        let part = self.part(key);
        let listed = part.get(key);
        listed.map_or_else(Vec::new, |listed| listed.page(after, limit))
    }
}

/// Which part: digests are evenly spread.
const fn position(key: &KeyDigest) -> usize {
    key[0] as usize % shards::COUNT
}

/// Adds an entry, and tells how many under its key count by then.
fn insert_into(part: &mut Part, key: &KeyDigest, id: &SessionId, counting: Counting) -> usize {
    match part.entry(*key) {
        Entry::Occupied(mut listed) => listed.get_mut().insert(id, counting),
        Entry::Vacant(none) => none.insert(Listed::One(*id, counting)).counted(),
    }
}
