//! [`Cached`]: a store whose sessions are read from this node's memory.

use std::{fmt, sync::Arc};

use tokio::task::AbortHandle;
use tower_session_guard::{
    Record, SessionId, SessionStore, Timestamp, VerifiedId,
    store::{
        Changed, Counting, Created, Cursor, Cutoff, EndedPage, IndexKey, Lease, Page, Removed,
        Replaced, Revision, StoreFuture, Stored, feed::FeedStore,
    },
};

use crate::{
    clock::SteadyClock,
    epoch::Epochs,
    options::CacheOptions,
    own_writes::{OwnEnding, OwnWrite},
    sessions::{OpenSessions, SessionEpoch},
    stats::CacheStats,
    supervisor::supervise,
};

/// A store whose sessions are read from this node's memory, as long as a [`Lease`] lets it.
///
/// [`try_load`](SessionStore::try_load) answers from copies. [`load`](SessionStore::load) always asks the server, over
/// the connection that tells of the next change, and keeps a copy. A copy may admit and never refuses: the layer
/// asks `load` for every token that a copy does not open.
///
/// Every write goes to the store, and this node sees its own writes at once. While there is no connection, or its lease
/// has run out, every question goes to the store too.
///
/// A clone is another handle to the same copies. One background task keeps them up to date. It ends with the last
/// handle.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tower_session_guard::{ConfigError, KeyRing, SessionLayer, store::{Lease, feed::FeedStore}};
/// use tower_session_guard_cache::Cached;
///
/// async fn sessions(store: impl FeedStore) -> Result<(), ConfigError> {
///     let store = Cached::start(store, Lease::exact(Duration::from_millis(250))?);
///     let stats = store.stats();
///     let layer = SessionLayer::new(KeyRing::generate()?).with_store(store);
///     # let _ = (layer, stats);
///     Ok(())
/// }
/// ```
pub struct Cached<S>(Arc<Inner<S>>);

struct Inner<S> {
    store: Arc<S>,
    epochs: Arc<Epochs<SessionEpoch>>,
    task: AbortHandle,
}

impl<S> Cached<S>
where
    S: FeedStore,
{
    /// Keeps copies of the sessions of `store`, with the [default](CacheOptions::new) bounds.
    ///
    /// It returns at once and connects in the background. Until then the store answers.
    ///
    /// # Panics
    ///
    /// If it is called outside a Tokio runtime, or in one without a timer.
    #[must_use]
    pub fn start(store: S, lease: Lease) -> Self {
        Self::start_with(store, lease, CacheOptions::new())
    }

    /// The same, with bounds of your own.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start).
    #[must_use]
    pub fn start_with(store: S, lease: Lease, options: CacheOptions) -> Self {
        Self::start_by(SteadyClock::of_the_machine(), store, lease, options)
    }

    pub(crate) fn start_by(
        clock: SteadyClock,
        store: S,
        lease: Lease,
        options: CacheOptions,
    ) -> Self {
        let (store, epochs) = (Arc::new(store), Arc::new(Epochs::new(lease, clock)));
        let open = OpenSessions {
            store: Arc::clone(&store),
            options,
            lease,
            waiters: Arc::clone(&epochs.waiters),
        };
        let task = tokio::spawn(supervise(Arc::clone(&epochs), open)).abort_handle();
        Self(Arc::new(Inner {
            store,
            epochs,
            task,
        }))
    }

    /// The store whose sessions these are.
    #[must_use]
    pub fn store(&self) -> &S {
        &self.0.store
    }

    /// How the cache does.
    #[must_use]
    pub fn stats(&self) -> CacheStats {
        CacheStats::of(&self.0.epochs)
    }

    fn own_write<'a>(&'a self, id: &'a SessionId) -> OwnWrite<'a> {
        let epochs = &*self.0.epochs;
        OwnWrite { epochs, id }
    }
}

impl<S> Drop for Inner<S> {
    fn drop(&mut self) {
        self.task.abort();
        self.epochs.end_current();
    }
}

