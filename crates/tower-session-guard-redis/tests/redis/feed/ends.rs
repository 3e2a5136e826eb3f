//! What ends a feed, so that its node stops answering from its copies.

use std::{
    sync::atomic::Ordering::SeqCst,
    time::{Duration, Instant},
};

use test_support::{
    proxy::Proxy,
    redis::{Server, Watched, redis},
    server::{PATIENCE, StoreServer},
};
use tower_session_guard::store::StoreErrorKind;
use tower_session_guard_redis::RedisStore;

use super::{bounded, create, end_of, exact, follow, id, load};
use crate::patient;

/// R75: and everything that was opened with it fails from then on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_cut_ends_the_feed_at_once() {
    let Some(program) = redis() else { return };
    let server = Server::start(&program, &[]);
    let store = patient(server.url()).await;
    create(&store, &id(1)).await;
    let (mut feed, told) = follow(&store, exact(250)).await.unwrap();
    load(&feed.reader, &id(1)).await.unwrap().unwrap();
    feed.feed.fence().await.unwrap();

    server.wait_for("CLIENT KILL TYPE normal", ":");
    assert!(end_of(&mut feed.feed).await < Duration::from_millis(500));
    feed.feed.fence().await.unwrap_err();
    let error = load(&feed.reader, &id(1)).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(told.is_empty());

    let (mut feed, _) = follow(&store, exact(250)).await.unwrap();
    load(&feed.reader, &id(1)).await.unwrap().unwrap();
    feed.feed.fence().await.unwrap();
    server.kill();
    end_of(&mut feed.feed).await;
    server.start_again();
    let (mut feed, _) = follow(&store, exact(250)).await.unwrap();
    feed.feed.fence().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feed_that_is_dropped_closes_its_connection() {
    let Some(program) = redis() else { return };
    let server = Server::start(&program, &[]);
    let store = patient(server.url()).await;
    create(&store, &id(1)).await;
    let (feed, _) = follow(&store, exact(250)).await.unwrap();
    server.wait_for("INFO clients", "tracking_clients:1");
    let reader = feed.reader;
    drop(feed.feed);
    server.wait_for("INFO clients", "tracking_clients:0");
    load(&reader, &id(1)).await.unwrap_err();
}

/// R75: a path that swallows everything, and a server that stands still.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fence_that_is_not_answered_ends_the_feed_within_the_time_limit() {
    let Some(program) = redis() else { return };
    let server = Server::start(&program, &[]);
    let limit = Duration::from_millis(300);
    let store = RedisStore::connect(server.url()).await.unwrap();
    let store = store.with_time_limit(limit);
    let (mut feed, _) = follow(&store, bounded(1000)).await.unwrap();
    server.pause();
    let began = Instant::now();
    let error = feed.feed.fence().await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Timeout);
    assert!(began.elapsed() >= limit);
    server.go_on();
    feed.feed.fence().await.unwrap_err();
    end_of(&mut feed.feed).await;

    let proxy = Proxy::to(server.address()).await;
    let store = RedisStore::connect(format!("redis://{}/0", proxy.address()))
        .await
        .unwrap();
    let store = store.with_time_limit(limit);
    let (mut feed, _) = follow(&store, bounded(1000)).await.unwrap();
    feed.feed.fence().await.unwrap();
    proxy.cut_answers(1);
    feed.feed.fence().await.unwrap_err();
}

/// R75: what would refuse a write refuses the fence.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_takes_no_writes_ends_the_feed() {
    let Some(program) = redis() else { return };
    let server = Server::start(&program, &[]);
    let store = patient(server.url()).await;
    create(&store, &id(1)).await;
    let (mut feed, _) = follow(&store, exact(250)).await.unwrap();
    server.wait_for("CONFIG SET min-replicas-to-write 1", "OK");
    feed.feed.fence().await.unwrap_err();
    follow(&store, exact(250)).await.unwrap_err();
    server.wait_for("CONFIG SET min-replicas-to-write 0", "OK");

    let (mut feed, _) = follow(&store, exact(250)).await.unwrap();
    load(&feed.reader, &id(1)).await.unwrap().unwrap();
    server.wait_for("REPLICAOF 127.0.0.1 1", "OK");
    load(&feed.reader, &id(1)).await.unwrap_err();
    end_of(&mut feed.feed).await;
    server.wait_for("REPLICAOF NO ONE", "OK");

    // Also one that nobody reads over.
    let (mut feed, _) = follow(&store, exact(250)).await.unwrap();
    server.wait_for("REPLICAOF 127.0.0.1 1", "OK");
    feed.feed.fence().await.unwrap_err();
    end_of(&mut feed.feed).await;
}

/// An emptied database takes the leases with it, so the next feed writes its own before it reads anything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_emptied_database_is_told_and_ends_the_feed() {
    let Some(program) = redis() else { return };
    let server = Server::start(&program, &[]);
    let store = patient(server.url()).await;
    create(&store, &id(1)).await;
    let (mut feed, told) = follow(&store, exact(250)).await.unwrap();
    load(&feed.reader, &id(1)).await.unwrap().unwrap();
    server.wait_for("FLUSHALL", "OK");
    end_of(&mut feed.feed).await;
    assert_eq!(told.all.load(SeqCst), 1);
}

/// R75: the primary dies, or is told to become a replica, as a failover does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_ends_the_feed_and_the_next_one_is_of_the_new_primary() {
    let Some(program) = redis() else { return };
    let watched = Watched::start(&program);
    let store = patient(watched.url()).await;
    create(&store, &id(1)).await;
    let (mut feed, _) = follow(&store, exact(250)).await.unwrap();
    load(&feed.reader, &id(1)).await.unwrap().unwrap();
    feed.feed.fence().await.unwrap();
    watched.wait_until_replicated();
    watched
        .sentinel
        .wait_for("SENTINEL FAILOVER sessions", "OK");
    watched.replica.wait_for("ROLE", "master");
    // Until the sentinel demotes it, the old primary takes writes.
    let began = Instant::now();
    while feed.feed.fence().await.is_ok() {
        assert!(began.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    println!("the old primary is demoted after {:?}", began.elapsed());
    end_of(&mut feed.feed).await;
    let began = Instant::now();
    let (mut feed, told) = loop {
        if let Ok((mut feed, told)) = follow(&store, exact(250)).await
            && feed.feed.fence().await.is_ok()
        {
            break (feed, told);
        }
        assert!(began.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    println!("a feed of the new primary after {:?}", began.elapsed());
    watched
        .replica
        .wait_for("INFO clients", "tracking_clients:1");
    let stored = load(&feed.reader, &id(1)).await.unwrap().unwrap();
    super::touch(&store, &id(1), stored.revision).await;
    feed.feed.fence().await.unwrap();
    assert!(told.take(&id(1)));
}
