//! [`OldStore`]: a store of tower-sessions, of both versions, that can be made to wait and to fail.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
};

use async_trait::async_trait;
use tokio::sync::Barrier;

/// A memory store with what tests do to it.
#[derive(Clone, Debug)]
pub(crate) struct OldStore<S> {
    pub(crate) store: S,
    pub(crate) faults: Arc<Faults>,
}

/// What happens to the calls of a store.
#[derive(Debug)]
pub(crate) struct Faults {
    /// How many more loads wait for a second one, with what they have read.
    pub(crate) meeting_loads: AtomicUsize,
    meeting: Barrier,
    /// Whether nothing can be deleted.
    pub(crate) refuses_deletes: AtomicBool,
}

impl<S> OldStore<S>
where
    S: Default,
{
    pub(crate) fn new() -> Self {
        let faults = Faults {
            meeting_loads: AtomicUsize::new(0),
            meeting: Barrier::new(2),
            refuses_deletes: AtomicBool::new(false),
        };
        Self {
            store: S::default(),
            faults: Arc::new(faults),
        }
    }
}

impl Faults {
    async fn after_load(&self) {
        let meets = self
            .meeting_loads
            .fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1));
        if meets.is_ok() {
            self.meeting.wait().await;
        }
    }
}

macro_rules! store_of {
    ($version:ident) => {
        #[async_trait]
        impl $version::SessionStore for OldStore<$version::MemoryStore> {
            async fn create(
                &self,
                record: &mut $version::session::Record,
            ) -> $version::session_store::Result<()> {
                self.store.create(record).await
            }

            async fn save(
                &self,
                record: &$version::session::Record,
            ) -> $version::session_store::Result<()> {
                self.store.save(record).await
            }

            async fn load(
                &self,
                id: &$version::session::Id,
            ) -> $version::session_store::Result<Option<$version::session::Record>> {
                let loaded = self.store.load(id).await;
                self.faults.after_load().await;
                loaded
            }

            async fn delete(
                &self,
                id: &$version::session::Id,
            ) -> $version::session_store::Result<()> {
                if self.faults.refuses_deletes.load(SeqCst) {
                    return Err($version::session_store::Error::Backend("refused".into()));
                }
                self.store.delete(id).await
            }
        }
    };
}

store_of!(tower_sessions);
store_of!(tower_sessions_0_14);
