//! [`SubjectIndex`]: which ids a subject's records have.

use std::{
    collections::BTreeSet,
    hash::{BuildHasher, RandomState},
    ops::RangeInclusive,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crossbeam_utils::CachePadded;

use super::super::{Created, shards};
use crate::session::{authentication::Subject, id::SessionId};

const FIRST: SessionId = SessionId::from_bytes([0; SessionId::LEN]);
const LAST: SessionId = SessionId::from_bytes([0xFF; SessionId::LEN]);

/// A sorted set of subjects' hashes and ids: 24 bytes an entry, however long the subjects.
///
/// Hashes may collide, so an entry is a hint: whoever follows it compares the record's own subject. They
/// are keyed, since users may choose their subject.
#[derive(Debug)]
pub(super) struct SubjectIndex {
    hasher: RandomState,
    parts: Box<[Part]>,
}

/// One part: almost nobody only reads it.
#[derive(Debug, Default)]
struct Part(CachePadded<Mutex<BTreeSet<(u64, SessionId)>>>);

impl SubjectIndex {
    pub(super) fn new() -> Self {
        Self {
            hasher: RandomState::new(),
            parts: (0..shards::COUNT).map(|_| Part::default()).collect(),
        }
    }

    fn hash(&self, subject: &Subject) -> u64 {
        self.hasher.hash_one(subject)
    }

    fn part(&self, hash: u64) -> MutexGuard<'_, BTreeSet<(u64, SessionId)>> {
        let part = &self.parts[shards::position(hash)];
        // The only thing under the lock that may panic, a caller's closure, comes before any change.
        part.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an entry together with its record: nobody sees one without the other.
    pub(super) fn insert_with(
        &self,
        subject: &Subject,
        id: &SessionId,
        insert: impl FnOnce() -> Created,
    ) -> Created {
        let hash = self.hash(subject);
        let mut part = self.part(hash);
        let created = insert();
        if let Created::Created(_) = created {
            part.insert((hash, *id));
        }
        created
    }

    /// Takes an entry away, unless its record is there.
    pub(super) fn remove_unless(
        &self,
        subject: &Subject,
        id: &SessionId,
        is_there: impl FnOnce() -> bool,
    ) {
        let hash = self.hash(subject);
        let mut part = self.part(hash);
        if !is_there() {
            part.remove(&(hash, *id));
        }
    }

    pub(super) fn ids_of(&self, subject: &Subject) -> Vec<SessionId> {
        let hash = self.hash(subject);
        let part = self.part(hash);
        part.range(all_of(hash)).map(|(_, id)| *id).collect()
    }

    /// Takes away the entries for which `goes` says so, and says how many, while nobody can add one.
    pub(super) fn retain(
        &self,
        subject: &Subject,
        mut goes: impl FnMut(&SessionId) -> bool,
    ) -> usize {
        let hash = self.hash(subject);
        let mut part = self.part(hash);
        let mut gone: Vec<_> = part.range(all_of(hash)).copied().collect();
        gone.retain(|(_, id)| goes(id));
        for entry in &gone {
            part.remove(entry);
        }
        gone.len()
    }
}

fn all_of(hash: u64) -> RangeInclusive<(u64, SessionId)> {
    (hash, FIRST)..=(hash, LAST)
}
