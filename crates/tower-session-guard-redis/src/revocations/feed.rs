//! The feed of ended tokens: what the list's scripts publish, on a connection of its own.
//!
//! A node subscribes, holds its lease, from when on the scripts publish, and then reads the list page by page. What is
//! published meanwhile is held back until the last page, so that no older page goes over it.

use std::{
    convert::Infallible,
    str,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use redis::{PushKind, Value};
use tower_session_guard::{
    SessionId, Timestamp,
    store::{
        Lease, StoreError, StoreErrorKind, StoreFuture,
        feed::{Feed, FeedList, ListCopy},
        time_limit,
    },
};

use super::{RedisRevocations, SNAPSHOT};
use crate::{
    address::unsupported,
    feed::{
        lease::{HeldLease, Leases},
        line::{Hear, Line, ended, refusal},
        lines::Lines,
        over::Over,
    },
    script::Server,
    store::parse,
};

/// About how many entries one page of a snapshot has.
const PAGE: usize = 500;

/// The feed of a [`RedisRevocations`].
#[derive(Debug)]
struct ListFeed {
    lines: Lines,
    lease: HeldLease,
    limit: Duration,
}

/// Hands entries over to a node's copy.
#[derive(Debug)]
struct Inbox {
    copy: Arc<dyn ListCopy>,
    /// What was published before the copy had the whole list.
    held: Mutex<Option<Vec<Vec<u8>>>>,
    over: Over,
}

impl RedisRevocations {
    pub(super) fn leases(&self) -> Leases {
        Leases::at(format!("{}:lease", self.base()))
    }

    async fn follow(&self, copy: Arc<dyn ListCopy>, lease: Lease) -> Result<ListFeed, StoreError> {
        let (over, limit) = (Over::not_yet(), self.redis.time_limit());
        let inbox = Arc::new(Inbox {
            copy,
            held: Mutex::new(Some(Vec::new())),
            over: over.clone(),
        });
        let base = self.base();
        let opening = async {
            let servers = self.redis.link.servers()?;
            let lines = Lines::dial(servers, &base, &Arc::clone(&inbox).hear(), over).await?;
            let line = lines.of(&base)?;
            subscribe(line, &base, lines.is_of_a_cluster()).await?;
            let lease = self.leases().hold(lease, line).await?;
            Ok(ListFeed {
                lines,
                lease,
                limit,
            })
        };
        let mut feed = time_limit::within(limit, opening).await?;
        let mut cursor = b"0".to_vec();
        loop {
            let call = self
                .call(&SNAPSHOT, Timestamp::default())
                .arg(&cursor)
                .arg(PAGE);
            let line = feed.lines.of(&base)?;
            let page = async { parse(call.run(line).await) };
            let (next, entries): (Vec<u8>, Vec<Vec<u8>>) = time_limit::within(limit, page).await?;
            let (entries, _) = entries.as_chunks();
            for [name, value] in entries {
                inbox.put(name, value);
            }
            if next == b"0" {
                break;
            }
            cursor = next;
        }
        inbox.open();
        feed.fence().await?;
        Ok(feed)
    }
}

async fn subscribe(line: &Line, channel: &str, is_cluster: bool) -> Result<(), StoreError> {
    let sharded = line.run(redis::cmd("SSUBSCRIBE").arg(channel)).await;
    let Err(error) = sharded else { return Ok(()) };
    let is_unknown = error
        .detail()
        .is_some_and(|detail| detail.starts_with("unknown "));
    if !is_unknown {
        return Err(refusal(error, NO_CHANNEL));
    }
    if is_cluster {
        return Err(unsupported(OLD_CLUSTER));
    }
    let ordinary = line.run(redis::cmd("SUBSCRIBE").arg(channel)).await;
    ordinary.map_err(|error| refusal(error, NO_CHANNEL))?;
    Ok(())
}

const NO_CHANNEL: &str = "the user may not hear of what ends: it needs the permissions `+subscribe`, `+ssubscribe`, \
    `+publish`, `+spublish`, and `&` with the namespace and `*`";

const OLD_CLUSTER: &str = "a cluster tells of what ends from Redis 7 on, or with Valkey";

impl Inbox {
    fn hear(self: Arc<Self>) -> Hear {
        Arc::new(move |kind, data| {
            match kind {
                PushKind::Message | PushKind::SMessage => {}
                // The slot of the channel has left its server.
                PushKind::Unsubscribe | PushKind::SUnsubscribe => return self.over.set(),
                _ => return,
            }
            // The channel, and what was published there.
            match <[Value; 2]>::try_from(data) {
                Ok([_, Value::BulkString(entry)]) => self.take(entry),
                _ => self.over.set(),
            }
        })
    }

    fn take(&self, entry: Vec<u8>) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *held {
            Some(held) => held.push(entry),
            None => self.put_published(&entry),
        }
    }

    /// Hands over what was held back, and from now on what comes.
    fn open(&self) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        for entry in held.take().unwrap_or_default() {
            self.put_published(&entry);
        }
    }

    fn put_published(&self, entry: &[u8]) {
        match entry.iter().position(|byte| *byte == 0) {
            Some(end) => self.put(&entry[..end], &entry[end + 1..]),
            None => self.over.set(),
        }
    }

    /// An entry that this release cannot read ends the feed: the copy would lack it.
    fn put(&self, name: &[u8], value: &[u8]) {
        if put(&*self.copy, name, value).is_none() {
            self.over.set();
        }
    }
}

