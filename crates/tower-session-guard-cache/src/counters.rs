//! [`Counters`]: what operators see of a cache.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tower_session_guard::SessionId;

/// How many counters there are of what happens often, so that threads seldom want the same one.
const STRIPES: usize = 16;

#[derive(Debug, Default)]
pub(crate) struct Counters {
    stripes: [Stripe; STRIPES],
    epochs: AtomicU64,
    lapses: AtomicU64,
}

#[derive(Debug, Default)]
#[repr(align(64))]
struct Stripe {
    hits: AtomicU64,
    misses: AtomicU64,
}

impl Counters {
    /// Counts an answer from memory, or that there was none.
    #[inline]
    pub(crate) fn count(&self, id: &SessionId, is_hit: bool) {
        let stripe = &self.stripes[usize::from(id.as_bytes()[SessionId::LEN - 1]) % STRIPES];
        let counter = if is_hit { &stripe.hits } else { &stripe.misses };
        counter.fetch_add(1, Relaxed);
    }

    pub(crate) fn count_epoch(&self) {
        self.epochs.fetch_add(1, Relaxed);
    }

    pub(crate) fn count_lapse(&self) {
        self.lapses.fetch_add(1, Relaxed);
    }

    pub(crate) fn hits(&self) -> u64 {
        let hits = self.stripes.iter().map(|stripe| stripe.hits.load(Relaxed));
        hits.sum()
    }

    pub(crate) fn misses(&self) -> u64 {
        let misses = self
            .stripes
            .iter()
            .map(|stripe| stripe.misses.load(Relaxed));
        misses.sum()
    }

    pub(crate) fn epochs(&self) -> u64 {
        self.epochs.load(Relaxed)
    }

    pub(crate) fn lapses(&self) -> u64 {
        self.lapses.load(Relaxed)
    }
}
