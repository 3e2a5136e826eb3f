//! [`Counted`]: a list of ended tokens that counts what it is asked for.

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll, Waker},
};

use tower_session_guard::{
    SessionId, Timestamp,
    store::{
        Admitted, Cutoff, IndexKey, StoreFuture,
        revocation::{
            Ending, IssuedToken, MemoryRevocations, Replacement, RevocationList, Standing,
        },
    },
};

/// A shared list that counts how often it is asked for a token, and how often somebody waits until its endings hold.
#[derive(Clone, Debug, Default)]
pub struct Counted {
    pub list: MemoryRevocations,
    pub asked: Arc<AtomicUsize>,
    pub waits: Arc<AtomicUsize>,
    /// Whether it knows at once of every token that is its session's own.
    pub has_copy: bool,
}

impl RevocationList for Counted {
    fn standing<'a>(&'a self, token: IssuedToken<'a>, now: Timestamp) -> StoreFuture<'a, Standing> {
        self.asked.fetch_add(1, SeqCst);
        self.list.standing(token, now)
    }

    fn ending<'a>(
        &'a self,
        token: IssuedToken<'a>,
        now: Timestamp,
    ) -> StoreFuture<'a, Option<Ending>> {
        self.list.ending(token, now)
    }

    fn try_standing(&self, token: IssuedToken<'_>, now: Timestamp) -> Option<Standing> {
        if !self.has_copy {
            return None;
        }
        let mut standing = pin!(self.list.standing(token, now));
        let mut context = Context::from_waker(Waker::noop());
        match standing.as_mut().poll(&mut context) {
            Poll::Ready(Ok(Standing::Current)) => Some(Standing::Current),
            _ => None,
        }
    }

    fn may_reissue<'a>(&'a self, token: IssuedToken<'a>, now: Timestamp) -> StoreFuture<'a, bool> {
        self.list.may_reissue(token, now)
    }

    fn end<'a>(
        &'a self,
        family: &'a SessionId,
        how: Ending,
        until: Timestamp,
        now: Timestamp,
    ) -> StoreFuture<'a, bool> {
        self.list.end(family, how, until, now)
    }

    fn replace<'a>(
        &'a self,
        token: IssuedToken<'a>,
        successor: SessionId,
        how: Replacement,
        until: Timestamp,
        now: Timestamp,
    ) -> StoreFuture<'a, Option<Timestamp>> {
        self.list.replace(token, successor, how, until, now)
    }

    fn end_all<'a>(
        &'a self,
        key: &'a IndexKey,
        cutoff: &'a Cutoff,
        now: Timestamp,
    ) -> StoreFuture<'a, ()> {
        self.list.end_all(key, cutoff, now)
    }

    fn end_others<'a>(
        &'a self,
        keep: IssuedToken<'a>,
        key: &'a IndexKey,
        cutoff: &'a Cutoff,
        now: Timestamp,
    ) -> StoreFuture<'a, bool> {
        self.list.end_others(keep, key, cutoff, now)
    }

    fn issue<'a>(
        &'a self,
        keys: &'a [IndexKey],
        admitted: &'a Admitted,
        now: Timestamp,
    ) -> StoreFuture<'a, Option<Timestamp>> {
        self.list.issue(keys, admitted, now)
    }

    fn endings_hold(&self) -> Option<StoreFuture<'_, ()>> {
        Some(Box::pin(async {
            self.waits.fetch_add(1, SeqCst);
            Ok(())
        }))
    }
}
