//! [`CachedRevocations`]: a list of ended tokens that is asked in this node's memory.

mod copy;

use std::{fmt, sync::Arc};

use tokio::{task::AbortHandle, time::timeout};
use tower_session_guard::{
    SessionId, Timestamp,
    store::{
        Admitted, Changed, Cutoff, IndexKey, Lease, StoreError, StoreFuture,
        feed::{Feed, FeedList, ListCopy},
        revocation::{Ending, IssuedToken, Occupancy, Replacement, RevocationList, Standing},
    },
};

pub(crate) use self::copy::EndedTokens;
use crate::{
    clock::SteadyClock,
    epoch::Epochs,
    stats::CacheStats,
    supervisor::{Open, supervise},
    waiters::Waiters,
};

/// A list of ended tokens that is asked in this node's memory, as long as a [`Lease`] lets it.
///
/// The list is pushed whole to every node. [`try_standing`](RevocationList::try_standing) answers from the copy, and
/// only that a token is its session's present one; the list is asked about every other. What changes the list
/// goes to the list, and this node sees its own writes once they are answered.
///
/// A copy has at most [`DEFAULT_MAX_ENTRIES`](ListOptions::DEFAULT_MAX_ENTRIES), at about 62 bytes each, or as many as
/// [`ListOptions`] says. Beyond that, the list is asked about every token.
///
/// A clone is another handle to the same copy. One background task keeps it up to date. It ends with the last handle.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tower_session_guard::{ConfigError, Endings, KeyRing, SessionLayer, store::{Lease, feed::FeedList}};
/// use tower_session_guard_cache::CachedRevocations;
///
/// async fn sessions(list: impl FeedList) -> Result<(), ConfigError> {
///     let list = CachedRevocations::start(list, Lease::exact(Duration::from_millis(250))?);
///     let layer = SessionLayer::self_contained(KeyRing::generate()?, Endings::shared(list));
///     # let _ = layer;
///     Ok(())
/// }
/// ```
pub struct CachedRevocations<L>(Arc<Inner<L>>);

struct Inner<L> {
    list: Arc<L>,
    epochs: Arc<Epochs<Arc<EndedTokens>>>,
    while_silent: Silence,
    task: AbortHandle,
}

/// How much a copy of a list may hold, and what happens while there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct ListOptions {
    max_entries: usize,
    while_silent: Silence,
}

/// What a node does with a token while it has no copy that it may trust.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Silence {
    /// It asks the list, which takes a round trip.
    #[default]
    Ask,
    /// It refuses the request, so that an outage of the feed puts no load on the list.
    Refuse,
}

impl ListOptions {
    /// How many entries a copy holds unless [`with_max_entries`](Self::with_max_entries) says otherwise: a million.
    pub const DEFAULT_MAX_ENTRIES: usize = 1_000_000;

    /// The options of [`CachedRevocations::start`].
    pub const fn new() -> Self {
        Self {
            max_entries: Self::DEFAULT_MAX_ENTRIES,
            while_silent: Silence::Ask,
        }
    }

    /// Sets how many entries the copy holds at most: as many as the list, and a sixteenth more.
    pub const fn with_max_entries(mut self, entries: usize) -> Self {
        self.max_entries = entries;
        self
    }

    /// Sets what happens while there is no copy that may be trusted.
    pub const fn while_silent(mut self, silence: Silence) -> Self {
        self.while_silent = silence;
        self
    }
}

impl Default for ListOptions {
    /// The same as [`new`](Self::new).
    fn default() -> Self {
        Self::new()
    }
}

impl<L> CachedRevocations<L>
where
    L: FeedList,
{
    /// Keeps a copy of `list`, with the [default](ListOptions::new) options.
    ///
    /// It returns at once and connects in the background. Until then the list answers.
    ///
    /// # Panics
    ///
    /// If it is called outside a Tokio runtime, or in one without a timer.
    #[must_use]
    pub fn start(list: L, lease: Lease) -> Self {
        Self::start_with(list, lease, ListOptions::new())
    }

    /// The same, with options of your own.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start).
    #[must_use]
    pub fn start_with(list: L, lease: Lease, options: ListOptions) -> Self {
        Self::start_by(SteadyClock::of_the_machine(), list, lease, options)
    }

    pub(crate) fn start_by(
        clock: SteadyClock,
        list: L,
        lease: Lease,
        options: ListOptions,
    ) -> Self {
        let (list, epochs) = (Arc::new(list), Arc::new(Epochs::new(lease, clock)));
        let open = OpenList {
            list: Arc::clone(&list),
            max_entries: options.max_entries,
            lease,
            waiters: Arc::clone(&epochs.waiters),
        };
        let task = tokio::spawn(supervise(Arc::clone(&epochs), open)).abort_handle();
        Self(Arc::new(Inner {
            list,
            epochs,
            while_silent: options.while_silent,
            task,
        }))
    }

    /// The list that this is a copy of.
    #[must_use]
    pub fn list(&self) -> &L {
        &self.0.list
    }

    /// How the copy does.
    #[must_use]
    pub fn stats(&self) -> CacheStats {
        CacheStats::of(&self.0.epochs)
    }

    /// Waits until the copy has what this node wrote.
    ///
    /// Where no fence is answered in the lease's time, the lease has run out by then, and lives again only by a fence
    /// that is sent later.
    async fn own_write<T>(&self, write: StoreFuture<'_, T>) -> Result<T, StoreError> {
        let answer = write.await;
        let epochs = &self.0.epochs;
        if let Some(epoch) = epochs.current().clone() {
            let _proved_or_run_out = timeout(epochs.lease.time(), epoch.fences.ask()).await;
        }
        answer
    }
}

