//! [`Waiting`]: the sessions whose end somebody waits for, and what this process does to them.
//!
//! An ending is announced before the store is asked, so that a feed which tells of it first finds its cause here. It is
//! told after the store has answered, which wakes those who wait.

use std::{
    collections::{BTreeSet, HashMap, hash_map::Entry},
    future, mem, slice,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed, Ordering::SeqCst, fence},
    },
};

use tokio::sync::watch;

use crate::session::{ended::EndCause, id::SessionId, index::IndexKey, time::Timestamp};

/// The sessions whose end somebody waits for, by the id of their first token.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    /// How many sessions there are, so that where none is, nothing costs more than this.
    count: AtomicUsize,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    families: HashMap<SessionId, Family>,
    /// Which sessions are listed under which keys.
    under: BTreeSet<(IndexKey, SessionId)>,
}

#[derive(Debug)]
struct Family {
    keys: Vec<IndexKey>,
    waits: usize,
    fate: watch::Sender<Fate>,
}

/// What this process knows of a session.
#[derive(Clone, Copy, Debug, Default)]
struct Fate {
    /// Why it ended.
    over: Option<EndCause>,
    /// Why it has ended if it turns out to be gone: an ending of this process is under way.
    likely: Option<EndCause>,
    /// When its newest token was issued, as far as this process knows.
    seen: Timestamp,
}

impl Waiting {
    /// Begins a wait for the end of the session of this family, which is listed under `keys`.
    pub(crate) fn watch(
        self: &Arc<Self>,
        family: SessionId,
        keys: Vec<IndexKey>,
        seen: Timestamp,
    ) -> Watch {
        let mut table = self.table();
        let Table { families, under } = &mut *table;
        let fate = match families.entry(family) {
            Entry::Occupied(found) => {
                let found = found.into_mut();
                found.waits += 1;
                note_seen(&found.fate, seen);
                found.fate.subscribe()
            }
            Entry::Vacant(none) => {
                under.extend(keys.iter().map(|key| (key.clone(), family)));
                let fate = watch::Sender::new(Fate {
                    seen,
                    ..Fate::default()
                });
                let receiver = fate.subscribe();
                let waits = 1;
                none.insert(Family { keys, waits, fate });
                receiver
            }
        };
        self.count.store(families.len(), Relaxed);
        drop(table);
        // A wait is counted and then asks the store; an ending writes to the store and then reads the count. One of them
        // sees the other.
        fence(SeqCst);
        Watch {
            waiting: Arc::clone(self),
            family,
            fate,
        }
    }

    /// Says that the session of this family is about to end.
    pub(crate) fn ending(&self, family: &SessionId, cause: EndCause) -> Pending<'_> {
        if !self.is_idle() {
            self.change_each(&[*family], |fate| begin(fate, cause));
        }
        Pending {
            waiting: self,
            of: Of::Family(*family),
            cause,
        }
    }

    /// Says that every session under a key is about to end, but for one family's.
    pub(crate) fn ending_under(
        &self,
        key: &IndexKey,
        spared: Option<SessionId>,
        cause: EndCause,
    ) -> Pending<'_> {
        let mut begun = Vec::new();
        if !self.is_idle() {
            begun = self.under(key, spared);
            self.change_each(&begun, |fate| begin(fate, cause));
        }
        let key = key.clone();
        Pending {
            waiting: self,
            of: Of::Key { key, spared, begun },
            cause,
        }
    }

    /// Notes that a token of this family leaves that counts as issued at `seen`.
    #[inline]
    pub(crate) fn note_issue(&self, family: &SessionId, seen: Timestamp) {
        if self.count.load(Relaxed) > 0 {
            let table = self.table();
            if let Some(found) = table.families.get(family) {
                note_seen(&found.fate, seen);
            }
        }
    }

    /// Whether there is no wait, as of what was written before.
    fn is_idle(&self) -> bool {
        fence(SeqCst);
        self.count.load(Relaxed) == 0
    }

    /// Changes what is known of some sessions; those for which `change` says so are woken.
    fn change_each(&self, families: &[SessionId], change: impl Fn(&mut Fate) -> bool) {
        if families.is_empty() || self.count.load(Relaxed) == 0 {
            return;
        }
        let table = self.table();
        for family in families {
            if let Some(found) = table.families.get(family) {
                found.fate.send_if_modified(&change);
            }
        }
    }

    /// The sessions under a key, but for one family's.
    fn under(&self, key: &IndexKey, spared: Option<SessionId>) -> Vec<SessionId> {
        let first = (key.clone(), SessionId::from_bytes([0; SessionId::LEN]));
        let table = self.table();
        let under = table.under.range(first..);
        let families = under
            .take_while(|(listed, _)| listed == key)
            .map(|(_, family)| *family);
        families.filter(|family| Some(*family) != spared).collect()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // Nothing that may panic runs under the lock.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        let table = self.table();
        let empty = table.families.is_empty() && table.under.is_empty();
        assert_eq!(empty, self.count.load(Relaxed) == 0);
        empty
    }
}

