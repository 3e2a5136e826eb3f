//! [`Retired`]: retired tokens by id, and what became of their sessions.

use std::{
    collections::HashMap,
    sync::atomic::{
        AtomicUsize,
        Ordering::{Acquire, Relaxed, Release},
    },
};

use super::{Retirement, Standing, expiry::Expiry};
use crate::{
    session::{id::SessionId, time::Timestamp},
    store::shards::{BuildIdHasher, Shards, hash_of},
};

/// The retired tokens. A session's tokens are a chain: each entry of a renewal or an elevation names its
/// successor, and the last of them, which has no entry, is the live one.
///
/// Methods that write are called under the list's own lock, one at a time.
#[derive(Debug)]
pub(super) struct Retired {
    by_id: Shards<HashMap<SessionId, Entry, BuildIdHasher>>,
    /// Counted before an entry is written, so that a reader who sees 0 misses none.
    len: AtomicUsize,
    expiry: Expiry<SessionId>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    how: Retirement,
    /// When it was retired, and when the session would have ended by itself.
    at: Timestamp,
    until: Timestamp,
}

impl Retired {
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

    pub(super) fn standing(&self, id: &SessionId, now: Timestamp) -> Standing {
        let Some(entry) = self.find(id) else {
            return Standing::Current;
        };
        match entry.how {
            Retirement::Ended => Standing::Ended,
            Retirement::Superseded | Retirement::Elevated { .. } => Standing::Superseded,
            Retirement::Renewed {
                successor,
                grace_until,
            } => match self.find(&successor) {
                Some(next) if next.how == Retirement::Ended => Standing::Ended,
                // The successor's own end cut the grace time short.
                Some(next) if next.at < grace_until => Standing::Superseded,
                None if now < grace_until => Standing::Grace,
                _ => Standing::Reused,
            },
        }
    }

    /// Ends the session of this token: its live token, whichever that is, is retired.
    pub(super) fn end_chain(
        &self,
        id: &SessionId,
        how: Retirement,
        until: Timestamp,
        now: Timestamp,
    ) -> bool {
        let mut id = *id;
        loop {
            match self.find(&id).map(|entry| entry.how) {
                None => {
                    self.put(&id, how, until, now);
                    return true;
                }
                Some(Retirement::Ended | Retirement::Superseded) => return false,
                Some(
                    Retirement::Elevated { successor } | Retirement::Renewed { successor, .. },
                ) => id = successor,
            }
        }
    }

    /// The token that a session has by now, of which this is one.
    pub(super) fn last_of(&self, id: &SessionId) -> SessionId {
        let mut id = *id;
        while let Some(Retirement::Elevated { successor } | Retirement::Renewed { successor, .. }) =
            self.find(&id).map(|entry| entry.how)
        {
            id = successor;
        }
        id
    }

    /// Puts `successor` in the place of a token that is good or in its grace time.
    pub(super) fn elevate(
        &self,
        id: &SessionId,
        successor: SessionId,
        until: Timestamp,
        now: Timestamp,
    ) -> bool {
        let how = Retirement::Elevated { successor };
        if !self.may_succeed(id, &successor) {
            return false;
        }
        match self.find(id).map(|entry| entry.how) {
            None => {}
            Some(Retirement::Renewed {
                successor: renewed, ..
            }) if self.standing(id, now) == Standing::Grace => {
                // First the one that a browser may hold by now: there are never two live tokens.
                self.put(&renewed, how, until, now);
            }
            Some(_) => return false,
        }
        self.put(id, how, until, now);
        true
    }

    /// Puts a successor in the place of a token that is good, with a grace time.
    pub(super) fn renew(
        &self,
        id: &SessionId,
        successor: SessionId,
        how: Retirement,
        until: Timestamp,
        now: Timestamp,
    ) -> bool {
        let may = self.find(id).is_none() && self.may_succeed(id, &successor);
        if may {
            self.put(id, how, until, now);
        }
        may
    }

    /// Ends the session of this token and marks all its later tokens, so that the next of them to be
    /// presented costs no walk.
    pub(super) fn end_family(&self, id: &SessionId, until: Timestamp, now: Timestamp) {
        let mut next = Some(*id);
        while let Some(id) = next {
            next = match self.find(&id).map(|entry| entry.how) {
                Some(
                    Retirement::Elevated { successor } | Retirement::Renewed { successor, .. },
                ) => Some(successor),
                // The session that a login put in its place is another one.
                Some(Retirement::Ended | Retirement::Superseded) => break,
                None => None,
            };
            self.put(&id, Retirement::Ended, until, now);
        }
    }

    pub(super) fn clear_away(&self, now: Timestamp) {
        for id in self.expiry.pop(now).into_iter().flatten() {
            if self.by_id.write(hash_of(&id)).remove(&id).is_some() {
                self.len.fetch_sub(1, Relaxed);
            }
        }
    }

    /// Whether a new id may take the place of `id`. It is always so for ids from the random source; a
    /// chain must have an end whatever ids it is made of.
    fn may_succeed(&self, id: &SessionId, successor: &SessionId) -> bool {
        id != successor && self.find(successor).is_none()
    }

    fn find(&self, id: &SessionId) -> Option<Entry> {
        if self.len() == 0 {
            return None;
        }
        self.by_id.read(hash_of(id)).get(id).copied()
    }

    fn put(&self, id: &SessionId, how: Retirement, until: Timestamp, at: Timestamp) {
        let before = self.find(id).map(|entry| entry.until);
        let until = before.map_or(until, |before| until.max(before));
        if before.is_none() {
            self.len.fetch_add(1, Release);
        }
        let entry = Entry { how, at, until };
        self.by_id.write(hash_of(id)).insert(*id, entry);
        self.expiry.note(id, before, until);
    }
}