/// Opens the feed of a list, each time with a copy of its own.
#[derive(Debug)]
struct OpenList<L> {
    list: Arc<L>,
    max_entries: usize,
    lease: Lease,
    waiters: Arc<Waiters>,
}

impl<L> Open<Arc<EndedTokens>> for OpenList<L>
where
    L: FeedList,
{
    fn open(&self) -> StoreFuture<'_, (Box<dyn Feed>, Arc<EndedTokens>)> {
        Box::pin(async move {
            let copy = Arc::new(EndedTokens::new(self.max_entries));
            let told = Told {
                copy: Arc::clone(&copy),
                waiters: Arc::clone(&self.waiters),
            };
            let feed = self.list.open_feed(Arc::new(told), self.lease).await?;
            copy.opened();
            Ok((feed, copy))
        })
    }
}

/// What a feed hands over.
#[derive(Debug)]
struct Told {
    copy: Arc<EndedTokens>,
    waiters: Arc<Waiters>,
}

impl ListCopy for Told {
    fn put_family(&self, family: &SessionId, current: Option<&SessionId>, until: Timestamp) {
        self.copy.put_family(family, current, until);
        self.waiters.wake(family);
    }

    fn put_cutoff(
        &self,
        key: &[u8; 16],
        at: Timestamp,
        spared: Option<&SessionId>,
        until: Timestamp,
    ) {
        self.copy.put_cutoff(key, at, spared, until);
        self.waiters.wake_all();
    }
}

impl<L> Drop for Inner<L> {
    fn drop(&mut self) {
        self.task.abort();
        self.epochs.end_current();
    }
}

impl<L> Clone for CachedRevocations<L> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<L> fmt::Debug for CachedRevocations<L>
where
    L: fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedRevocations")
            .field("list", &self.0.list)
            .field("lease", &self.0.epochs.lease)
            .field("while_silent", &self.0.while_silent)
            .field("stats", &CacheStats::of(&self.0.epochs))
            .finish()
    }
}

impl<L> RevocationList for CachedRevocations<L>
where
    L: FeedList,
{
    fn standing<'a>(&'a self, token: IssuedToken<'a>, now: Timestamp) -> StoreFuture<'a, Standing> {
        Box::pin(async move {
            if self.0.while_silent == Silence::Refuse && !self.0.epochs.is_live() {
                return Err(StoreError::unavailable(
                    "the feed of ended tokens is silent, and the list is not to be asked then",
                ));
            }
            self.0.list.standing(token, now).await
        })
    }

    fn try_standing(&self, token: IssuedToken<'_>, now: Timestamp) -> Option<Standing> {
        let epochs = &*self.0.epochs;
        let is_current = epochs.current().as_ref().is_some_and(|epoch| {
            // In this order: see `Trusted`.
            let trusted = epoch.lease.trusted();
            epoch.held.knows_current(token, now) && trusted.holds(epochs.clock.now())
        });
        epochs.counters.count(token.family(), is_current);
        is_current.then_some(Standing::Current)
    }

    fn may_reissue<'a>(&'a self, token: IssuedToken<'a>, now: Timestamp) -> StoreFuture<'a, bool> {
        self.0.list.may_reissue(token, now)
    }

    fn ending<'a>(
        &'a self,
        token: IssuedToken<'a>,
        now: Timestamp,
    ) -> StoreFuture<'a, Option<Ending>> {
        self.0.list.ending(token, now)
    }

    fn end<'a>(
        &'a self,
        family: &'a SessionId,
        how: Ending,
        until: Timestamp,
        now: Timestamp,
    ) -> StoreFuture<'a, bool> {
        Box::pin(self.own_write(self.0.list.end(family, how, until, now)))
    }

    fn replace<'a>(
        &'a self,
        token: IssuedToken<'a>,
        successor: SessionId,
        how: Replacement,
        until: Timestamp,
        now: Timestamp,
    ) -> StoreFuture<'a, Option<Timestamp>> {
        Box::pin(self.own_write(self.0.list.replace(token, successor, how, until, now)))
    }

    fn end_all<'a>(
        &'a self,
        key: &'a IndexKey,
        cutoff: &'a Cutoff,
        now: Timestamp,
    ) -> StoreFuture<'a, ()> {
        Box::pin(self.own_write(self.0.list.end_all(key, cutoff, now)))
    }

    fn end_others<'a>(
        &'a self,
        keep: IssuedToken<'a>,
        key: &'a IndexKey,
        cutoff: &'a Cutoff,
        now: Timestamp,
    ) -> StoreFuture<'a, bool> {
        Box::pin(self.own_write(self.0.list.end_others(keep, key, cutoff, now)))
    }

    fn issue<'a>(
        &'a self,
        keys: &'a [IndexKey],
        admitted: &'a Admitted,
        now: Timestamp,
    ) -> StoreFuture<'a, Option<Timestamp>> {
        self.0.list.issue(keys, admitted, now)
    }

    fn endings_hold(&self) -> Option<StoreFuture<'_, ()>> {
        self.0.list.endings_hold()
    }

    /// Ready at an ending on any node, and whenever one may have been missed: at the end and the beginning of a
    /// connection, within five seconds and each at a moment by chance where many wait.
    fn changed(&self, family: &SessionId) -> Option<Changed> {
        Some(self.0.epochs.waiters.changed(family))
    }

    fn occupancy(&self) -> Occupancy {
        self.0.list.occupancy()
    }
}

#[cfg(test)]
mod tests;
