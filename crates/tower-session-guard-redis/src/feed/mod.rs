//! The feed of changed records: `CLIENT TRACKING` on connections of its own.
//!
//! What a node reads over the feed the server remembers, and it tells of the next change. On a cluster the
//! connections to all primaries are one feed: a lost primary ends the feed of the whole cluster, and the next feed asks
//! again who has which slots. A node's copies come back as they are read, and a feed for each primary would take a
//! lease and copies for each.

pub(crate) mod lease;
pub(crate) mod line;
pub(crate) mod lines;
pub(crate) mod over;
mod slots;

use std::{
    convert::Infallible,
    str,
    sync::{Arc, Weak},
    time::Duration,
};

use futures_util::future::{try_join, try_join_all};
use redis::{PushKind, Value};
use tower_session_guard::{
    SessionId, Timestamp, VerifiedId,
    store::{
        Lease, StoreError, StoreFuture, Stored,
        feed::{Copies, Feed, FeedReader, FeedStore, OpenFeed},
        time_limit,
    },
};

use self::{
    lease::{HeldLease, Leases},
    line::{Hear, Line, ended},
    lines::Lines,
    over::Over,
};
use crate::{RedisStore, envelope::open, script::READ, store::parse};

/// The feed of a [`RedisStore`].
#[derive(Debug)]
struct RedisFeed {
    lines: Arc<Lines>,
    lease: HeldLease,
    limit: Duration,
}

/// Reads over the connections of a feed, for as long as it is there.
#[derive(Debug)]
struct RedisReader {
    lines: Weak<Lines>,
    store: RedisStore,
}

impl RedisStore {
    /// The leases of the nodes that hold copies of records.
    pub(crate) fn leases(&self) -> Leases {
        Leases::at(format!("{}{{lease}}", self.namespace))
    }

    async fn follow(&self, copies: Arc<dyn Copies>, lease: Lease) -> Result<OpenFeed, StoreError> {
        let over = Over::not_yet();
        let hear = hear(copies, Arc::clone(&self.namespace), over.clone());
        let lines = Lines::dial(self.link.servers()?, &self.namespace, &hear, over).await?;
        try_join_all(lines.each().map(Line::track)).await?;
        // Before the first record is read.
        let leases = self.leases();
        let holder = lines.of(leases.key())?;
        let lease = leases.hold(lease, holder).await?;
        let lines = Arc::new(lines);
        let reader = RedisReader {
            lines: Arc::downgrade(&lines),
            store: self.clone(),
        };
        let feed = RedisFeed {
            lines,
            lease,
            limit: self.time_limit(),
        };
        Ok(OpenFeed::new(feed, Arc::new(reader)))
    }
}

/// Forgets the copies of the records that a server names.
fn hear(copies: Arc<dyn Copies>, namespace: Arc<str>, over: Over) -> Hear {
    Arc::new(move |kind, data| {
        if kind != PushKind::Invalidate {
            return;
        }
        match data.first() {
            Some(Value::Array(keys)) => {
                for key in keys {
                    match record_of(key, &namespace) {
                        Some(id) => copies.forget(&id),
                        None => copies.forget_all(),
                    }
                }
            }
            // The whole database was emptied, and the lease with it.
            _ => {
                copies.forget_all();
                over.set();
            }
        }
    })
}

/// The id of the record in a key.
fn record_of(key: &Value, namespace: &str) -> Option<SessionId> {
    let Value::BulkString(key) = key else {
        return None;
    };
    let id = str::from_utf8(key).ok()?.strip_prefix(namespace)?;
    id.strip_prefix('{')?.strip_suffix('}')?.parse().ok()
}

impl RedisFeed {
    /// A server carries out the commands of one connection in their order, and what it tells comes before its later
    /// answers. So the answer of each primary proves what was written on it.
    async fn prove(&mut self) -> Result<(), StoreError> {
        let holder = self.lines.of(self.lease.key())?;
        let others = try_join(
            self.lines.fence_but(holder),
            self.lines.ensure_unmoved(holder),
        );
        let (mark, _) = try_join(self.lease.check(holder), others).await?;
        if mark != *self.lease.mark() {
            // An ending may have been committed, and have found no lease, between the fence of its primary and now.
            self.lines.fence_but(holder).await?;
            self.lease.renew(mark);
        }
        self.lines.ensure_open()
    }
}

impl Feed for RedisFeed {
    fn listen(&mut self) -> StoreFuture<'_, Infallible> {
        Box::pin(async {
            self.lines.over().wait().await;
            Err(ended())
        })
    }

    fn fence(&mut self) -> StoreFuture<'_, ()> {
        Box::pin(async {
            self.lines.ensure_open()?;
            let fenced = time_limit::within(self.limit, self.prove()).await;
            if fenced.is_err() {
                self.lines.over().set();
            }
            fenced
        })
    }
}

impl FeedReader for RedisReader {
    fn load<'a>(&'a self, id: VerifiedId<'a>, now: Timestamp) -> StoreFuture<'a, Option<Stored>> {
        Box::pin(async move {
            let lines = self.lines.upgrade().ok_or_else(ended)?;
            lines.ensure_open()?;
            let key = self.store.record_key(id.get());
            let call = READ.on(key.clone());
            let reading = async { parse(call.run(lines.of(&key)?).await) };
            let value: Option<Vec<u8>> =
                time_limit::within(self.store.time_limit(), reading).await?;
            // Its next change may not be told any more.
            lines.ensure_open()?;
            value.map_or(Ok(None), |value| open(&value, now))
        })
    }
}

impl FeedStore for RedisStore {
    fn open_feed<'a>(&'a self, copies: Arc<dyn Copies>, lease: Lease) -> StoreFuture<'a, OpenFeed> {
        Box::pin(time_limit::within(
            self.time_limit(),
            self.follow(copies, lease),
        ))
    }
}
