//! Where sessions are kept, and the faults that can be made there.

use std::sync::Arc;

#[cfg(any(feature = "redis", feature = "postgres"))]
use tower_session_guard::store::{Lease, feed::FeedStore};
use tower_session_guard::{
    AnyBackend, EmptyFailure, Endings, KeyRing, SessionLayer, SessionStore, Timestamp,
    store::StoreFuture,
    testing::{FaultyStore, StoreOperation},
};

/// A layer, and the store that it keeps its sessions in.
pub(crate) struct Kept {
    pub(crate) sessions: SessionLayer<EmptyFailure, AnyBackend>,
    /// None for self-contained tokens.
    pub(crate) store: Option<Arc<dyn Faults>>,
}

/// What can be counted and broken of a store.
pub(crate) trait Faults: Send + Sync {
    fn calls(&self, operation: StoreOperation) -> u64;

    fn fail(&self, operation: StoreOperation, times: u64, after: u64);

    fn live_records(&self, now: Timestamp) -> StoreFuture<'_, Option<u64>>;
}

impl<S> Faults for FaultyStore<S>
where
    S: SessionStore,
{
    fn calls(&self, operation: StoreOperation) -> u64 {
        self.calls(operation)
    }

    fn fail(&self, operation: StoreOperation, times: u64, after: u64) {
        self.fail(operation, times, after);
    }

    fn live_records(&self, now: Timestamp) -> StoreFuture<'_, Option<u64>> {
        SessionStore::live_records(self, now)
    }
}

impl Kept {
    pub(crate) fn in_cookies(keys: KeyRing, endings: Endings) -> Self {
        Self {
            sessions: SessionLayer::self_contained(keys, endings).into_any(),
            store: None,
        }
    }

    pub(crate) fn in_store(keys: KeyRing, store: FaultyStore<Arc<dyn SessionStore>>) -> Self {
        Self {
            sessions: SessionLayer::new(keys).with_store(store.clone()).into_any(),
            store: Some(Arc::new(store)),
        }
    }

    /// With copies in this process, for as long as the lease lets it.
    #[cfg(any(feature = "redis", feature = "postgres"))]
    pub(crate) fn with_copies<S>(keys: KeyRing, store: FaultyStore<S>, lease: Lease) -> Self
    where
        S: FeedStore + Clone,
    {
        let copies = tower_session_guard_cache::Cached::start(store.clone(), lease);
        Self {
            sessions: SessionLayer::new(keys).with_store(copies).into_any(),
            store: Some(Arc::new(store)),
        }
    }
}
