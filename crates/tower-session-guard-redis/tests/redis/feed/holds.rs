//! The leases of a namespace, and for how long endings wait for them.

use std::time::{Duration, Instant};

use test_support::{
    proxy::Proxy,
    redis::{Server, redis},
    server::StoreServer,
};
use tower_session_guard::SessionStore;
use tower_session_guard_redis::RedisStore;

use super::{bounded, commands, create, drop_lease, exact, follow, id, load};
use crate::{contract::namespace, patient};

const LEASES: &str = "session:{lease}";

async fn wait(store: &RedisStore) -> Duration {
    let began = Instant::now();
    store.endings_hold().unwrap().await.unwrap();
    began.elapsed()
}

/// R75: on a node without copies too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endings_wait_for_the_longest_lease_of_the_namespace_if_any_is_exact() {
    let Some(program) = redis() else { return };
    let server = Server::start(&program, &[]);
    let store = patient(server.url()).await;
    let elsewhere = patient(server.url()).await.with_namespace(namespace());
    let millis = Duration::from_millis;
    assert!(wait(&store).await < millis(100));

    let (long, _) = follow(&store, bounded(700)).await.unwrap();
    assert!(wait(&store).await < millis(100), "no lease is exact");
    let (short, _) = follow(&store, exact(200)).await.unwrap();
    let waited = wait(&store).await;
    assert!((millis(700)..millis(1000)).contains(&waited), "{waited:?}");
    assert!(wait(&elsewhere).await < millis(100), "another namespace");

    // A lease outlives its feed: the node may only have lost its connection.
    drop((long, short));
    assert!(wait(&store).await >= millis(700));
    drop_lease(&server, LEASES, "b700");
    let waited = wait(&store).await;
    assert!((millis(200)..millis(500)).contains(&waited), "{waited:?}");
    drop_lease(&server, LEASES, "e200");
    assert!(wait(&store).await < millis(100));
}

/// A lease counts for two minutes, and a fence writes one that is gone again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fence_keeps_the_lease_of_its_node() {
    let Some(program) = redis() else { return };
    let server = Server::start(&program, &[]);
    let store = patient(server.url()).await;
    let (mut feed, _) = follow(&store, exact(200)).await.unwrap();
    let left = server.ask("PTTL session:{lease}").unwrap();
    let left: u64 = left[1..].trim().parse().unwrap();
    assert!((60_000..=120_000).contains(&left), "{left}");

    drop_lease(&server, LEASES, "e200");
    feed.feed.fence().await.unwrap();
    assert!(wait(&store).await >= Duration::from_millis(200));
    feed.feed.fence().await.unwrap();
    // Another node's lease of the same name is as good.
    let (mut second, _) = follow(&store, exact(200)).await.unwrap();
    second.feed.fence().await.unwrap();
    feed.feed.fence().await.unwrap();
}

/// R75: an ending that finds a lease whose time is over takes it out, so that its node's next fence tells.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lapsed_lease_is_taken_out_by_the_ending_that_finds_it() {
    let Some(program) = redis() else { return };
    let server = Server::start(&program, &[]);
    let store = patient(server.url()).await;
    server.wait_for(
        "SET session:{lease} \"e900,1000,af b700,9999999999999,b0\"",
        "OK",
    );
    assert!(wait(&store).await < Duration::from_millis(500));
    let left = server.ask("GET session:{lease}").unwrap();
    assert!(
        left.contains("b700,9999999999999,b0") && !left.contains("e900"),
        "{left}"
    );
    let left = server.ask("PTTL session:{lease}").unwrap();
    assert!(!left.contains(":-1"), "{left}");

    // What is no list of leases fails endings: nobody knows for how long to wait.
    for damaged in ["nonsense", "e900,x,af", "\"e900,9999999999999,af b\""] {
        server.wait_for(&format!("SET session:{{lease}} {damaged}"), "OK");
        store.endings_hold().unwrap().await.unwrap_err();
        follow(&store, exact(200)).await.unwrap_err();
    }
}

/// R75: a lease is refused by no server whose memory is full, as endings are not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_server_keeps_leases() {
    let Some(program) = redis() else { return };
    let server = Server::start(&program, &[]);
    let store = patient(server.url()).await;
    create(&store, &id(1)).await;
    server.wait_for("CONFIG SET maxmemory 1", "OK");
    let (mut feed, _) = follow(&store, exact(200)).await.unwrap();
    load(&feed.reader, &id(1)).await.unwrap().unwrap();
    feed.feed.fence().await.unwrap();
    drop_lease(&server, LEASES, "e200");
    feed.feed.fence().await.unwrap();
    assert!(wait(&store).await >= Duration::from_millis(200));
}

/// R75: a fence is one command, and so are a read over the feed and the question for leases.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fence_a_read_and_the_question_for_leases_cost_one_command_each() {
    let Some(program) = redis() else { return };
    let server = Server::start(&program, &[]);
    let proxy = Proxy::to(server.address()).await;
    let store = patient(format!("redis://{}/0", proxy.address())).await;
    create(&store, &id(1)).await;
    wait(&store).await;
    let (mut feed, _) = follow(&store, bounded(1000)).await.unwrap();
    load(&feed.reader, &id(1)).await.unwrap().unwrap();
    let claim = tower_session_guard::testing::claim_for(&id(1), [0; 16]);
    let reader = &feed.reader;
    let read = proxy
        .count(reader.load((&claim).into(), super::now()))
        .await;
    assert_eq!((read.0, read.1.unwrap().is_some()), (1, true));
    assert_eq!(proxy.count(wait(&store)).await.0, 1);

    server.wait_for("CONFIG RESETSTAT", "OK");
    let (trips, ()) = proxy
        .count(async {
            for _ in 0..100 {
                feed.feed.fence().await.unwrap();
            }
        })
        .await;
    assert_eq!(trips, 100);
    let commands = commands(&server);
    let told = commands
        .iter()
        .filter(|(name, _)| name != "config|resetstat");
    assert_eq!(told.collect::<Vec<_>>(), [&("getex".to_owned(), 100)]);
}
