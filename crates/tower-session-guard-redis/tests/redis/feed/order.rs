//! What a feed tells, and that nothing comes after the answer of a later fence.

use test_support::redis::{Cluster, Server, redis};
use tower_session_guard::{
    SessionStore,
    store::{Counting, Created, IndexKey, Removed},
};

use super::{bounded, create, exact, follow, id, load, now, record, touch};
use crate::patient;

/// R75: every write of every node to a record that was read over the feed, and nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_write_to_a_record_that_was_read_is_told_once_the_fence_is_answered() {
    let Some(program) = redis() else { return };
    let server = Server::start(&program, &[]);
    let (store, other) = (patient(server.url()).await, patient(server.url()).await);
    let (mut feed, told) = follow(&store, exact(250)).await.unwrap();
    let alice = IndexKey::owner("", &"alice".into());
    for writer in [&store, &other] {
        let a = id(1);
        // Also what is not there yet.
        assert!(load(&feed.reader, &a).await.unwrap().is_none());
        let revision = create(writer, &a).await;
        feed.feed.fence().await.unwrap();
        assert!(told.take(&a), "create");

        // It was not read since.
        let revision = touch(writer, &a, revision).await;
        feed.feed.fence().await.unwrap();
        assert!(told.is_empty());

        let read = load(&feed.reader, &a).await.unwrap().unwrap();
        assert_eq!(read.revision, revision);
        let revision = touch(writer, &a, revision).await;
        feed.feed.fence().await.unwrap();
        assert!(told.take(&a), "replace");

        // Neither what reads nor a write that is refused.
        load(&feed.reader, &a).await.unwrap();
        writer.heads(&alice, None, 10, now()).await.unwrap();
        let claim = tower_session_guard::testing::claim_for(&a, [0; 16]);
        writer.load((&claim).into(), now()).await.unwrap();
        let other = record("alice");
        let again = writer.create(&a, &other, Counting::Counted, now());
        assert_eq!(again.await.unwrap(), Created::Occupied);
        let stale = tower_session_guard::store::Revision::new(revision.get() ^ 1);
        let _ = writer.replace(&a, stale, &record("alice"), now()).await;
        feed.feed.fence().await.unwrap();
        assert!(told.is_empty(), "{told:?}");

        assert_eq!(writer.remove(&a, None).await.unwrap(), Removed::Removed);
        feed.feed.fence().await.unwrap();
        assert!(told.take(&a), "remove");

        create(writer, &a).await;
        load(&feed.reader, &a).await.unwrap().unwrap();
        let ended = writer.end_listed(&alice, None, 10, None).await.unwrap();
        assert_eq!(ended.ended, 1);
        feed.feed.fence().await.unwrap();
        assert!(told.take(&a), "end_listed");
        assert!(told.is_empty(), "{told:?}");
    }
}

/// Rounds of a read, a write and a fence: after each fence the write must have been told.
async fn rounds(url: &str, count: u64, offset: u64) -> u64 {
    let (store, other) = (patient(url).await, patient(url).await);
    let (mut feed, told) = follow(&store, bounded(1000)).await.unwrap();
    let mut late = 0;
    let a = id(offset);
    let mut revision = create(&other, &a).await;
    for _ in 0..count {
        load(&feed.reader, &a).await.unwrap().unwrap();
        revision = touch(&other, &a, revision).await;
        feed.feed.fence().await.unwrap();
        late += u64::from(!told.take(&a));
    }
    late
}

/// R75: alone, and beside others that keep two threads busy.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_told_after_the_answer_of_a_later_fence() {
    let Some(program) = redis() else { return };
    let server = Server::start(&program, &["--appendonly", "no"]);
    let url = server.url();
    assert_eq!(rounds(&url, 1_000, 1).await, 0, "alone");
    let loaded = (0..8).map(|number| {
        let url = url.clone();
        tokio::spawn(async move { rounds(&url, 250, 10 + number).await })
    });
    for late in loaded.collect::<Vec<_>>() {
        assert_eq!(late.await.unwrap(), 0, "loaded");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "40,000 rounds take a minute"]
async fn nothing_is_told_after_the_answer_of_a_later_fence_in_many_rounds() {
    let Some(program) = redis() else { return };
    let server = Server::start(&program, &["--appendonly", "no"]);
    let url = server.url();
    println!("alone: {} of 20,000 late", rounds(&url, 20_000, 1).await);
    let loaded = (0..8).map(|number| {
        let url = url.clone();
        tokio::spawn(async move { rounds(&url, 2_500, 10 + number).await })
    });
    let mut late = 0;
    for rounds in loaded.collect::<Vec<_>>() {
        late += rounds.await.unwrap();
    }
    println!("loaded: {late} of 20,000 late");
    assert_eq!(late, 0);
    let cluster = Cluster::start(&program);
    println!(
        "cluster: {} of 5,000 late",
        rounds(&cluster.url(), 5_000, 1).await
    );
}
