//! [`Cutoffs`]: the cut-offs that this process remembers.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::Cutoff;
use crate::session::{index::IndexKey, time::Timestamp};

/// How many cut-offs whose time is over one write clears away: more than it adds.
const CLEARED_PER_WRITE: usize = 2;

/// The cut-offs of owners and tags, each until its time is over.
#[derive(Default)]
pub(super) struct Cutoffs(Mutex<Held>);

#[derive(Default)]
struct Held {
    by_key: HashMap<IndexKey, Cutoff>,
    by_end: BTreeSet<(Timestamp, IndexKey)>,
}

impl Cutoffs {
    /// Raises the cut-off of a key, and never lowers it.
    pub(super) fn raise(&self, key: &IndexKey, cutoff: &Cutoff, now: Timestamp) {
        let mut held = self.held();
        held.clear_away(now);
        let before = held.by_key.get(key).copied();
        let raised = before.map_or(*cutoff, |before| before.raised_by(cutoff));
        if let Some(before) = before {
            held.by_end.remove(&(before.until, key.clone()));
        }
        held.by_end.insert((raised.until, key.clone()));
        held.by_key.insert(key.clone(), raised);
    }

    /// The cut-off of a key, unless its time is over.
    pub(super) fn of(&self, key: &IndexKey, now: Timestamp) -> Option<Cutoff> {
        let cutoff = self.held().by_key.get(key).copied()?;
        (now < cutoff.until.after(Cutoff::SLACK)).then_some(cutoff)
    }

    pub(super) fn len(&self) -> usize {
        self.held().by_key.len()
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // Every entry is written whole, so a panic leaves none half-written.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn clear_away(&mut self, now: Timestamp) {
        for _ in 0..CLEARED_PER_WRITE {
            let Some((until, key)) = self.by_end.first() else {
                return;
            };
            if now < until.after(Cutoff::SLACK) {
                return;
            }
            self.by_key.remove(key);
            self.by_end.pop_first();
        }
    }
}

impl fmt::Debug for Cutoffs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cutoffs").field("len", &self.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Cutoffs;
    use crate::{
        session::{index::IndexKey, time::Timestamp},
        store::Cutoff,
    };

    const fn at(second: u64) -> Timestamp {
        Timestamp::from_unix_seconds(1_000_000 + second)
    }

    fn key(number: u32) -> IndexKey {
        IndexKey::owner("", &number.into())
    }

    /// S02: a cut-off is remembered until its own end, and a shorter one does not cut that short.
    #[test]
    fn a_cutoff_is_remembered_until_its_end_and_the_slack() {
        let cutoffs = Cutoffs::default();
        cutoffs.raise(&key(1), &Cutoff::new(at(0), at(100), [1; 16]), at(0));
        cutoffs.raise(&key(1), &Cutoff::new(at(5), at(50), [2; 16]), at(5));
        let held = Cutoff::new(at(5), at(100), [2; 16]);
        let end = at(100).after(Cutoff::SLACK);
        let before = Timestamp::from_unix_millis(end.as_unix_millis() - 1);
        assert_eq!(cutoffs.of(&key(1), before), Some(held));
        assert_eq!(cutoffs.of(&key(1), end), None);
        assert_eq!(cutoffs.of(&key(2), at(0)), None);
    }

    #[test]
    fn what_is_over_is_cleared_away_by_writes() {
        let cutoffs = Cutoffs::default();
        for number in 0..100 {
            cutoffs.raise(&key(number), &Cutoff::new(at(0), at(10), [0; 16]), at(0));
        }
        let late = at(10).after(Cutoff::SLACK);
        for number in 100..150 {
            let until = late.after(Duration::from_secs(9));
            cutoffs.raise(&key(number), &Cutoff::new(late, until, [0; 16]), late);
        }
        assert_eq!(cutoffs.len(), 50);
    }
}
