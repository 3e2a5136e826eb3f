//! A store in memory with many sessions, and several threads on it.

use std::fs;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use tower_session_guard::store::{
    Counting, Created, Cursor, Cutoff, EndedPage, IndexKey, Page, Removed, Replaced, Revision,
    StoreFuture, Stored,
};
use tower_session_guard::{
    Clock, MemoryStore, Record, SessionId, SessionStore, Timestamp, VerifiedId,
};

/// Polls a future that never waits.
///
/// # Panics
///
/// When it waits.
pub fn now_or_never<F: Future>(future: F) -> F::Output {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the store in memory never waits"),
    }
}

/// Bytes of this process in memory.
#[must_use]
pub fn resident() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm
        .split(' ')
        .nth(1)
        .and_then(|n| n.parse().ok())
        .unwrap_or(0);
    pages * 4096
}

/// A clock that moves when told to.
#[derive(Clone, Debug)]
pub struct Hands(Arc<AtomicU64>);

impl Hands {
    /// Set to some moment.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(AtomicU64::new(1_800_000_000)))
    }

    /// Moves on.
    pub fn advance(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::Relaxed);
    }
}

impl Default for Hands {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_seconds(self.0.load(Ordering::Relaxed))
    }
}

/// A store in memory that takes down which ids it was asked for.
#[derive(Clone, Debug)]
pub struct Noted {
    /// The store itself.
    pub store: MemoryStore,
    ids: Arc<Mutex<Vec<SessionId>>>,
}

impl Noted {
    /// An empty one for up to `capacity` sessions.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            store: MemoryStore::limited(capacity, usize::MAX),
            ids: Arc::default(),
        }
    }

    /// The ids so far.
    #[must_use]
    pub fn take(&self) -> Vec<SessionId> {
        std::mem::take(&mut *self.ids.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl SessionStore for Noted {
    fn load<'a>(&'a self, id: VerifiedId<'a>, now: Timestamp) -> StoreFuture<'a, Option<Stored>> {
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        ids.push(*id.get());
        drop(ids);
        self.store.load(id, now)
    }

    all_but_load_of!(store);
}
