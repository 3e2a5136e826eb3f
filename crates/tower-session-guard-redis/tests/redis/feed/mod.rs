//! The feed of changed records: what it tells and when, what ends it, and what it costs.

mod cluster;
mod ends;
mod holds;
mod order;
mod refusals;

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, SystemTime},
};

use test_support::redis::Server;
use tower_session_guard::{
    Record, SessionId, SessionStore, Timestamp,
    store::{
        Counting, Created, Lease, Replaced, Revision, StoreError, Stored,
        feed::{Copies, Feed, FeedReader, FeedStore, OpenFeed},
    },
    testing::{RecordBuilder, claim_for},
};
use tower_session_guard_redis::RedisStore;

/// What a feed told.
#[derive(Debug, Default)]
struct Told {
    ids: Mutex<BTreeSet<SessionId>>,
    all: AtomicU64,
}

impl Copies for Told {
    fn forget(&self, id: &SessionId) {
        self.ids.lock().unwrap().insert(*id);
    }

    fn forget_all(&self) {
        self.all.fetch_add(1, SeqCst);
    }
}

impl Told {
    /// Whether the feed told of this record, since this was asked last.
    fn take(&self, id: &SessionId) -> bool {
        self.ids.lock().unwrap().remove(id)
    }

    fn is_empty(&self) -> bool {
        self.ids.lock().unwrap().is_empty() && self.all.load(SeqCst) == 0
    }
}

fn now() -> Timestamp {
    SystemTime::now().into()
}

fn id(number: u64) -> SessionId {
    let mut bytes = [7; SessionId::LEN];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    SessionId::from_bytes(bytes)
}

fn exact(millis: u64) -> Lease {
    Lease::exact(Duration::from_millis(millis)).unwrap()
}

fn bounded(millis: u64) -> Lease {
    Lease::bounded(Duration::from_millis(millis)).unwrap()
}

fn record(subject: &str) -> Record {
    RecordBuilder::new(now()).subject(subject).build()
}

async fn create(store: &RedisStore, id: &SessionId) -> Revision {
    let record = record("alice");
    let created = store.create(id, &record, Counting::Counted, now());
    match created.await.unwrap() {
        Created::Created { revision, .. } => revision,
        other => panic!("{other:?}"),
    }
}

async fn touch(store: &RedisStore, id: &SessionId, revision: Revision) -> Revision {
    let record = record("alice");
    let replaced = store.replace(id, revision, &record, now());
    match replaced.await.unwrap() {
        Replaced::Replaced(revision) => revision,
        other => panic!("{other:?}"),
    }
}

/// A feed and what it told so far.
async fn follow(store: &RedisStore, lease: Lease) -> Result<(OpenFeed, Arc<Told>), StoreError> {
    let told = Arc::<Told>::default();
    let feed = store.open_feed(Arc::clone(&told) as _, lease).await?;
    Ok((feed, told))
}

/// Reads a record over a feed.
async fn load(reader: &Arc<dyn FeedReader>, id: &SessionId) -> Result<Option<Stored>, StoreError> {
    let claim = claim_for(id, [0; 16]);
    reader.load((&claim).into(), now()).await
}

/// Waits until a feed ends, and says how long that took.
async fn end_of(feed: &mut Box<dyn Feed>) -> Duration {
    let began = std::time::Instant::now();
    let ended = tokio::time::timeout(Duration::from_secs(5), feed.listen()).await;
    let error = ended.expect("the feed ends").unwrap_err();
    println!("a feed ended: {error}");
    began.elapsed()
}

/// A write to a record that was read over a feed is told, whatever way leads to the server.
pub(crate) async fn expect_told(store: &RedisStore) {
    let (mut feed, told) = follow(store, exact(250)).await.unwrap();
    let revision = create(store, &id(1)).await;
    load(&feed.reader, &id(1)).await.unwrap().unwrap();
    touch(store, &id(1), revision).await;
    feed.feed.fence().await.unwrap();
    assert!(told.take(&id(1)));
}

/// Takes a lease out of those that a namespace holds, as if its time were over.
pub(crate) fn drop_lease(server: &Server, key: &str, name: &str) {
    let answer = server.ask(&format!("GET {key}")).unwrap();
    let leases: Vec<_> = answer.lines().last().unwrap().split(' ').collect();
    let left = leases
        .iter()
        .filter(|lease| !lease.starts_with(&format!("{name},")));
    let left: Vec<_> = left.copied().collect();
    assert!(left.len() < leases.len(), "{answer}");
    if left.is_empty() {
        server.wait_for(&format!("DEL {key}"), ":1");
    } else {
        server.wait_for(&format!("SET {key} \"{}\"", left.join(" ")), "OK");
    }
}

/// How often a server carried out each command, by its name.
fn commands(server: &Server) -> Vec<(String, u64)> {
    let stats = server.ask("INFO commandstats").unwrap();
    let lines = stats.lines().filter_map(|line| {
        let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        let calls = rest.split(',').next()?.parse().ok()?;
        Some((name.to_owned(), calls))
    });
    lines.filter(|(name, _)| name != "info").collect()
}
