//! One feed over all primaries of a cluster.

use std::time::{Duration, Instant};

use test_support::{
    redis::{Cluster, redis},
    server::StoreServer,
};
use tower_session_guard::SessionStore;
use tower_session_guard_redis::{RedisStore, redis::cluster_routing::Slot};

use super::{bounded, create, end_of, exact, follow, id, load, touch};
use crate::patient;

/// R75: records of every primary, and one lease for all of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fence_proves_what_was_written_on_every_primary() {
    let Some(program) = redis() else { return };
    let cluster = Cluster::start(&program);
    let (store, other) = (patient(cluster.url()).await, patient(cluster.url()).await);
    let (mut feed, told) = follow(&store, exact(200)).await.unwrap();
    for number in 0..200 {
        let id = id(number);
        let revision = create(&other, &id).await;
        load(&feed.reader, &id).await.unwrap().unwrap();
        touch(&other, &id, revision).await;
        feed.feed.fence().await.unwrap();
        assert!(told.take(&id), "{number}");
    }
    for server in &cluster.0 {
        server.wait_for("INFO clients", "tracking_clients:1");
    }
    let began = Instant::now();
    other.endings_hold().unwrap().await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(200));
}

/// The number of the primary that has a slot.
fn owner(slot: u16) -> usize {
    [5461, 10_922, 16_383]
        .iter()
        .position(|last| slot <= *last)
        .unwrap()
}

/// A session of the second primary, and its slot.
fn session_of_the_second() -> (tower_session_guard::SessionId, u16) {
    let mut ids = (0..).map(id);
    ids.find_map(|id| {
        let slot = Slot::for_key(id.to_string());
        let number = (0..16_384)
            .find(|number| Slot::new(*number) == Some(slot))
            .unwrap();
        (owner(number) == 1).then_some((id, number))
    })
    .unwrap()
}

/// Opens feeds until one is there and its fence is answered.
async fn follow_again(store: &RedisStore) -> (super::OpenFeed, std::sync::Arc<super::Told>) {
    let began = Instant::now();
    loop {
        if let Ok((mut feed, told)) = follow(store, bounded(1000)).await
            && feed.feed.fence().await.is_ok()
        {
            println!("a new feed after {:?}", began.elapsed());
            return (feed, told);
        }
        assert!(began.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// R75: the copies of a slot are forgotten as it moves, and whoever asks for one of its records ends the feed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_that_moves_takes_its_copies_along_and_ends_the_feed() {
    let Some(program) = redis() else { return };
    let cluster = Cluster::start(&program);
    let [first, second, third] = &cluster.0;
    let store = patient(cluster.url()).await;
    let (moved, slot) = session_of_the_second();
    let revision = create(&store, &moved).await;
    let (mut feed, told) = follow(&store, bounded(1000)).await.unwrap();
    load(&feed.reader, &moved).await.unwrap().unwrap();

    let id_of = |server: &test_support::redis::Server| {
        let id = server.ask("CLUSTER MYID").unwrap();
        id.lines().nth(1).unwrap().to_owned()
    };
    let (from, to) = (id_of(second), id_of(third));
    third.wait_for(&format!("CLUSTER SETSLOT {slot} IMPORTING {from}"), "OK");
    second.wait_for(&format!("CLUSTER SETSLOT {slot} MIGRATING {to}"), "OK");
    load(&feed.reader, &moved).await.unwrap().unwrap();
    let migrate = format!(
        "MIGRATE 127.0.0.1 {} session:{{{moved}}} 0 5000",
        third.port
    );
    second.wait_for(&migrate, "OK");
    feed.feed.fence().await.unwrap();
    assert!(
        told.take(&moved),
        "the copy is forgotten as the record moves"
    );
    // Neither here nor there, for a feed.
    load(&feed.reader, &moved).await.unwrap_err();
    // The store itself follows.
    let revision = touch(&store, &moved, revision).await;
    for server in [third, second, first] {
        server.wait_for(&format!("CLUSTER SETSLOT {slot} NODE {to}"), "OK");
    }
    load(&feed.reader, &moved).await.unwrap_err();
    end_of(&mut feed.feed).await;

    let (mut feed, told) = follow_again(&store).await;
    load(&feed.reader, &moved).await.unwrap().unwrap();
    touch(&store, &moved, revision).await;
    feed.feed.fence().await.unwrap();
    assert!(told.take(&moved));
}

/// R75: a server need not tell of records that it loses with their slot.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_that_is_taken_away_ends_the_feed_within_a_second() {
    let Some(program) = redis() else { return };
    let cluster = Cluster::start(&program);
    let [first, second, third] = &cluster.0;
    let store = patient(cluster.url()).await;
    let (taken, slot) = session_of_the_second();
    create(&store, &taken).await;
    let (mut feed, _) = follow(&store, bounded(1000)).await.unwrap();
    load(&feed.reader, &taken).await.unwrap().unwrap();
    let to = third.ask("CLUSTER MYID").unwrap();
    let to = to.lines().nth(1).unwrap();
    for server in [third, first] {
        server.wait_for(&format!("CLUSTER SETSLOT {slot} NODE {to}"), "OK");
    }
    third.ask("CLUSTER BUMPEPOCH").unwrap();
    second.wait_for(&format!("CLUSTER COUNTKEYSINSLOT {slot}"), ":0");
    let began = Instant::now();
    while feed.feed.fence().await.is_ok() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let took = began.elapsed();
    println!("noticed after {took:?}");
    assert!(took < Duration::from_millis(2000), "{took:?}");
}

/// R75: any primary that dies ends the whole feed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_dies_ends_the_feed_of_the_cluster() {
    let Some(program) = redis() else { return };
    let cluster = Cluster::start(&program);
    let store = patient(cluster.url()).await;
    for server in &cluster.0 {
        let (mut feed, _) = follow_again(&store).await;
        server.kill();
        end_of(&mut feed.feed).await;
        feed.feed.fence().await.unwrap_err();
        server.start_again();
        for server in &cluster.0 {
            server.wait_for("CLUSTER INFO", "cluster_state:ok");
        }
    }
    let (mut feed, _) = follow(&store, exact(250)).await.unwrap();
    cluster.0[1].wait_for("CLIENT KILL TYPE normal", ":");
    assert!(end_of(&mut feed.feed).await < Duration::from_millis(500));
}
