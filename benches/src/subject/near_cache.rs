//! This crate behind its near cache, over a server that is this process's memory: what a copy costs by itself.

use std::convert::Infallible;
use std::future::pending;
use std::rc::Rc;
use std::sync::Arc;

use tokio::runtime::Runtime;
use tower_session_guard::store::feed::{Copies, Feed, FeedReader, FeedStore, OpenFeed};
use tower_session_guard::store::{
    Counting, Created, Cursor, Cutoff, EndedPage, IndexKey, Lease, Page, Removed, Replaced,
    Revision, StoreFuture, Stored,
};
use tower_session_guard::{MemoryStore, Record, SessionId, SessionStore, Timestamp, VerifiedId};
use tower_session_guard_cache::Cached;

use super::guard::{stored_layer, subject};
use super::{Keeps, Subject};

pub(super) fn near_cache(runtime: &Rc<Runtime>) -> Box<dyn Subject> {
    let lease = Lease::bounded(Lease::MAX).expect("the longest");
    let store = Cached::start(Quiet(MemoryStore::new()), lease);
    let name = "tower-session-guard, near cache";
    subject(
        runtime,
        name,
        Keeps::BehindSignedCookie,
        stored_layer(store),
    )
}

/// A store that nobody else writes, so that its feed has nothing to tell of. A clone is another handle.
#[derive(Clone, Debug)]
struct Quiet(MemoryStore);

impl FeedStore for Quiet {
    fn open_feed<'a>(&'a self, _: Arc<dyn Copies>, _: Lease) -> StoreFuture<'a, OpenFeed> {
        let opened = OpenFeed::new(self.clone(), Arc::new(self.clone()));
        Box::pin(async { Ok(opened) })
    }
}

impl Feed for Quiet {
    fn listen(&mut self) -> StoreFuture<'_, Infallible> {
        Box::pin(pending())
    }

    fn fence(&mut self) -> StoreFuture<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}

impl FeedReader for Quiet {
    fn load<'a>(&'a self, id: VerifiedId<'a>, now: Timestamp) -> StoreFuture<'a, Option<Stored>> {
        self.0.load(id, now)
    }
}

/// `try_load` is the provided one, as of a store on a server.
impl SessionStore for Quiet {
    fn load<'a>(&'a self, id: VerifiedId<'a>, now: Timestamp) -> StoreFuture<'a, Option<Stored>> {
        self.0.load(id, now)
    }

    all_but_load_of!(0);
}
