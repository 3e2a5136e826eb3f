//! [`Gated`]: a store of which a test holds one call up.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
};

use tokio::sync::Notify;

use tower_session_guard::{
    MemoryStore, Record, SessionId, SessionStore, Timestamp, VerifiedId,
    store::{
        Changed, Counting, Created, Cursor, Cutoff, EndedPage, IndexKey, Page, Removed, Replaced,
        Revision, StoreError, StoreFuture, Stored,
    },
    testing::StoreOperation,
};

use super::Stop;

/// A store in memory that stops before the next call of one operation.
#[derive(Clone, Debug, Default)]
pub struct Gated {
    store: MemoryStore,
    held: Arc<Mutex<Option<StoreOperation>>>,
    answer_held: Arc<Mutex<Option<StoreOperation>>>,
    changes: Option<Arc<Notify>>,
    /// Where the call stops.
    pub stop: Stop,
    /// How often somebody waited until what ended holds on every node.
    pub waits: Arc<AtomicUsize>,
    wait_is_held: Arc<AtomicBool>,
    wait_fails: Arc<AtomicBool>,
}

impl Gated {
    /// Stops the next call of `operation`, before anything of it is done.
    pub fn hold(&self, operation: StoreOperation) {
        *self.held.lock().unwrap() = Some(operation);
    }

    /// Stops the next wait until what ended holds on every node.
    pub fn hold_wait(&self) {
        self.wait_is_held.store(true, SeqCst);
    }

    /// Lets the next such wait fail.
    pub fn fail_wait(&self) {
        self.wait_fails.store(true, SeqCst);
    }

    /// Stops the next call of `operation` once all of it is done.
    pub fn hold_answer(&self, operation: StoreOperation) {
        *self.answer_held.lock().unwrap() = Some(operation);
    }

    /// One that tells of changes, at `changes`.
    pub fn telling(changes: &Arc<Notify>) -> Self {
        Self {
            changes: Some(Arc::clone(changes)),
            ..Self::default()
        }
    }

    fn call<'a, T>(
        &'a self,
        operation: StoreOperation,
        call: StoreFuture<'a, T>,
    ) -> StoreFuture<'a, T>
    where
        T: Send + 'a,
    {
        Box::pin(async move {
            let is_held = self.held.lock().unwrap().take_if(|held| *held == operation);
            if is_held.is_some() {
                self.stop.here().await;
            }
            let answer = call.await;
            let held = &self.answer_held;
            let is_held = held.lock().unwrap().take_if(|held| *held == operation);
            if is_held.is_some() {
                self.stop.here().await;
            }
            answer
        })
    }
}

impl SessionStore for Gated {
    fn load<'a>(&'a self, id: VerifiedId<'a>, now: Timestamp) -> StoreFuture<'a, Option<Stored>> {
        self.call(StoreOperation::Load, self.store.load(id, now))
    }

    fn create<'a>(
        &'a self,
        id: &'a SessionId,
        record: &'a Record,
        counting: Counting,
        now: Timestamp,
    ) -> StoreFuture<'a, Created> {
        let call = self.store.create(id, record, counting, now);
        self.call(StoreOperation::Create, call)
    }

    fn replace<'a>(
        &'a self,
        id: &'a SessionId,
        revision: Revision,
        record: &'a Record,
        now: Timestamp,
    ) -> StoreFuture<'a, Replaced> {
        let call = self.store.replace(id, revision, record, now);
        self.call(StoreOperation::Replace, call)
    }

    fn remove<'a>(
        &'a self,
        id: &'a SessionId,
        listed_under: Option<&'a IndexKey>,
    ) -> StoreFuture<'a, Removed> {
        let call = self.store.remove(id, listed_under);
        self.call(StoreOperation::Remove, call)
    }

    fn heads<'a>(
        &'a self,
        key: &'a IndexKey,
        after: Option<&'a Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> StoreFuture<'a, Page> {
        let call = self.store.heads(key, after, limit, now);
        self.call(StoreOperation::Heads, call)
    }

    fn end_listed<'a>(
        &'a self,
        key: &'a IndexKey,
        after: Option<&'a Cursor>,
        limit: usize,
        except: Option<&'a SessionId>,
    ) -> StoreFuture<'a, EndedPage> {
        let call = self.store.end_listed(key, after, limit, except);
        self.call(StoreOperation::EndListed, call)
    }

    fn raise_cutoff<'a>(
        &'a self,
        key: &'a IndexKey,
        cutoff: &'a Cutoff,
        now: Timestamp,
    ) -> StoreFuture<'a, ()> {
        let call = self.store.raise_cutoff(key, cutoff, now);
        self.call(StoreOperation::RaiseCutoff, call)
    }

    fn cutoff<'a>(&'a self, key: &'a IndexKey, now: Timestamp) -> StoreFuture<'a, Option<Cutoff>> {
        self.call(StoreOperation::Cutoff, self.store.cutoff(key, now))
    }

    fn endings_hold(&self) -> Option<StoreFuture<'_, ()>> {
        Some(Box::pin(async {
            self.waits.fetch_add(1, SeqCst);
            if self.wait_is_held.swap(false, SeqCst) {
                self.stop.here().await;
            }
            if self.wait_fails.swap(false, SeqCst) {
                return Err(StoreError::unavailable("on purpose"));
            }
            Ok(())
        }))
    }

    fn changed(&self, _: &SessionId) -> Option<Changed> {
        let changes = Arc::clone(self.changes.as_ref()?);
        // What is told between this call and the first poll counts.
        let told = changes.notified_owned();
        Some(Box::pin(told))
    }

    fn live_records<'a>(&'a self, now: Timestamp) -> StoreFuture<'a, Option<u64>> {
        self.store.live_records(now)
    }
}
