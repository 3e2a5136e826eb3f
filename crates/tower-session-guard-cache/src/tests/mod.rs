//! Caches on two nodes of a server in the process, in Tokio's own time, which the tests stop.

mod cached;
mod changed;
mod contract;
mod cost;
mod devices;
mod layer;
mod model;

use std::time::Duration;

use tokio::time::{Instant, advance};
use tower_session_guard::{
    SessionId, SessionStore, Timestamp,
    store::{Counting, Created, Lease, Removed, Replaced, Revision, Stored},
    testing::{RecordBuilder, claim_for},
};

use crate::{
    cached::Cached,
    clock::SteadyClock,
    fake::{Node, Server},
    options::CacheOptions,
};

pub(crate) const NOW: Timestamp = Timestamp::from_unix_seconds(1_000_000);
pub(crate) const LEASE: Duration = Duration::from_millis(300);
pub(crate) const MILLISECOND: Duration = Duration::from_millis(1);

pub(crate) const A: SessionId = id(1);

pub(crate) const fn id(number: u8) -> SessionId {
    SessionId::from_bytes([number; SessionId::LEN])
}

/// A cache on one node, and the node's store, which sets its path.
pub(crate) struct Site {
    pub(crate) cache: Cached<Node>,
    pub(crate) node: Node,
}

impl Site {
    pub(crate) fn new(server: &Server, lease: Lease) -> Self {
        let (node, clock) = (server.node(), SteadyClock::Tokio(Instant::now()));
        let cache = Cached::start_by(clock, node.clone(), lease, CacheOptions::new());
        Self { cache, node }
    }

    /// A cache whose lease lives.
    pub(crate) async fn live(server: &Server, lease: Lease) -> Self {
        let site = Self::new(server, lease);
        site.until_live().await;
        site
    }

    pub(crate) async fn until_live(&self) {
        let began = Instant::now();
        while !self.cache.stats().is_live() {
            assert!(began.elapsed() < Duration::from_secs(5), "no lease lives");
            tokio::time::sleep(MILLISECOND).await;
        }
    }

    pub(crate) fn try_load(&self, id: &SessionId) -> Option<Stored> {
        self.cache.try_load((&claim_for(id, [0; 16])).into(), NOW)
    }

    pub(crate) async fn load(&self, id: &SessionId) -> Option<Stored> {
        let claim = claim_for(id, [0; 16]);
        self.cache.load((&claim).into(), NOW).await.unwrap()
    }

    pub(crate) async fn create(&self, id: &SessionId) -> Revision {
        let record = RecordBuilder::new(NOW).subject("alice").build();
        match self
            .cache
            .create(id, &record, Counting::Counted, NOW)
            .await
            .unwrap()
        {
            Created::Created { revision, .. } => revision,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn remove(&self, id: &SessionId) {
        let removed = self.cache.remove(id, None).await.unwrap();
        assert_eq!(removed, Removed::Removed);
    }

    /// Writes another value, over what the server has.
    pub(crate) async fn write(&self, id: &SessionId, value: &str) -> Revision {
        let before = self.load(id).await.unwrap();
        let record = RecordBuilder::of(&before.record)
            .entry("value", value)
            .build();
        let replaced = self.cache.replace(id, before.revision, &record, NOW).await;
        match replaced.unwrap() {
            Replaced::Replaced(revision) => revision,
            other => panic!("{other:?}"),
        }
    }
}

pub(crate) fn exact() -> Lease {
    Lease::exact(LEASE).unwrap()
}

pub(crate) fn bounded() -> Lease {
    Lease::bounded(LEASE).unwrap()
}

/// Lets time pass for nobody: what is ready is not run.
pub(crate) async fn stand_still(time: Duration) {
    advance(time).await;
}
