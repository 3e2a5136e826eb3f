//! [`Freshness`] and [`Path`]: how old what a node reads may be, and what the suite does to its path.

use std::time::Duration;

use crate::store::Lease;

/// How old what another node wrote may be where the layer reads it: by
/// [`try_load`](crate::SessionStore::try_load), and by [`load`](crate::SessionStore::load) if that has no answer.
///
/// `load` alone, and a node's own writes, are never older than the last write that was answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Freshness {
    /// Every read shows the last write that was answered, on every node.
    #[default]
    Immediate,
    /// What ended is gone on every node once [`endings_hold`](crate::SessionStore::endings_hold) was answered; data may
    /// be older by this time.
    Exact(Duration),
    /// Both may be older by this time.
    Bounded(Duration),
}

impl From<Lease> for Freshness {
    fn from(lease: Lease) -> Self {
        if lease.is_exact() {
            Self::Exact(lease.time())
        } else {
            Self::Bounded(lease.time())
        }
    }
}

impl Freshness {
    /// How much older data may be on another node.
    pub(super) const fn time(self) -> Duration {
        match self {
            Self::Immediate => Duration::ZERO,
            Self::Exact(time) | Self::Bounded(time) => time,
        }
    }
}

/// The path between the second node and the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Path {
    /// As it was at first.
    Open,
    /// Connections are closed, and none can be made.
    Cut,
    /// Nothing passes in either direction, and no connection is closed.
    Silent,
    /// What the engine sends arrives so much later.
    Slow(Duration),
}
