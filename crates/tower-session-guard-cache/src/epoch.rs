//! [`Epochs`]: the epoch that answers now, and what outlives each of them.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use arc_swap::{ArcSwapOption, Guard};
use tower_session_guard::store::Lease;

use crate::{
    clock::SteadyClock,
    counters::Counters,
    fences::FenceRequests,
    lease::{EpochLease, SentFence},
    waiters::Waiters,
};

/// What one epoch holds.
pub(crate) trait Held: fmt::Debug + Send + Sync + 'static {
    fn forget_all(&self);
    fn entries(&self) -> usize;
    fn bytes(&self) -> usize;
}

/// One connection of a feed, and what it keeps up to date.
#[derive(Debug)]
pub(crate) struct Epoch<H> {
    pub(crate) lease: EpochLease,
    pub(crate) fences: FenceRequests,
    pub(crate) held: H,
}

/// The epoch that answers now, if there is one, and what outlives each.
#[derive(Debug)]
pub(crate) struct Epochs<H> {
    current: ArcSwapOption<Epoch<H>>,
    pub(crate) lease: Lease,
    pub(crate) clock: SteadyClock,
    pub(crate) waiters: Arc<Waiters>,
    pub(crate) counters: Counters,
    /// Somebody who waits for a change has asked past the feed, which therefore need not tell of it.
    asked_past: AtomicBool,
}

impl<H> Epoch<H> {
    pub(crate) fn new(lease: Lease, held: H) -> Self {
        Self {
            lease: EpochLease::new(lease.time()),
            fences: FenceRequests::new(),
            held,
        }
    }
}

impl<H> Epochs<H>
where
    H: Held,
{
    pub(crate) fn new(lease: Lease, clock: SteadyClock) -> Self {
        Self {
            current: ArcSwapOption::empty(),
            lease,
            clock,
            waiters: Arc::default(),
            counters: Counters::default(),
            asked_past: AtomicBool::new(false),
        }
    }

    /// The present epoch, whether its lease lives or not.
    #[inline]
    pub(crate) fn current(&self) -> Guard<Option<Arc<Epoch<H>>>> {
        self.current.load()
    }

    /// The present epoch, if its lease lives.
    pub(crate) fn live(&self) -> Option<Arc<Epoch<H>>> {
        let epoch = self.current.load_full()?;
        epoch.lease.is_live(self.clock.now()).then_some(epoch)
    }

    pub(crate) fn is_live(&self) -> bool {
        let is_live = |epoch: &Arc<Epoch<H>>| epoch.lease.is_live(self.clock.now());
        self.current().as_ref().is_some_and(is_live)
    }

    /// A fence is about to be sent.
    pub(crate) fn sending(&self) -> SentFence {
        EpochLease::sending(self.clock.now())
    }

    /// The epoch answers from now on. Whoever waits asks again, so that its feed tells of the next change.
    pub(crate) fn begin(&self, epoch: &Arc<Epoch<H>>) {
        self.current.store(Some(Arc::clone(epoch)));
        self.counters.count_epoch();
        self.waiters.wake_all_in_turn();
    }

    /// Ends an epoch for good. What it holds is not trusted from here on, then forgotten.
    pub(crate) fn end(&self, epoch: &Arc<Epoch<H>>) {
        epoch.lease.end();
        let is_this = |current: &Arc<Epoch<H>>| Arc::ptr_eq(current, epoch);
        if self.current().as_ref().is_some_and(is_this) {
            self.current.store(None);
        }
        epoch.held.forget_all();
        epoch.fences.close();
        self.waiters.wake_all_in_turn();
    }

    /// Ends the present epoch, if there is one.
    pub(crate) fn end_current(&self) {
        if let Some(epoch) = self.current.load_full() {
            self.end(&epoch);
        }
    }

    /// Notes that a store is asked past the feed, before it is.
    pub(crate) fn ask_past(&self) {
        if !self.waiters.is_empty() {
            self.asked_past.store(true, SeqCst);
        }
    }

    /// Lets those ask again who may have asked past the feed.
    pub(crate) fn call_back(&self) {
        if self.asked_past.swap(false, SeqCst) {
            self.waiters.wake_all_in_turn();
        }
    }
}
