//! [`Cutoffs`]: for a subject, the moment up to which everything issued to them has ended.

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
    session::{authentication::Subject, id::SessionId, time::Timestamp},
    store::shards::Shards,
};

/// The cut-off moments. Methods that write are called under the list's own lock, one at a time.
#[derive(Debug)]
pub(super) struct Cutoffs {
    /// Keyed, since users may choose their subject.
    hasher: RandomState,
    by_subject: Shards<HashMap<Subject, Cutoff>>,
    /// Counted before an entry is written, so that a reader who sees 0 misses none.
    len: AtomicUsize,
    expiry: Expiry<Subject>,
}

#[derive(Clone, Copy, Debug)]
struct Cutoff {
    at: Timestamp,
    /// The session that asked for it, which goes on.
    spared: Option<SessionId>,
    /// When the last token issued until then expires.
    until: Timestamp,
}

impl Cutoffs {
    pub(super) fn new() -> Self {
        Self {
            hasher: RandomState::new(),
            by_subject: Shards::new(),
            len: AtomicUsize::new(0),
            expiry: Expiry::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len.load(Acquire)
    }

    pub(super) fn of(&self, subject: &Subject) -> Option<Timestamp> {
        self.find(subject).map(|cutoff| cutoff.at)
    }

    /// Whether the token of this id, issued to `subject` at `issued_at`, has ended.
    pub(super) fn ends(&self, subject: &Subject, id: &SessionId, issued_at: Timestamp) -> bool {
        let cutoff = self.find(subject);
        cutoff.is_some_and(|cutoff| issued_at <= cutoff.at && cutoff.spared != Some(*id))
    }

    /// Moves a subject's cut-off to `at`, never back, and spares one session alone.
    pub(super) fn raise(
        &self,
        subject: &Subject,
        at: Timestamp,
        spared: Option<SessionId>,
        until: Timestamp,
    ) {
        let before = self.find(subject);
        let raised = Cutoff {
            at: before.map_or(at, |before| at.max(before.at)),
            spared,
            until: before.map_or(until, |before| until.max(before.until)),
        };
        if before.is_none() {
            self.len.fetch_add(1, Release);
        }
        let mut part = self.by_subject.write(self.hasher.hash_one(subject));
        part.insert(subject.clone(), raised);
        drop(part);
        self.expiry
            .note(subject, before.map(|before| before.until), raised.until);
    }

    pub(super) fn clear_away(&self, now: Timestamp) {
        for subject in self.expiry.pop(now).into_iter().flatten() {
            let mut part = self.by_subject.write(self.hasher.hash_one(&subject));
            if part.remove(&subject).is_some() {
                self.len.fetch_sub(1, Relaxed);
            }
        }
    }

    fn find(&self, subject: &Subject) -> Option<Cutoff> {
        if self.len() == 0 {
            return None;
        }
        let part = self.by_subject.read(self.hasher.hash_one(subject));
        part.get(subject).copied()
    }
}
