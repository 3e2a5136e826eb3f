//! [`InFlight`]: the requests under way in which a self-contained token is due to leave again though nobody asked
//! for it, so that none of them carries older data over a newer write.
//!
//! Such a token holds the session as it was when its request came. A write of this process that settles meanwhile is
//! noted here, and the token stays in. Writes of other processes are not seen.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
};

use crate::session::id::SessionId;

/// Of how many sessions requests may be under way at a time: about 200 KiB.
const MAX_FAMILIES: usize = 4096;

/// The requests under way, by the family of their session.
///
/// Only a request in which something is due enters, and a write looks for its session only while there is one.
#[derive(Debug)]
pub(crate) struct InFlight {
    families: Mutex<HashMap<SessionId, Family>>,
    /// How many families there are.
    count: AtomicUsize,
    max: usize,
    /// A rule that the checked model breaks on purpose.
    #[cfg(test)]
    is_deaf: bool,
}

/// The requests of one session.
#[derive(Debug)]
struct Family {
    requests: usize,
    /// How many writes settled since the first of them came.
    writes: u64,
    /// How many of them are about to replace the token.
    renewals: usize,
}

/// A request under way; dropped, it is done.
#[derive(Debug)]
pub(crate) struct Ticket {
    table: Arc<InFlight>,
    family: SessionId,
    /// How many writes there were when the request came.
    writes: u64,
    renews: AtomicBool,
}

impl InFlight {
    pub(crate) fn new() -> Self {
        Self {
            families: Mutex::default(),
            count: AtomicUsize::new(0),
            max: MAX_FAMILIES,
            #[cfg(test)]
            is_deaf: false,
        }
    }

    /// A table that hears of no write.
    #[cfg(test)]
    pub(crate) fn deaf() -> Self {
        Self {
            is_deaf: true,
            ..Self::new()
        }
    }

    /// Enters a request of this family; none if the table is full, and then nothing may leave unasked.
    pub(crate) fn enter(self: &Arc<Self>, family: &SessionId) -> Option<Ticket> {
        let mut families = self.families();
        let is_full = families.len() >= self.max;
        let writes = match families.entry(*family) {
            Entry::Occupied(mut found) => {
                let found = found.get_mut();
                found.requests += 1;
                found.writes
            }
            Entry::Vacant(_) if is_full => return None,
            Entry::Vacant(none) => {
                none.insert(Family {
                    requests: 1,
                    writes: 0,
                    renewals: 0,
                });
                0
            }
        };
        self.count.store(families.len(), SeqCst);
        Some(Ticket {
            table: Arc::clone(self),
            family: *family,
            writes,
            renews: AtomicBool::new(false),
        })
    }

    /// Notes that a session of this family is written. False if a request is about to replace its token without being
    /// asked to: that comes first, as if it had replaced it already.
    pub(crate) fn note_write(&self, family: &SessionId) -> bool {
        #[cfg(test)]
        if self.is_deaf {
            return true;
        }
        if self.count.load(SeqCst) == 0 {
            return true;
        }
        match self.families().get_mut(family) {
            Some(found) => {
                found.writes += 1;
                found.renewals == 0
            }
            None => true,
        }
    }

    fn families(&self) -> MutexGuard<'_, HashMap<SessionId, Family>> {
        // Nothing that may panic runs under the lock.
        self.families.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    /// Whether it is of a session of this family.
    pub(crate) fn is_of(&self, family: &SessionId) -> bool {
        self.family == *family
    }

    /// Whether the session was written since the request came.
    pub(crate) fn is_outdated(&self) -> bool {
        let families = self.table.families();
        let writes = families.get(&self.family).map(|family| family.writes);
        writes != Some(self.writes)
    }

    /// Says that the request is about to replace the session's token, unless the session was written since it came.
    pub(crate) fn claim_renewal(&self) -> bool {
        let mut families = self.table.families();
        let family = families.get_mut(&self.family);
        let Some(family) = family.filter(|family| family.writes == self.writes) else {
            return false;
        };
        if !self.renews.swap(true, SeqCst) {
            family.renewals += 1;
        }
        true
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut families = self.table.families();
        if let Entry::Occupied(mut found) = families.entry(self.family) {
            let family = found.get_mut();
            family.requests -= 1;
            family.renewals -= usize::from(self.renews.load(SeqCst));
            if family.requests == 0 {
                found.remove();
            }
        }
        self.table.count.store(families.len(), SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::InFlight;
    use crate::session::id::SessionId;

    const fn family(number: u8) -> SessionId {
        SessionId::from_bytes([number; 16])
    }

    /// R77: what was written since a request came keeps its token in; what was written before does not.
    #[test]
    fn a_write_outdates_the_requests_of_its_family_that_are_under_way() {
        let table = Arc::new(InFlight::new());
        assert!(table.note_write(&family(1)));
        let early = table.enter(&family(1)).unwrap();
        let other = table.enter(&family(2)).unwrap();
        assert!(!early.is_outdated());
        assert!(table.note_write(&family(1)));
        let late = table.enter(&family(1)).unwrap();
        assert!(early.is_outdated());
        assert!(!late.is_outdated() && !other.is_outdated());
        drop(early);
        assert!(!late.is_outdated());
        drop((late, other));
        assert!(table.families().is_empty());
        assert_eq!(table.count.load(super::SeqCst), 0);
    }

    /// R77: of a renewal and a write at the same time one comes first, and the other hears of it.
    #[test]
    fn a_renewal_and_a_write_at_the_same_time_hear_of_each_other() {
        let table = Arc::new(InFlight::new());
        let first = table.enter(&family(1)).unwrap();
        assert!(first.claim_renewal() && first.claim_renewal());
        assert!(!table.note_write(&family(1)));
        assert!(table.note_write(&family(2)));
        let second = table.enter(&family(1)).unwrap();
        drop(first);
        assert!(table.note_write(&family(1)));
        assert!(!second.claim_renewal());
    }

    #[test]
    fn a_full_table_gives_no_ticket_but_of_a_family_that_is_in_it() {
        let table = Arc::new(InFlight {
            max: 2,
            ..InFlight::new()
        });
        let [one, two] = [1, 2].map(|number| table.enter(&family(number)).unwrap());
        assert!(table.enter(&family(3)).is_none());
        assert!(table.enter(&family(1)).is_some());
        drop((one, two));
        assert!(table.enter(&family(3)).is_some());
    }
}
