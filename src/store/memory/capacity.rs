//! [`Capacity`]: how many places there are, and how many are taken.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Counts places. A count only: the locks of the table order everything else.
#[derive(Debug)]
pub(super) struct Capacity {
    max: usize,
    taken: AtomicUsize,
}

impl Capacity {
    pub(super) const fn new(max: usize) -> Self {
        Self {
            max,
            taken: AtomicUsize::new(0),
        }
    }

    pub(super) const fn max(&self) -> usize {
        self.max
    }

    pub(super) fn taken(&self) -> usize {
        self.taken.load(Relaxed)
    }

    /// Takes a place, if one is free.
    pub(super) fn take(&self) -> bool {
        let one_more = |taken| (taken < self.max).then_some(taken + 1);
        self.taken.fetch_update(Relaxed, Relaxed, one_more).is_ok()
    }

    pub(super) fn release(&self) {
        self.taken.fetch_sub(1, Relaxed);
    }
}
