//! [`FaultyStore`]: a store that counts its calls and fails on demand.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use super::operation::StoreOperation;

use crate::{
    session::{
        id::{SessionId, VerifiedId},
        record::Record,
        time::Timestamp,
    },
    store::{
        Changed, Counting, Created, Cursor, Cutoff, EndedPage, IndexKey, Lease, Page, Removed,
        Replaced, Revision, SessionStore, StoreError, StoreErrorKind, StoreFuture, Stored,
        feed::{Copies, FeedReader, FeedStore, OpenFeed},
    },
};

/// A store around another one that counts the calls and fails as many as it is told to.
///
/// A clone is another handle to the same counts and faults. [`live_records`](SessionStore::live_records)
/// is neither counted nor failed. Around a store with a [feed](FeedStore), what its reader loads counts and fails as
/// [`load`](SessionStore::load) does; the feed itself is left alone.
///
/// # Examples
///
/// The second write from now fails, as if the store were down:
///
/// ```
/// use tower_session_guard::{MemoryStore, testing::FaultyStore};
///
/// let store = FaultyStore::new(MemoryStore::new());
/// store.fail("write".parse()?, 1, 1);
/// assert_eq!(store.calls("load".parse()?), 0);
/// # Ok::<(), tower_session_guard::testing::UnknownOperation>(())
/// ```
#[derive(Clone, Debug)]
pub struct FaultyStore<S> {
    inner: S,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    calls: [AtomicU64; StoreOperation::EACH.len()],
    faults: Mutex<Vec<Fault>>,
}

#[derive(Clone, Copy, Debug)]
struct Fault {
    of: StoreOperation,
    times: u64,
    after: u64,
    once_written: bool,
}

// ===== impl FaultyStore =====

impl<S> FaultyStore<S> {
    /// Wraps a store; nothing fails yet.
    pub fn new(inner: S) -> Self {
        Self {
            inner,
            shared: Arc::default(),
        }
    }

    /// How many calls there were since the store was wrapped, failed ones included.
    #[must_use]
    pub fn calls(&self, operation: StoreOperation) -> u64 {
        let each = StoreOperation::EACH.iter().zip(&self.shared.calls);
        let matching = each.filter(|(each, _)| operation.includes(**each));
        matching.map(|(_, calls)| calls.load(Relaxed)).sum()
    }

    /// After `after` more calls of `operation`, fails the next `times` before anything is written.
    ///
    /// The error's kind is [`StoreErrorKind::Unavailable`]. It takes the place of what was asked for this
    /// operation before; with `times` 0 nothing of it fails any longer.
    pub fn fail(&self, operation: StoreOperation, times: u64, after: u64) {
        self.plan(operation, times, after, false);
    }

    /// The same, but what was asked is done first and only its answer is lost.
    ///
    /// The error's kind is [`StoreErrorKind::Timeout`].
    pub fn fail_once_written(&self, operation: StoreOperation, times: u64, after: u64) {
        self.plan(operation, times, after, true);
    }

    fn plan(&self, of: StoreOperation, times: u64, after: u64, once_written: bool) {
        let mut faults = self.shared.faults();
        faults.retain(|fault| fault.of != of);
        if times > 0 {
            faults.push(Fault {
                of,
                times,
                after,
                once_written,
            });
        }
    }

    async fn call<T>(
        &self,
        operation: StoreOperation,
        call: StoreFuture<'_, T>,
    ) -> Result<T, StoreError> {
        self.shared.call(operation, call).await
    }
}

impl Shared {
    async fn call<T>(
        &self,
        operation: StoreOperation,
        call: StoreFuture<'_, T>,
    ) -> Result<T, StoreError> {
        match self.note(operation) {
            None => call.await,
            Some(fault) if fault.once_written => {
                let _lost = call.await?;
                Err(StoreError::with_source(
                    StoreErrorKind::Timeout,
                    "the answer was lost on purpose",
                ))
            }
            Some(_) => Err(StoreError::unavailable("the store fails on purpose")),
        }
    }

    /// Counts a call, and says whether it is to fail.
    fn note(&self, operation: StoreOperation) -> Option<Fault> {
        let each = StoreOperation::EACH.iter().zip(&self.calls);
        for (_, calls) in each.filter(|(each, _)| **each == operation) {
            calls.fetch_add(1, Relaxed);
        }
        let mut due = None;
        for fault in self.faults().iter_mut() {
            if !fault.of.includes(operation) {
                continue;
            }
            if fault.after > 0 {
                fault.after -= 1;
            } else if fault.times > 0 {
                fault.times -= 1;
                due = due.or(Some(*fault));
            }
        }
        due
    }

