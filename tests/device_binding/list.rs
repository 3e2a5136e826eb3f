//! [`Watched`]: a shared list of ended tokens of which a test holds a call up, or lets calls fail.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU32, Ordering::SeqCst},
};

use tower_session_guard::{
    SessionId, Timestamp,
    store::{
        Admitted, Cutoff, IndexKey, StoreError, StoreFuture,
        revocation::{
            Ending, IssuedToken, MemoryRevocations, Replacement, RevocationList, Standing,
        },
    },
};

use super::common::Stop;

/// What a list is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Standing,
    MayReissue,
    Replace,
}

/// A list in memory, which answers later.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watched {
    list: MemoryRevocations,
    held: Arc<Mutex<Option<Call>>>,
    failing: Arc<Mutex<Option<Call>>>,
    calls: Arc<AtomicU32>,
    /// Where the call stops.
    pub(crate) stop: Stop,
}

impl Watched {
    pub(crate) fn of(list: MemoryRevocations) -> Self {
        Self {
            list,
            ..Self::default()
        }
    }

    /// Stops the next such call, before anything of it is done.
    pub(crate) fn hold(&self, call: Call) {
        *self.held.lock().unwrap() = Some(call);
    }

    /// Lets the next such call fail.
    pub(crate) fn fail(&self, call: Call) {
        *self.failing.lock().unwrap() = Some(call);
    }

    /// How often it was asked for anything.
    pub(crate) fn calls(&self) -> u32 {
        self.calls.load(SeqCst)
    }

    fn call<'a, T>(&'a self, call: Option<Call>, answer: StoreFuture<'a, T>) -> StoreFuture<'a, T>
    where
        T: Send + 'a,
    {
        Box::pin(async move {
            self.calls.fetch_add(1, SeqCst);
            let is_due = |next: &Mutex<Option<Call>>| {
                next.lock()
                    .unwrap()
                    .take_if(|next| Some(*next) == call)
                    .is_some()
            };
            if is_due(&self.held) {
                self.stop.here().await;
            }
            if is_due(&self.failing) {
                return Err(StoreError::unavailable("on purpose"));
            }
            answer.await
        })
    }
}

impl RevocationList for Watched {
    fn standing<'a>(&'a self, token: IssuedToken<'a>, now: Timestamp) -> StoreFuture<'a, Standing> {
        self.call(Some(Call::Standing), self.list.standing(token, now))
    }

    fn ending<'a>(
        &'a self,
        token: IssuedToken<'a>,
        now: Timestamp,
    ) -> StoreFuture<'a, Option<Ending>> {
        self.call(None, self.list.ending(token, now))
    }

    fn may_reissue<'a>(&'a self, token: IssuedToken<'a>, now: Timestamp) -> StoreFuture<'a, bool> {
        self.call(Some(Call::MayReissue), self.list.may_reissue(token, now))
    }

    fn end<'a>(
        &'a self,
        family: &'a SessionId,
        how: Ending,
        until: Timestamp,
        now: Timestamp,
    ) -> StoreFuture<'a, bool> {
        self.call(None, self.list.end(family, how, until, now))
    }

    fn replace<'a>(
        &'a self,
        token: IssuedToken<'a>,
        successor: SessionId,
        how: Replacement,
        until: Timestamp,
        now: Timestamp,
    ) -> StoreFuture<'a, Option<Timestamp>> {
        let call = self.list.replace(token, successor, how, until, now);
        self.call(Some(Call::Replace), call)
    }

    fn end_all<'a>(
        &'a self,
        key: &'a IndexKey,
        cutoff: &'a Cutoff,
        now: Timestamp,
    ) -> StoreFuture<'a, ()> {
        self.call(None, self.list.end_all(key, cutoff, now))
    }

    fn end_others<'a>(
        &'a self,
        keep: IssuedToken<'a>,
        key: &'a IndexKey,
        cutoff: &'a Cutoff,
        now: Timestamp,
    ) -> StoreFuture<'a, bool> {
        self.call(None, self.list.end_others(keep, key, cutoff, now))
    }

    fn issue<'a>(
        &'a self,
        keys: &'a [IndexKey],
        admitted: &'a Admitted,
        now: Timestamp,
    ) -> StoreFuture<'a, Option<Timestamp>> {
        self.call(None, self.list.issue(keys, admitted, now))
    }
}
