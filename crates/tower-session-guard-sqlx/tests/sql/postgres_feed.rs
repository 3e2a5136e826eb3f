//! The feed of changes in PostgreSQL, and copies that go by it (R75).

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use sqlx::postgres::{PgConnectOptions, PgPool};
use test_support::server::StoreServer;
use tower_session_guard::{
    SessionId, SessionStore,
    store::{
        IndexKey, Lease, Replaced, Revision, StoreErrorKind,
        feed::{Copies, FeedStore},
    },
    testing::{
        RecordBuilder, claim_for,
        store_contract::{StoreContract, StoreUnderTest},
    },
};
use tower_session_guard_cache::Cached;
use tower_session_guard_sqlx::PostgresStore;

use super::{
    common::{create, end, load, now, numbered},
    postgres::{fresh, patient, pool},
    postgres_server::Server,
};

/// How long a test waits for what it expects.
const SOON: Duration = Duration::from_secs(10);

fn exact() -> Lease {
    Lease::exact(Duration::from_millis(300)).unwrap()
}

/// A node with copies, once its feed is open.
async fn node(options: &PgConnectOptions, lease: Lease) -> Cached<PostgresStore> {
    let node = Cached::start(patient(options.clone()), lease);
    until(|| node.stats().is_live()).await;
    node
}

async fn until(holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < SOON, "it did not happen");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// What a node answers from memory.
fn at_hand(node: &Cached<PostgresStore>, id: &SessionId) -> bool {
    let claim = claim_for(id, [0; 16]);
    node.try_load((&claim).into(), now()).is_some()
}

async fn new_session(store: &dyn SessionStore, number: u64) -> (SessionId, Revision) {
    let id = numbered(number);
    let record = RecordBuilder::new(now()).subject("alice").build();
    let (revision, _) = create(store, &id, &record, now()).await;
    (id, revision)
}

/// How many backends of other connections listen, by their pids.
async fn listening(admin: &PgPool) -> Vec<i32> {
    let query = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'WITH renewed AS%'";
    sqlx::query_scalar(query).fetch_all(admin).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres_with_copies_holds_the_contract() {
    let Some(server) = Server::start() else {
        return;
    };
    let lease = Lease::exact(Duration::from_millis(100)).unwrap();
    let make = || async {
        let (_, own) = fresh(&server).await;
        let (node, other) = (node(&own, lease).await, node(&own, lease).await);
        StoreUnderTest::new(node).with_second_node(other)
    };
    let contract = StoreContract::new(now(), make).with_freshness(lease.into());
    // What copies have no part in is held without them.
    let is_volume = |name: &str| name.contains("many_sessions");
    let report = contract.run_where(|name| !is_volume(name)).await;
    println!("postgres with copies: {report}");
    report.assert_held();
}

/// R75, R66: a node forgets what another one ended before that is acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_ending_holds_on_every_node_before_it_is_acknowledged() {
    let Some(server) = Server::start() else {
        return;
    };
    let (plain, options) = fresh(&server).await;
    let node = node(&options, exact()).await;
    for number in 0..20 {
        let (id, _) = new_session(&plain, number).await;
        assert!(load(&node, &id, now()).await.is_some());
        assert!(at_hand(&node, &id));
        // By a node that holds no copies, under its key and by its id.
        let began = Instant::now();
        if number % 2 == 0 {
            assert_eq!(end(&plain, &IndexKey::owner("", &"alice".into())).await, 1);
        } else {
            let _ = plain.remove(&id, None).await.unwrap();
        }
        plain.endings_hold().unwrap().await.unwrap();
        assert!(!at_hand(&node, &id));
        let waited = began.elapsed();
        assert!(waited >= Duration::from_millis(300), "{waited:?}");
        assert!(waited < SOON, "{waited:?}");
    }
}

/// R75: an ending waits for the longest lease if any is exact, else for none.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn endings_wait_for_the_longest_lease_if_any_is_exact() {
    let Some(server) = Server::start() else {
        return;
    };
    let (plain, options) = fresh(&server).await;
    let waits = async || {
        let began = Instant::now();
        plain.endings_hold().unwrap().await.unwrap();
        began.elapsed()
    };
    let none = Duration::from_millis(700);
    assert!(waits().await < none, "without copies");
    let second = Duration::from_secs(1);
    let bounded = node(&options, Lease::bounded(second).unwrap()).await;
    assert!(waits().await < none, "with a bounded lease");
    let exact = node(&options, exact()).await;
    let waited = waits().await;
    assert!((second..SOON).contains(&waited), "{waited:?}");
    drop((bounded, exact));
    // What its nodes held may still count where they crashed.
    assert!(waits().await >= second);
}

