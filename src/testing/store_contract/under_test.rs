//! [`StoreUnderTest`]: the store that the suite is run against.

use std::{fmt, pin::Pin, sync::Arc};

use super::freshness::Path;
use crate::store::SessionStore;

type Restart = dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync;

type SetPath = dyn Fn(Path) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync;

/// An empty store, and what else of its engine the suite may use.
#[derive(Clone)]
#[must_use]
pub struct StoreUnderTest {
    pub(super) store: Arc<dyn SessionStore>,
    pub(super) second_node: Option<Arc<dyn SessionStore>>,
    pub(super) restart: Option<Arc<Restart>>,
    pub(super) path: Option<Arc<SetPath>>,
    pub(super) volume: usize,
}

impl StoreUnderTest {
    /// How many sessions of one owner the suite makes, lists and ends, unless
    /// [`with_volume`](Self::with_volume) says otherwise: 20,000.
    pub const DEFAULT_VOLUME: usize = 20_000;

    /// A store with one node that cannot be restarted: the checks that need more are skipped.
    pub fn new(store: impl SessionStore) -> Self {
        Self {
            store: Arc::new(store),
            second_node: None,
            restart: None,
            path: None,
            volume: Self::DEFAULT_VOLUME,
        }
    }

    /// Sets how many sessions of one owner the suite makes, lists and ends, for a slow emulator. At least 1,000
    /// tell linear work from a square.
    pub const fn with_volume(mut self, sessions: usize) -> Self {
        self.volume = sessions;
        self
    }

    /// Adds another handle to the same sessions, as another server process would have it.
    pub fn with_second_node(mut self, store: impl SessionStore) -> Self {
        self.second_node = Some(Arc::new(store));
        self
    }

    /// Adds a way to disturb the path between the second node and the engine, which returns once it is done.
    pub fn with_path<F>(mut self, set: impl Fn(Path) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.path = Some(Arc::new(move |path| Box::pin(set(path))));
        self
    }

    /// Adds a way to kill the engine and start it again on the same data, which returns once it is up.
    pub fn with_restart<F>(mut self, restart: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.restart = Some(Arc::new(move || Box::pin(restart())));
        self
    }
}

impl<S> From<S> for StoreUnderTest
where
    S: SessionStore,
{
    fn from(store: S) -> Self {
        Self::new(store)
    }
}

impl fmt::Debug for StoreUnderTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreUnderTest")
            .field("store", &self.store)
            .field("second_node", &self.second_node)
            .field("restart", &self.restart.is_some())
            .field("path", &self.path.is_some())
            .field("volume", &self.volume)
            .finish()
    }
}
