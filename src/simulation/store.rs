//! [`Scripted`]: a store around another one, whose calls wait their turn and fail as planned.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll},
};

use crate::{
    session::{
        id::{SessionId, VerifiedId},
        record::Record,
        time::Timestamp,
    },
    store::{
        Counting, Created, Cursor, Cutoff, EndedPage, IndexKey, Page, Removed, Replaced, Revision,
        SessionStore, StoreError, StoreErrorKind, StoreFuture, Stored,
    },
};

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Fault {
    /// It fails and nothing was done.
    Before,
    /// It is done, and then fails all the same.
    After,
    /// It is done twice, as by a driver that tries again, and the second answer is told.
    Twice,
    /// It takes long: it lets others go first a few times more.
    Slow,
}

impl Fault {
    pub(super) const ALL: [Self; 4] = [Self::Before, Self::After, Self::Twice, Self::Slow];
}

/// A store around another one. Clones are handles to the same script.
#[derive(Clone, Debug)]
pub(super) struct Scripted {
    inner: Arc<dyn SessionStore>,
    script: Arc<Script>,
}

#[derive(Debug, Default)]
struct Script {
    /// Whether each call first lets others go.
    waits: AtomicBool,
    /// Whether the reading of a cut-off lets nobody go first.
    cutoffs_at_once: AtomicBool,
    calls: AtomicUsize,
    /// By the number of the call, counted from 0.
    faults: Mutex<BTreeMap<usize, Fault>>,
}

impl Scripted {
    pub(super) fn new(inner: Arc<dyn SessionStore>) -> Self {
        Self {
            inner,
            script: Arc::default(),
        }
    }

    /// From now on calls are counted from 0, fail as `faults` says, and perhaps wait for their turn.
    pub(super) fn begin(&self, waits: bool, faults: &[(usize, Fault)]) {
        self.script.waits.store(waits, SeqCst);
        self.script.calls.store(0, SeqCst);
        *self.script.faults.lock().unwrap() = faults.iter().copied().collect();
    }

    /// Reads cut-offs without a wait. Where nobody writes one, the order of such a read changes nothing.
    pub(super) fn read_cutoffs_at_once(&self) {
        self.script.cutoffs_at_once.store(true, SeqCst);
    }

    /// How many calls there were since the beginning.
    pub(super) fn calls(&self) -> usize {
        self.script.calls.load(SeqCst)
    }

    async fn call<'a, T>(
        &'a self,
        operation: impl Fn() -> StoreFuture<'a, T>,
    ) -> Result<T, StoreError> {
        let waits = self.script.waits.load(SeqCst);
        if waits {
            LetOthersGo::default().await;
        }
        let number = self.script.calls.fetch_add(1, SeqCst);
        let fault = self.script.faults.lock().unwrap().get(&number).copied();
        match fault {
            None => operation().await,
            Some(Fault::Before) => Err(StoreError::new(StoreErrorKind::Unavailable)),
            Some(Fault::After) => {
                operation().await?;
                Err(StoreError::new(StoreErrorKind::Timeout))
            }
            Some(Fault::Twice) => {
                operation().await?;
                operation().await
            }
            Some(Fault::Slow) => {
                for _ in 0..3 {
                    LetOthersGo::default().await;
                }
                let answer = operation().await;
                LetOthersGo::default().await;
                answer
            }
        }
    }
}

/// Pending once.
#[derive(Default)]
pub(super) struct LetOthersGo(bool);

impl Future for LetOthersGo {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.0 {
            return Poll::Ready(());
        }
        self.0 = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl SessionStore for Scripted {
    fn load<'a>(&'a self, id: VerifiedId<'a>, now: Timestamp) -> StoreFuture<'a, Option<Stored>> {
        Box::pin(self.call(move || self.inner.load(id, now)))
    }

    fn create<'a>(
        &'a self,
        id: &'a SessionId,
        record: &'a Record,
        counting: Counting,
        now: Timestamp,
    ) -> StoreFuture<'a, Created> {
        Box::pin(self.call(move || self.inner.create(id, record, counting, now)))
    }

    fn replace<'a>(
        &'a self,
        id: &'a SessionId,
        revision: Revision,
        record: &'a Record,
        now: Timestamp,
    ) -> StoreFuture<'a, Replaced> {
        Box::pin(self.call(move || self.inner.replace(id, revision, record, now)))
    }

    fn remove<'a>(
        &'a self,
        id: &'a SessionId,
        listed_under: Option<&'a IndexKey>,
    ) -> StoreFuture<'a, Removed> {
        Box::pin(self.call(move || self.inner.remove(id, listed_under)))
    }

    fn heads<'a>(
        &'a self,
        key: &'a IndexKey,
        after: Option<&'a Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> StoreFuture<'a, Page> {
        Box::pin(self.call(move || self.inner.heads(key, after, limit, now)))
    }

    fn end_listed<'a>(
        &'a self,
        key: &'a IndexKey,
        after: Option<&'a Cursor>,
        limit: usize,
        except: Option<&'a SessionId>,
    ) -> StoreFuture<'a, EndedPage> {
        Box::pin(self.call(move || self.inner.end_listed(key, after, limit, except)))
    }

    fn raise_cutoff<'a>(
        &'a self,
        key: &'a IndexKey,
        cutoff: &'a Cutoff,
        now: Timestamp,
    ) -> StoreFuture<'a, ()> {
        Box::pin(self.call(move || self.inner.raise_cutoff(key, cutoff, now)))
    }

    fn cutoff<'a>(&'a self, key: &'a IndexKey, now: Timestamp) -> StoreFuture<'a, Option<Cutoff>> {
        if self.script.cutoffs_at_once.load(SeqCst) {
            return self.inner.cutoff(key, now);
        }
        Box::pin(self.call(move || self.inner.cutoff(key, now)))
    }

    fn live_records<'a>(&'a self, now: Timestamp) -> StoreFuture<'a, Option<u64>> {
        self.inner.live_records(now)
    }
}
