//! [`Expiry`]: when entries may be forgotten.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{session::time::Timestamp, store::Cutoff};

/// How many entries one write drops: more than it adds.
const DROPPED_PER_WRITE: usize = 4;

/// Keys in the order in which their entries may be forgotten.
#[derive(Debug)]
pub(super) struct Expiry<K>(Mutex<BTreeSet<(Timestamp, K)>>);

impl<K> Expiry<K>
where
    K: Clone + Ord,
{
    pub(super) const fn new() -> Self {
        Self(Mutex::new(BTreeSet::new()))
    }

    /// Notes that an entry stays until `until`, and no longer until what was noted `before`.
    pub(super) fn note(&self, key: &K, before: Option<Timestamp>, until: Timestamp) {
        let mut order = self.order();
        if let Some(before) = before {
            order.remove(&(before, key.clone()));
        }
        order.insert((until, key.clone()));
    }

    /// Takes a few keys whose entries may be forgotten at `now`.
    pub(super) fn pop(&self, now: Timestamp) -> [Option<K>; DROPPED_PER_WRITE] {
        let mut order = self.order();
        std::array::from_fn(|_| {
            let (until, _) = order.first()?;
            if now < until.after(Cutoff::SLACK) {
                return None;
            }
            order.pop_first().map(|(_, key)| key)
        })
    }

    fn order(&self) -> MutexGuard<'_, BTreeSet<(Timestamp, K)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