/// Hands over one entry, by the name of its key and its value. `list.lua` says what there is.
fn put(copy: &dyn ListCopy, name: &[u8], value: &[u8]) -> Option<()> {
    let name = str::from_utf8(name).ok()?;
    if let Some(digest) = name.strip_prefix("of:") {
        let digest = URL_SAFE_NO_PAD.decode(digest).ok()?.try_into().ok()?;
        let (at, rest) = time(value)?;
        let (until, rest) = time(rest)?;
        let (_mark, spared) = rest.split_first_chunk::<16>()?;
        let spared = match spared {
            [] => None,
            spared => Some(SessionId::from_bytes(spared.try_into().ok()?)),
        };
        copy.put_cutoff(&digest, at, spared.as_ref(), until);
        return Some(());
    }
    let family: SessionId = name.parse().ok()?;
    let (kind, rest) = value.split_first()?;
    let (until, rest) = time(rest)?;
    match (kind, rest) {
        (b'E' | b'S', []) => copy.put_family(&family, None, until),
        (b'L', rest) => {
            // Flags, until when there is grace, and for which id.
            let (current, _superseded) = rest.get(1 + 8 + 16..)?.split_first_chunk()?;
            copy.put_family(&family, Some(&SessionId::from_bytes(*current)), until);
        }
        _ => return None,
    }
    Some(())
}

fn time(bytes: &[u8]) -> Option<(Timestamp, &[u8])> {
    let (millis, rest) = bytes.split_first_chunk()?;
    Some((
        Timestamp::from_unix_millis(u64::from_be_bytes(*millis)),
        rest,
    ))
}

impl ListFeed {
    async fn prove(&mut self) -> Result<(), StoreError> {
        let line = self.lines.of(self.lease.key())?;
        self.lines.ensure_unmoved(line).await?;
        let mark = self.lease.check(line).await?;
        // While no lease counted, nothing was published.
        if mark != *self.lease.mark() {
            return Err(StoreError::with_source(
                StoreErrorKind::Unavailable,
                "the lease was lost, and with it what ended meanwhile",
            ));
        }
        self.lines.ensure_open()
    }
}

impl Feed for ListFeed {
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

impl FeedList for RedisRevocations {
    fn open_feed<'a>(
        &'a self,
        copy: Arc<dyn ListCopy>,
        lease: Lease,
    ) -> StoreFuture<'a, Box<dyn Feed>> {
        Box::pin(async move {
            let feed = self.follow(copy, lease).await?;
            Ok(Box::new(feed) as Box<dyn Feed>)
        })
    }
}
