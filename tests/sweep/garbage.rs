//! A store that has only garbage, and clocks to sweep it by.

use std::{
    future,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use tokio::{sync::Semaphore, time::Instant};
use tower_session_guard::{
    Clock, Timestamp,
    store::{StoreError, StoreFuture, Sweep},
};

pub(crate) const BEGIN: Timestamp = Timestamp::from_unix_seconds(1_800_000_000);

/// What a store was asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) at: Instant,
    pub(crate) now: Timestamp,
    pub(crate) limit: u32,
}

/// So many rows that are over. A clone is the same store.
#[derive(Clone, Debug, Default)]
pub(crate) struct Garbage(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    rows: AtomicU64,
    calls: Mutex<Vec<Call>>,
    is_down: AtomicBool,
    is_silent: AtomicBool,
    /// How many batches may pass.
    gate: Semaphore,
}

impl Default for Inner {
    fn default() -> Self {
        Self {
            rows: AtomicU64::default(),
            calls: Mutex::default(),
            is_down: AtomicBool::default(),
            is_silent: AtomicBool::default(),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
        }
    }
}

impl Garbage {
    pub(crate) fn of(rows: u64) -> Self {
        let garbage = Self::default();
        garbage.0.rows.store(rows, SeqCst);
        garbage
    }

    /// The same, whose batches wait until they are [let through](Self::let_through).
    pub(crate) fn behind_a_gate(rows: u64) -> Self {
        let garbage = Self::of(rows);
        garbage.0.gate.forget_permits(Semaphore::MAX_PERMITS);
        garbage
    }

    pub(crate) fn let_through(&self, batches: usize) {
        self.0.gate.add_permits(batches);
    }

    pub(crate) fn left(&self) -> u64 {
        self.0.rows.load(SeqCst)
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.0.calls.lock().unwrap().clone()
    }

    pub(crate) fn is_down(&self, is_down: bool) {
        self.0.is_down.store(is_down, SeqCst);
    }

    /// From now on it answers nothing.
    pub(crate) fn falls_silent(&self) {
        self.0.is_silent.store(true, SeqCst);
    }

    /// Who holds on to it.
    pub(crate) fn holders(&self) -> usize {
        Arc::strong_count(&self.0)
    }
}

impl Sweep for Garbage {
    fn sweep<'a>(&'a self, now: Timestamp, limit: u32) -> StoreFuture<'a, u64> {
        Box::pin(async move {
            let inner = &*self.0;
            let at = Instant::now();
            inner.calls.lock().unwrap().push(Call { at, now, limit });
            if inner.is_silent.load(SeqCst) {
                future::pending::<()>().await;
            }
            if inner.is_down.load(SeqCst) {
                return Err(StoreError::unavailable("down on purpose"));
            }
            inner.gate.acquire().await.unwrap().forget();
            let rows = self.left();
            let deleted = rows.min(limit.into());
            inner.rows.store(rows - deleted, SeqCst);
            Ok(deleted)
        })
    }
}

/// A clock that goes with Tokio's, which a test may stop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TokioClock(Instant);

impl TokioClock {
    pub(crate) fn starting_now() -> Self {
        Self(Instant::now())
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        BEGIN.after(self.0.elapsed())
    }
}

/// Lets every task go on until all wait for more than a moment.
pub(crate) async fn settle() {
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
