//! Where sessions are kept, what binds them to devices, and the faults that can be made there.

use std::sync::Arc;

#[cfg(any(feature = "redis", feature = "postgres"))]
use tower_session_guard::store::{Lease, feed::FeedStore};
use tower_session_guard::{
    AnyBackend, CookiePolicy, DeviceBinding, DeviceEndpoints, EmptyFailure, Endings, KeyRing,
    SessionLayer, SessionStore, Timestamp,
    store::StoreFuture,
    testing::{FaultyStore, StoreOperation},
};

use crate::config::Failure;

/// What a layer is built of, wherever it keeps its sessions.
pub(crate) struct Parts {
    pub(crate) keys: KeyRing,
    pub(crate) cookies: CookiePolicy,
    /// None where sessions are bound to no device.
    pub(crate) binding: Option<DeviceBinding>,
}

/// A layer, and the store that it keeps its sessions in.
pub(crate) struct Kept {
    pub(crate) sessions: SessionLayer<EmptyFailure, AnyBackend>,
    /// What answers devices, if sessions are bound to them.
    pub(crate) endpoints: Option<DeviceEndpoints>,
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
    pub(crate) fn in_cookies(parts: Parts, endings: Endings) -> Result<Self, Failure> {
        if parts.binding.is_some() {
            return Err("TESTBED_DBSC with TESTBED_STORE=cookie: it takes a store".into());
        }
        let sessions = SessionLayer::self_contained(parts.keys, endings);
        Ok(Self {
            sessions: sessions.with_cookies(parts.cookies).into_any(),
            endpoints: None,
            store: None,
        })
    }

    pub(crate) fn in_store(
        parts: Parts,
        store: FaultyStore<Arc<dyn SessionStore>>,
    ) -> Result<Self, Failure> {
        Self::counting(parts, store.clone(), Arc::new(store))
    }

    /// With copies in this process, for as long as the lease lets it.
    #[cfg(any(feature = "redis", feature = "postgres"))]
    pub(crate) fn with_copies<S>(
        parts: Parts,
        store: FaultyStore<S>,
        lease: Lease,
    ) -> Result<Self, Failure>
    where
        S: FeedStore + Clone,
    {
        let copies = tower_session_guard_cache::Cached::start(store.clone(), lease);
        Self::counting(parts, copies, Arc::new(store))
    }

    /// Over a store, whose calls end up at `counted`.
    fn counting(
        parts: Parts,
        store: impl SessionStore,
        counted: Arc<dyn Faults>,
    ) -> Result<Self, Failure> {
        let sessions = SessionLayer::new(parts.keys).with_store(store);
        let mut sessions = sessions.with_cookies(parts.cookies);
        let mut endpoints = None;
        if let Some(binding) = parts.binding {
            sessions = sessions.with_device_binding(binding)?;
            endpoints = Some(sessions.device_endpoints()?);
        }
        Ok(Self {
            sessions: sessions.into_any(),
            endpoints,
            store: Some(counted),
        })
    }
}