    fn faults(&self) -> MutexGuard<'_, Vec<Fault>> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> SessionStore for FaultyStore<S>
where
    S: SessionStore,
{
    fn load<'a>(&'a self, id: VerifiedId<'a>, now: Timestamp) -> StoreFuture<'a, Option<Stored>> {
        Box::pin(self.call(StoreOperation::Load, self.inner.load(id, now)))
    }

    fn create<'a>(
        &'a self,
        id: &'a SessionId,
        record: &'a Record,
        counting: Counting,
        now: Timestamp,
    ) -> StoreFuture<'a, Created> {
        let call = self.inner.create(id, record, counting, now);
        Box::pin(self.call(StoreOperation::Create, call))
    }

    fn replace<'a>(
        &'a self,
        id: &'a SessionId,
        revision: Revision,
        record: &'a Record,
        now: Timestamp,
    ) -> StoreFuture<'a, Replaced> {
        let call = self.inner.replace(id, revision, record, now);
        Box::pin(self.call(StoreOperation::Replace, call))
    }

    fn remove<'a>(
        &'a self,
        id: &'a SessionId,
        listed_under: Option<&'a IndexKey>,
    ) -> StoreFuture<'a, Removed> {
        let call = self.inner.remove(id, listed_under);
        Box::pin(self.call(StoreOperation::Remove, call))
    }

    fn heads<'a>(
        &'a self,
        key: &'a IndexKey,
        after: Option<&'a Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> StoreFuture<'a, Page> {
        let call = self.inner.heads(key, after, limit, now);
        Box::pin(self.call(StoreOperation::Heads, call))
    }

    fn end_listed<'a>(
        &'a self,
        key: &'a IndexKey,
        after: Option<&'a Cursor>,
        limit: usize,
        except: Option<&'a SessionId>,
    ) -> StoreFuture<'a, EndedPage> {
        let call = self.inner.end_listed(key, after, limit, except);
        Box::pin(self.call(StoreOperation::EndListed, call))
    }

    fn raise_cutoff<'a>(
        &'a self,
        key: &'a IndexKey,
        cutoff: &'a Cutoff,
        now: Timestamp,
    ) -> StoreFuture<'a, ()> {
        let call = self.inner.raise_cutoff(key, cutoff, now);
        Box::pin(self.call(StoreOperation::RaiseCutoff, call))
    }

    fn cutoff<'a>(&'a self, key: &'a IndexKey, now: Timestamp) -> StoreFuture<'a, Option<Cutoff>> {
        Box::pin(self.call(StoreOperation::Cutoff, self.inner.cutoff(key, now)))
    }

    fn endings_hold(&self) -> Option<StoreFuture<'_, ()>> {
        self.inner.endings_hold()
    }

    fn changed(&self, id: &SessionId) -> Option<Changed> {
        self.inner.changed(id)
    }

    fn live_records<'a>(&'a self, now: Timestamp) -> StoreFuture<'a, Option<u64>> {
        self.inner.live_records(now)
    }
}

impl<S> FeedStore for FaultyStore<S>
where
    S: FeedStore,
{
    fn open_feed<'a>(&'a self, copies: Arc<dyn Copies>, lease: Lease) -> StoreFuture<'a, OpenFeed> {
        Box::pin(async move {
            let mut opened = self.inner.open_feed(copies, lease).await?;
            opened.reader = Arc::new(FaultyReader {
                inner: opened.reader,
                shared: Arc::clone(&self.shared),
            });
            Ok(opened)
        })
    }
}

/// The reader of a feed, whose loads count and fail as the store's.
#[derive(Debug)]
struct FaultyReader {
    inner: Arc<dyn FeedReader>,
    shared: Arc<Shared>,
}

impl FeedReader for FaultyReader {
    fn load<'a>(&'a self, id: VerifiedId<'a>, now: Timestamp) -> StoreFuture<'a, Option<Stored>> {
        Box::pin(
            self.shared
                .call(StoreOperation::Load, self.inner.load(id, now)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{FaultyStore, StoreOperation};
    use crate::{
        session::{id::SessionId, time::Timestamp},
        store::{Counting, Created, MemoryStore, Removed, SessionStore, StoreErrorKind},
        testing::{RecordBuilder, claim_for},
    };

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_000_000);
    const ID: SessionId = SessionId::from_bytes([1; 16]);

    #[tokio::test]
    async fn a_failed_write_wrote_nothing_and_the_next_one_works() {
        let store = FaultyStore::new(MemoryStore::new());
        let record = RecordBuilder::new(NOW).build();
        store.fail(StoreOperation::Write, 1, 1);
        assert_eq!(store.remove(&ID, None).await.unwrap(), Removed::Absent);
        let error = store
            .create(&ID, &record, Counting::Counted, NOW)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
        let claim = claim_for(&ID, [0; 16]);
        assert_eq!(store.load((&claim).into(), NOW).await.unwrap(), None);
        let created = store
            .create(&ID, &record, Counting::Counted, NOW)
            .await
            .unwrap();
        assert!(matches!(created, Created::Created { .. }));
        assert_eq!(store.calls(StoreOperation::Write), 3);
        assert_eq!(store.calls(StoreOperation::Create), 2);
        assert_eq!(store.calls(StoreOperation::Load), 1);
    }

    #[tokio::test]
    async fn a_lost_answer_leaves_the_write_done() {
        let store = FaultyStore::new(MemoryStore::new());
        store.fail_once_written(StoreOperation::Create, 5, 0);
        let record = RecordBuilder::new(NOW).build();
        let error = store
            .create(&ID, &record, Counting::Counted, NOW)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Timeout);
        store.fail(StoreOperation::Create, 0, 0);
        let created = store
            .create(&ID, &record, Counting::Counted, NOW)
            .await
            .unwrap();
        assert_eq!(created, Created::Occupied);
    }
}