/// R75: a data write is told of, and a touch is not; nobody is told where no node holds copies.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_touch_is_not_told_of() {
    let Some(server) = Server::start() else {
        return;
    };
    let (plain, options) = fresh(&server).await;
    let node = node(&options, exact()).await;
    let (id, revision) = new_session(&plain, 1).await;
    assert!(load(&node, &id, now()).await.is_some());

    let fence = async || node.endings_hold().unwrap().await.unwrap();
    let write = async |revision, record| {
        let replaced = plain.replace(&id, revision, &record, now()).await.unwrap();
        match replaced {
            Replaced::Replaced(revision) => revision,
            other => panic!("{other:?}"),
        }
    };
    let stored = load(&plain, &id, now()).await.unwrap().record;
    let later = now().after(Duration::from_secs(60));
    let touched = RecordBuilder::of(&stored).used_at(later);
    let revision = write(revision, touched.build()).await;
    fence().await;
    assert!(at_hand(&node, &id), "a touch leaves copies as they are");
    let changed = RecordBuilder::new(now()).subject("alice").entry("k", "1");
    write(revision, changed.build()).await;
    fence().await;
    assert!(!at_hand(&node, &id), "a write of data does not");

    // A process of the release before writes without the digest.
    assert!(load(&node, &id, now()).await.is_some());
    let admin = pool(options);
    sqlx::raw_sql("UPDATE session_guard SET revision = revision + 1")
        .execute(&admin)
        .await
        .unwrap();
    fence().await;
    assert!(
        !at_hand(&node, &id),
        "nor does one of whom nobody knows what it wrote"
    );
}

/// R75: what a node may have missed is forgotten, and it serves again soon.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_killed_backend_and_a_restart_end_the_epoch() {
    let Some(server) = Server::start() else {
        return;
    };
    let (plain, options) = fresh(&server).await;
    let node = node(&options, exact()).await;
    let admin = pool(server.options());
    let (id, _) = new_session(&plain, 1).await;
    assert!(load(&node, &id, now()).await.is_some());
    assert!(at_hand(&node, &id));

    let pids = listening(&admin).await;
    assert_eq!(pids.len(), 1, "one connection listens");
    let epochs = node.stats().epochs();
    sqlx::query("SELECT pg_terminate_backend($1)")
        .bind(pids[0])
        .execute(&admin)
        .await
        .unwrap();
    let cut = Instant::now();
    until(|| node.stats().epochs() > epochs && node.stats().is_live()).await;
    assert!(cut.elapsed() < SOON, "{:?}", cut.elapsed());
    assert!(!at_hand(&node, &id), "the new epoch begins empty");

    assert!(load(&node, &id, now()).await.is_some());
    assert!(at_hand(&node, &id));
    server.pause();
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert!(
        !at_hand(&node, &id),
        "a server that stands still answers no fence"
    );
    server.go_on();
    until(|| node.stats().is_live()).await;

    let epochs = node.stats().epochs();
    server.kill();
    server.start_again();
    let back = Instant::now();
    until(|| node.stats().epochs() > epochs && node.stats().is_live()).await;
    assert!(back.elapsed() < SOON, "{:?}", back.elapsed());
    assert!(!at_hand(&node, &id));
    assert!(load(&node, &id, now()).await.is_some());
}

/// R75: a lease that was taken away, or lapsed while its node stood still, is not held again by a fence.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_lease_that_the_namespace_lost_ends_the_epoch() {
    let Some(server) = Server::start() else {
        return;
    };
    let (plain, options) = fresh(&server).await;
    let node = node(&options, exact()).await;
    let epochs = node.stats().epochs();
    let admin = pool(options);
    sqlx::raw_sql("DELETE FROM session_guard_leases")
        .execute(&admin)
        .await
        .unwrap();
    until(|| node.stats().epochs() > epochs && node.stats().is_live()).await;
    let (id, _) = new_session(&plain, 1).await;
    assert!(load(&node, &id, now()).await.is_some());
    let _ = plain.remove(&id, None).await.unwrap();
    plain.endings_hold().unwrap().await.unwrap();
    assert!(!at_hand(&node, &id));
}

/// R75: an epoch whose connection does not hear what others notify of is refused, with the remedy.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_connection_that_hears_nothing_is_refused() {
    #[derive(Debug)]
    struct Nothing;

    impl Copies for Nothing {
        fn forget(&self, _: &SessionId) {}
        fn forget_all(&self) {}
    }

    let Some(server) = Server::start() else {
        return;
    };
    let (plain, options) = fresh(&server).await;
    // Notifications stay within a database, as they stay away from who is behind a pooler.
    let deaf = options.database("template1");
    let store = plain.with_feed_options(deaf);
    let store = store.with_time_limit(Duration::from_secs(2));
    let error = store
        .open_feed(Arc::new(Nothing), exact())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unsupported);
    let said = format!("{error:?}");
    assert!(said.contains("with_feed_options"), "{said}");
}
