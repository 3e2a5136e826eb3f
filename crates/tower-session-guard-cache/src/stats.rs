//! [`CacheStats`]: what operators see of a cache.

use std::{fmt, sync::Arc};

use crate::epoch::{Epochs, Held};

/// How a cache does, for operators and their metrics.
///
/// It is a handle that stays up to date. It does not keep the cache going.
#[derive(Clone)]
pub struct CacheStats(Arc<dyn Observed>);

trait Observed: Send + Sync {
    fn hits(&self) -> u64;
    fn misses(&self) -> u64;
    fn epochs(&self) -> u64;
    fn lapses(&self) -> u64;
    fn held(&self) -> (usize, usize);
    fn is_live(&self) -> bool;
}

impl<H> Observed for Epochs<H>
where
    H: Held,
{
    fn hits(&self) -> u64 {
        self.counters.hits()
    }

    fn misses(&self) -> u64 {
        self.counters.misses()
    }

    fn epochs(&self) -> u64 {
        self.counters.epochs()
    }

    fn lapses(&self) -> u64 {
        self.counters.lapses()
    }

    fn held(&self) -> (usize, usize) {
        let current = self.current();
        let held = current.as_ref().map(|epoch| &epoch.held);
        held.map_or((0, 0), |held| (held.entries(), held.bytes()))
    }

    fn is_live(&self) -> bool {
        self.is_live()
    }
}

impl CacheStats {
    pub(crate) fn of<H: Held>(epochs: &Arc<Epochs<H>>) -> Self {
        Self(Arc::clone(epochs) as Arc<dyn Observed>)
    }

    /// How many questions memory has answered.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.0.hits()
    }

    /// How many questions went on to the store, or to the list.
    #[must_use]
    pub fn misses(&self) -> u64 {
        self.0.misses()
    }

    /// How many copies, or entries of a list, are held now.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.0.held().0
    }

    /// How many bytes they take: see [`CacheOptions::with_max_bytes`](crate::CacheOptions::with_max_bytes).
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0.held().1
    }

    /// How many connections have served so far. Each begins with an empty memory.
    #[must_use]
    pub fn epochs(&self) -> u64 {
        self.0.epochs()
    }

    /// How often a lease ran out although its connection lived: a sign of a server or a network that is slow for
    /// the lease that was chosen.
    #[must_use]
    pub fn lapses(&self) -> u64 {
        self.0.lapses()
    }

    /// Whether memory may answer at this moment.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.0.is_live()
    }
}

impl fmt::Debug for CacheStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheStats")
            .field("hits", &self.hits())
            .field("misses", &self.misses())
            .field("entries", &self.entries())
            .field("bytes", &self.bytes())
            .field("epochs", &self.epochs())
            .field("lapses", &self.lapses())
            .field("is_live", &self.is_live())
            .finish()
    }
}