impl<S> Clone for Cached<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S> fmt::Debug for Cached<S>
where
    S: fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cached")
            .field("store", &self.0.store)
            .field("lease", &self.0.epochs.lease)
            .field("stats", &CacheStats::of(&self.0.epochs))
            .finish()
    }
}

impl<S> SessionStore for Cached<S>
where
    S: FeedStore,
{
    fn try_load(&self, id: VerifiedId<'_>, now: Timestamp) -> Option<Stored> {
        let epochs = &*self.0.epochs;
        let found = epochs.current().as_ref().and_then(|epoch| {
            // In this order: see `Trusted`.
            let trusted = epoch.lease.trusted();
            let stored = epoch.held.copies.get(id.get(), now)?;
            trusted.holds(epochs.clock.now()).then_some(stored)
        });
        epochs.counters.count(id.get(), found.is_some());
        found
    }

    fn load<'a>(&'a self, id: VerifiedId<'a>, now: Timestamp) -> StoreFuture<'a, Option<Stored>> {
        Box::pin(async move {
            let epochs = &*self.0.epochs;
            if let Some(epoch) = epochs.live()
                && let Some(answer) = epoch.load(id, now, &epochs.clock).await
            {
                return Ok(answer);
            }
            epochs.ask_past();
            self.0.store.load(id, now).await
        })
    }

    fn create<'a>(
        &'a self,
        id: &'a SessionId,
        record: &'a Record,
        counting: Counting,
        now: Timestamp,
    ) -> StoreFuture<'a, Created> {
        Box::pin(async move {
            let _forgets = self.own_write(id);
            self.0.store.create(id, record, counting, now).await
        })
    }

    fn replace<'a>(
        &'a self,
        id: &'a SessionId,
        revision: Revision,
        record: &'a Record,
        now: Timestamp,
    ) -> StoreFuture<'a, Replaced> {
        Box::pin(async move {
            let _forgets = self.own_write(id);
            self.0.store.replace(id, revision, record, now).await
        })
    }

    fn remove<'a>(
        &'a self,
        id: &'a SessionId,
        listed_under: Option<&'a IndexKey>,
    ) -> StoreFuture<'a, Removed> {
        Box::pin(async move {
            let _forgets = self.own_write(id);
            self.0.store.remove(id, listed_under).await
        })
    }

    fn heads<'a>(
        &'a self,
        key: &'a IndexKey,
        after: Option<&'a Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> StoreFuture<'a, Page> {
        self.0.store.heads(key, after, limit, now)
    }

    fn end_listed<'a>(
        &'a self,
        key: &'a IndexKey,
        after: Option<&'a Cursor>,
        limit: usize,
        except: Option<&'a SessionId>,
    ) -> StoreFuture<'a, EndedPage> {
        Box::pin(async move {
            let own = OwnEnding::new(&self.0.epochs);
            let answer = self.0.store.end_listed(key, after, limit, except).await;
            match &answer {
                Ok(page) if page.ended == 0 => own.nothing(),
                _ => own.answered().await,
            }
            answer
        })
    }

    fn raise_cutoff<'a>(
        &'a self,
        key: &'a IndexKey,
        cutoff: &'a Cutoff,
        now: Timestamp,
    ) -> StoreFuture<'a, ()> {
        self.0.store.raise_cutoff(key, cutoff, now)
    }

    fn cutoff<'a>(&'a self, key: &'a IndexKey, now: Timestamp) -> StoreFuture<'a, Option<Cutoff>> {
        self.0.store.cutoff(key, now)
    }

    fn endings_hold(&self) -> Option<StoreFuture<'_, ()>> {
        self.0.store.endings_hold()
    }

    /// Ready at a change on any node, and whenever one may have been missed: at the end and the beginning of a
    /// connection, within five seconds and each at a moment by chance where many wait.
    fn changed(&self, id: &SessionId) -> Option<Changed> {
        Some(self.0.epochs.waiters.changed(id))
    }

    fn live_records<'a>(&'a self, now: Timestamp) -> StoreFuture<'a, Option<u64>> {
        self.0.store.live_records(now)
    }
}
