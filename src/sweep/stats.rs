//! [`SweepStats`]: what operators see of the sweeps.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// What the sweeps of a [`SweepTask`](super::SweepTask) came to, for operators and their metrics.
///
/// It is a handle that stays up to date. It does not keep the task going. The numbers begin at 0 with each start.
#[derive(Clone)]
pub struct SweepStats(Arc<Counters>);

#[derive(Default)]
struct Counters {
    deleted: AtomicU64,
    completed: AtomicU64,
    failed: AtomicU64,
}

impl SweepStats {
    pub(super) fn new() -> Self {
        Self(Arc::default())
    }

    /// How many rows were deleted: sessions, and cut-offs whose time was over.
    #[must_use]
    pub fn deleted(&self) -> u64 {
        self.0.deleted.load(Relaxed)
    }

    /// How many sweeps left nothing behind.
    #[must_use]
    pub fn completed(&self) -> u64 {
        self.0.completed.load(Relaxed)
    }

    /// How many sweeps ended because the store failed.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.0.failed.load(Relaxed)
    }

    pub(super) fn count_deleted(&self, rows: u64) {
        self.0.deleted.fetch_add(rows, Relaxed);
    }

    pub(super) fn count_completed(&self) {
        self.0.completed.fetch_add(1, Relaxed);
    }

    pub(super) fn count_failed(&self) {
        self.0.failed.fetch_add(1, Relaxed);
    }
}

impl fmt::Debug for SweepStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SweepStats")
            .field("deleted", &self.deleted())
            .field("completed", &self.completed())
            .field("failed", &self.failed())
            .finish()
    }
}