/// Without a wake: nothing has ended yet.
fn begin(fate: &mut Fate, cause: EndCause) -> bool {
    fate.likely = Some(cause);
    false
}

fn note_seen(fate: &watch::Sender<Fate>, seen: Timestamp) {
    fate.send_if_modified(|fate| {
        fate.seen = fate.seen.max(seen);
        false
    });
}

/// Endings that are under way. Dropped, it is not known what became of them: those who wait ask.
#[must_use]
pub(crate) struct Pending<'a> {
    waiting: &'a Waiting,
    of: Of,
    cause: EndCause,
}

/// Which sessions are about to end.
enum Of {
    /// None any more.
    Nothing,
    Family(SessionId),
    Key {
        key: IndexKey,
        spared: Option<SessionId>,
        /// Those whose end somebody waited for when it began.
        begun: Vec<SessionId>,
    },
}

impl Of {
    fn families(&self) -> &[SessionId] {
        match self {
            Self::Nothing => &[],
            Self::Family(family) => slice::from_ref(family),
            Self::Key { begun, .. } => begun,
        }
    }
}

impl Pending<'_> {
    /// The sessions have ended.
    pub(crate) fn done(mut self) {
        let of = mem::replace(&mut self.of, Of::Nothing);
        if self.waiting.is_idle() {
            return;
        }
        let cause = self.cause;
        self.waiting.change_each(of.families(), |fate| {
            fate.over.get_or_insert(cause);
            true
        });
        if let Of::Key { key, spared, begun } = of {
            // A wait that began meanwhile may be for a session that had ended by then, or for that of a later login.
            let mut others = self.waiting.under(&key, spared);
            others.retain(|family| !begun.contains(family));
            self.waiting.change_each(&others, |_| true);
        }
    }

    /// Nothing has ended.
    pub(crate) fn withdraw(mut self) {
        let of = mem::replace(&mut self.of, Of::Nothing);
        self.waiting.change_each(of.families(), |fate| {
            fate.likely = None;
            false
        });
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.waiting.change_each(self.of.families(), |fate| {
            fate.likely = None;
            true
        });
    }
}

/// One wait for the end of a session. Dropped, it is over.
#[derive(Debug)]
pub(crate) struct Watch {
    waiting: Arc<Waiting>,
    family: SessionId,
    fate: watch::Receiver<Fate>,
}

impl Watch {
    /// Why this process ended the session, if it did.
    pub(super) fn over(&self) -> Option<EndCause> {
        self.fate.borrow().over
    }

    /// Why this process is about to end it.
    pub(super) fn likely(&self) -> Option<EndCause> {
        self.fate.borrow().likely
    }

    /// When the session's newest token was issued, as far as this process knows.
    pub(super) fn seen(&self) -> Timestamp {
        self.fate.borrow().seen
    }

    /// Waits until this process has ended the session, or may have.
    pub(super) async fn woken(&mut self) {
        if self.fate.changed().await.is_err() {
            // The table keeps the sender for as long as there is a wait.
            future::pending::<()>().await;
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut table = self.waiting.table();
        let Table { families, under } = &mut *table;
        if let Entry::Occupied(mut found) = families.entry(self.family) {
            found.get_mut().waits -= 1;
            if found.get().waits == 0 {
                for key in found.remove().keys {
                    under.remove(&(key, self.family));
                }
            }
        }
        self.waiting.count.store(families.len(), Relaxed);
    }
}
