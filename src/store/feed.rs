//! How a store tells a node of changes, so that the node may answer from its own memory.
//!
//! [`FeedStore`] is a [`SessionStore`] with a feed of changed records, [`FeedList`] a [`RevocationList`] with a feed of
//! what ends. The crate `tower-session-guard-cache` keeps copies by them. A store implements the connection; who opens
//! it decides for how long what it holds is [trusted](super::Lease).
//!
//! # The contract
//!
//! *Epochs.* A feed is one connection, to one server, and everything that it tells is handed to the copies that it
//! was opened with. It never reconnects by itself: once the connection is lost, or the server is no longer the one that
//! takes writes, every call fails, and what was opened is dropped.
//!
//! *Order.* What is told is handed over in the order of the writes, within [`listen`](Feed::listen),
//! [`fence`](Feed::fence) or the task that reads the connection, never by a task that may lag behind it.
//!
//! *Fences.* Once a [`fence`](Feed::fence) is answered, every write that the server answered before it got the fence
//! is handed over. A server that would refuse a write refuses a fence.
//!
//! *Leases.* Before a feed is handed out, and with its fences from then on, the store's namespace holds the lease that
//! the feed was opened with, for at least twice the lease's time after the last fence. Endings
//! [wait](SessionStore::endings_hold) for the longest one that the namespace holds if any is exact.

use std::{convert::Infallible, fmt, sync::Arc};

use super::{Lease, SessionStore, StoreFuture, Stored, revocation::RevocationList};
use crate::session::{
    id::{SessionId, VerifiedId},
    time::Timestamp,
};

/// A store that tells a node which records others changed.
pub trait FeedStore: SessionStore {
    /// Opens a feed for a node that goes by `lease`: what changes is forgotten by `copies`.
    ///
    /// # Errors
    ///
    /// If the server cannot be reached, does not take writes, or cannot tell of changes
    /// ([`Unsupported`](super::StoreErrorKind::Unsupported), with the remedy).
    fn open_feed<'a>(&'a self, copies: Arc<dyn Copies>, lease: Lease) -> StoreFuture<'a, OpenFeed>;
}

/// A list of ended tokens that tells a node what others ended.
pub trait FeedList: RevocationList {
    /// Opens a feed for a node that goes by `lease`: `copy` has everything that the list holds once the future is done,
    /// and what is added from then on.
    ///
    /// # Errors
    ///
    /// As [`FeedStore::open_feed`].
    fn open_feed<'a>(
        &'a self,
        copy: Arc<dyn ListCopy>,
        lease: Lease,
    ) -> StoreFuture<'a, Box<dyn Feed>>;
}

/// An open feed of changed records.
#[derive(Debug)]
#[non_exhaustive]
pub struct OpenFeed {
    /// What listens and sends fences: one task owns it.
    pub feed: Box<dyn Feed>,
    /// What loads records such that the feed tells of their next change.
    pub reader: Arc<dyn FeedReader>,
}

impl OpenFeed {
    /// A feed and its reader.
    #[must_use]
    pub fn new(feed: impl Feed, reader: Arc<dyn FeedReader>) -> Self {
        Self {
            feed: Box::new(feed),
            reader,
        }
    }
}

/// One connection that tells of changes. Dropped, it is closed.
pub trait Feed: fmt::Debug + Send + 'static {
    /// Hands over what is told, for as long as the connection lives. Dropped, it has lost nothing.
    ///
    /// # Errors
    ///
    /// Once the connection is lost or its server does not tell everything any more.
    fn listen(&mut self) -> StoreFuture<'_, Infallible>;

    /// Proves that everything was handed over that was written before this call.
    ///
    /// It may take as long as the store's time limit. Dropped half-way, it has lost nothing.
    ///
    /// # Errors
    ///
    /// If it is not proved. The feed is of no more use then.
    fn fence(&mut self) -> StoreFuture<'_, ()>;
}

/// Loads records over a feed.
pub trait FeedReader: fmt::Debug + Send + Sync + 'static {
    /// The live record under a verified id, as strongly consistent as [`SessionStore::load`]; its next change, by
    /// anybody, is told by the feed.
    ///
    /// # Errors
    ///
    /// As [`SessionStore::load`]. The feed may be over then, or not.
    fn load<'a>(&'a self, id: VerifiedId<'a>, now: Timestamp) -> StoreFuture<'a, Option<Stored>>;
}

/// A node's copies of records, as a feed sees them.
///
/// Both methods return at once and never panic: a feed may call them where it reads its connection.
pub trait Copies: fmt::Debug + Send + Sync + 'static {
    /// Forgets the copy of a record that changed or may have changed.
    fn forget(&self, id: &SessionId);

    /// Forgets all of them.
    fn forget_all(&self);
}

/// A node's copy of a list of ended tokens, as a feed sees it.
///
/// The methods return at once and never panic: a feed may call them where it reads its connection.
pub trait ListCopy: fmt::Debug + Send + Sync + 'static {
    /// A session whose token was replaced: `current` is its token now, and `None` if it ended. The entry is kept
    /// until `until`.
    fn put_family(&self, family: &SessionId, current: Option<&SessionId>, until: Timestamp);

    /// Everything under the key of this [digest](super::IndexKey::digest) that was issued at `at` or earlier has ended,
    /// but for the session of one family. The entry is kept until `until`.
    fn put_cutoff(
        &self,
        key: &[u8; 16],
        at: Timestamp,
        spared: Option<&SessionId>,
        until: Timestamp,
    );
}
