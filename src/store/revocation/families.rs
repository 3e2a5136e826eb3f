//! [`Families`]: what became of the sessions whose tokens changed.

use std::{
    collections::HashMap,
    sync::atomic::{
        AtomicUsize,
        Ordering::{Acquire, Relaxed, Release},
    },
};

use super::{Ending, Replacement, Standing, expiry::Expiry};
use crate::{
    session::{id::SessionId, succession::Succession, time::Timestamp},
    store::shards::{BuildIdHasher, Shards, hash_of},
};

/// One entry for each session that ended or whose token was replaced, under the id of its first token. Its size is
/// bounded, however often the token was replaced, and nothing follows a chain.
///
/// Methods that write are called under the list's own lock, one at a time.
#[derive(Debug)]
pub(super) struct Families {
    by_id: Shards<HashMap<SessionId, Entry, BuildIdHasher>>,
    /// Counted before an entry is written, so that a reader who sees 0 misses none.
    len: AtomicUsize,
    expiry: Expiry<SessionId>,
}

#[derive(Debug)]
struct Entry {
    fate: Fate,
    /// When the session ends at the latest.
    until: Timestamp,
}

#[derive(Clone, Debug)]
enum Fate {
    Over(Ending),
    /// It goes on, under the succession's current token.
    Lives(Box<Succession<SessionId>>),
}

impl Families {
    pub(super) fn new() -> Self {
        Self {
            by_id: Shards::new(),
            len: AtomicUsize::new(0),
            expiry: Expiry::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len.load(Acquire)
    }

    /// Whether there is an entry, so that a write takes no more room.
    pub(super) fn has(&self, family: &SessionId) -> bool {
        self.look(family, |entry| entry.is_some())
    }

    /// What a token of a family is worth.
    pub(super) fn standing(&self, family: &SessionId, id: &SessionId, now: Timestamp) -> Standing {
        self.look(family, |entry| match entry.map(|entry| &entry.fate) {
            None => Standing::Current,
            Some(Fate::Over(Ending::Ended)) => Standing::Ended,
            Some(Fate::Over(Ending::Superseded)) => Standing::Superseded,
            Some(Fate::Lives(succession)) => succession.standing_of(id, now),
        })
    }

    /// How a session ended; `None` while it goes on.
    pub(super) fn ending(&self, family: &SessionId) -> Option<Ending> {
        self.look(family, |entry| match entry?.fate {
            Fate::Over(how) => Some(how),
            Fate::Lives(_) => None,
        })
    }

    /// Ends a session, whatever its token is by now; false if it had ended.
    pub(super) fn end(&self, family: &SessionId, how: Ending, until: Timestamp) -> bool {
        let is_over = self.ending(family).is_some();
        if !is_over {
            self.put(family, Fate::Over(how), until);
        }
        !is_over
    }

    /// Puts `successor` in the place of a token that opens the session; false if it does not.
    ///
    /// A renewal and a binding take the present token, a change of privilege also one in its grace time.
    pub(super) fn replace(
        &self,
        family: &SessionId,
        id: &SessionId,
        successor: SessionId,
        how: Replacement,
        until: Timestamp,
        now: Timestamp,
    ) -> bool {
        let before = self.look(family, |entry| entry.map(|entry| entry.fate.clone()));
        let mut succession = match before {
            None => Box::new(Succession::new(*id)),
            Some(Fate::Lives(succession)) => succession,
            Some(Fate::Over(_)) => return false,
        };
        let standing = succession.standing_of(id, now);
        let may = match how {
            Replacement::Elevated => matches!(standing, Standing::Current | Standing::Grace),
            Replacement::Renewed { .. } | Replacement::Bound { .. } => {
                standing == Standing::Current
            }
        };
        // Ids come from the random source and never repeat; a token is never its own successor all the same.
        if !may || succession.current == successor || *id == successor {
            return false;
        }
        match how {
            Replacement::Elevated => succession.supersede(successor, now),
            Replacement::Renewed { grace_until } => succession.renew(successor, now, grace_until),
            Replacement::Bound { crossing_until } => {
                succession.bind(successor, now, crossing_until);
            }
        }
        self.put(family, Fate::Lives(succession), until);
        true
    }

    pub(super) fn clear_away(&self, now: Timestamp) {
        for id in self.expiry.pop(now).into_iter().flatten() {
            if self.by_id.write(hash_of(&id)).remove(&id).is_some() {
                self.len.fetch_sub(1, Relaxed);
            }
        }
    }

    fn look<R>(&self, family: &SessionId, look: impl FnOnce(Option<&Entry>) -> R) -> R {
        if self.len() == 0 {
            return look(None);
        }
        look(self.by_id.read(hash_of(family)).get(family))
    }

    fn put(&self, family: &SessionId, fate: Fate, until: Timestamp) {
        let before = self.look(family, |entry| entry.map(|entry| entry.until));
        let until = before.map_or(until, |before| until.max(before));
        if before.is_none() {
            self.len.fetch_add(1, Release);
        }
        let entry = Entry { fate, until };
        self.by_id.write(hash_of(family)).insert(*family, entry);
        self.expiry.note(family, before, until);
    }
}
