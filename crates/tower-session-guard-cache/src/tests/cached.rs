//! What a cache answers, and from where.

use std::time::Duration;

use tokio::time::{Instant, advance, sleep, timeout};
use tower_session_guard::{
    SessionStore,
    store::{IndexKey, Replaced},
    testing::claim_for,
};

use super::{A, LEASE, MILLISECOND, NOW, Site, bounded, exact, id};
use crate::fake::{Path, Server};

#[tokio::test(start_paused = true)]
async fn a_record_is_read_from_memory_once_it_was_loaded() {
    let server = Server::new();
    let site = Site::live(&server, exact()).await;
    let revision = site.create(&A).await;
    assert_eq!(site.try_load(&A), None);
    let loaded = site.load(&A).await.unwrap();
    assert_eq!(loaded.revision, revision);
    let loads = server.loads();
    for _ in 0..10 {
        assert_eq!(site.try_load(&A), Some(loaded.clone()));
    }
    assert_eq!(server.loads(), loads);
    let stats = site.cache.stats();
    assert_eq!((stats.hits(), stats.misses(), stats.entries()), (10, 1, 1));
    assert!(stats.bytes() > 100 && stats.epochs() == 1 && stats.lapses() == 0);
}

#[tokio::test(start_paused = true)]
async fn a_record_that_is_not_there_leaves_no_copy() {
    let server = Server::new();
    let site = Site::live(&server, exact()).await;
    assert_eq!(site.load(&A).await, None);
    assert_eq!(site.cache.stats().entries(), 0);
}

/// R66: an ending on another node is applied as soon as it is told.
#[tokio::test(start_paused = true)]
async fn what_another_node_changes_is_forgotten() {
    let server = Server::new();
    let (a, b) = (
        Site::live(&server, exact()).await,
        Site::live(&server, exact()).await,
    );
    a.create(&A).await;
    assert!(b.load(&A).await.is_some() && b.try_load(&A).is_some());
    let revision = a.write(&A, "new").await;
    sleep(MILLISECOND).await;
    assert_eq!(b.try_load(&A), None);
    assert_eq!(b.load(&A).await.unwrap().revision, revision);
    assert!(b.try_load(&A).is_some());
    a.remove(&A).await;
    sleep(MILLISECOND).await;
    assert_eq!(b.try_load(&A), None);
    assert_eq!(b.load(&A).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_node_sees_each_of_its_own_writes_at_once() {
    let server = Server::new();
    let site = Site::live(&server, exact()).await;
    site.create(&A).await;
    site.load(&A).await;
    let revision = site.write(&A, "new").await;
    assert_eq!(site.try_load(&A), None);
    assert_eq!(site.load(&A).await.unwrap().revision, revision);
    // The feed tells of it as well: what was read before that is not kept.
    sleep(MILLISECOND).await;
    site.load(&A).await;
    assert!(site.try_load(&A).is_some());
    site.remove(&A).await;
    assert_eq!(site.try_load(&A), None);
}

#[tokio::test(start_paused = true)]
async fn a_node_sees_at_once_what_it_ended_by_a_key() {
    let server = Server::new();
    let site = Site::live(&server, exact()).await;
    let alice = IndexKey::owner("", &"alice".into());
    for slow in [Path::Open, Path::Slow(LEASE / 2), Path::Slow(2 * LEASE)] {
        for number in 1..4 {
            site.create(&id(number)).await;
            site.load(&id(number)).await;
        }
        site.until_live().await;
        site.node.set_path(slow);
        let ended = site.cache.end_listed(&alice, None, 50, Some(&id(3))).await;
        assert_eq!(ended.unwrap().ended, 2);
        assert_eq!(site.try_load(&A), None);
        assert_eq!(site.try_load(&id(2)), None);
        site.node.set_path(Path::Open);
        site.remove(&id(3)).await;
    }
}

/// A write that may have happened, and one whose caller left, drop the copy too.
#[tokio::test(start_paused = true)]
async fn a_write_that_fails_or_is_dropped_leaves_no_copy() {
    let server = Server::new();
    let site = Site::live(&server, exact()).await;
    let alice = IndexKey::owner("", &"alice".into());
    site.create(&A).await;
    for is_dropped in [false, true] {
        for by_key in [false, true] {
            site.load(&A).await;
            assert!(site.try_load(&A).is_some());
            site.node.set_path(Path::Silent);
            let patience = if is_dropped { LEASE / 10 } else { 10 * LEASE };
            let is_done = if by_key {
                let write = site.cache.end_listed(&alice, None, 50, None);
                timeout(patience, write)
                    .await
                    .is_ok_and(|done| done.is_ok())
            } else {
                let write = site.cache.remove(&A, None);
                timeout(patience, write)
                    .await
                    .is_ok_and(|done| done.is_ok())
            };
            assert!(!is_done);
            site.node.set_path(Path::Open);
            assert_eq!(site.cache.stats().entries(), 0);
            site.until_live().await;
        }
    }
}

/// The guard of a fill, against a write on either node.
#[tokio::test(start_paused = true)]
async fn a_record_that_changes_while_it_is_read_is_not_kept() {
    let server = Server::new();
    let (a, b) = (
        Site::live(&server, exact()).await,
        Site::live(&server, exact()).await,
    );
    a.create(&A).await;
    for own in [false, true] {
        b.node.set_path(Path::Slow(LEASE / 4));
        let cache = b.cache.clone();
        let reading = tokio::spawn(async move {
            let site = Site {
                node: cache.store().clone(),
                cache,
            };
            site.load(&A).await
        });
        sleep(LEASE / 8).await;
        b.node.set_path(Path::Open);
        let writer = if own { &b } else { &a };
        let claim = claim_for(&A, [0; 16]);
        let stored = writer
            .node
            .load((&claim).into(), NOW)
            .await
            .unwrap()
            .unwrap();
        let (revision, record) = (stored.revision, stored.record);
        let replaced = writer.cache.replace(&A, revision, &record, NOW).await;
        assert!(matches!(replaced.unwrap(), Replaced::Replaced(_)));
        reading.await.unwrap();
        sleep(LEASE / 3).await;
        if let Some(kept) = b.try_load(&A) {
            assert_ne!(kept.revision, revision, "own: {own}");
        }
    }
}

/// R66, A27: a node that hears nothing stops answering by itself.
#[tokio::test(start_paused = true)]
async fn a_silent_feed_ends_the_lease() {
    let server = Server::new();
    let site = Site::live(&server, bounded()).await;
    site.create(&A).await;
    site.load(&A).await;
    site.node.set_path(Path::Silent);
    let began = Instant::now();
    while site.try_load(&A).is_some() {
        sleep(MILLISECOND).await;
    }
    assert!(
        began.elapsed() <= LEASE && began.elapsed() >= LEASE / 2,
        "{:?}",
        began.elapsed()
    );
    // A connection that lives keeps its copies.
    sleep(LEASE).await;
    site.node.set_path(Path::Open);
    site.until_live().await;
    assert!(site.try_load(&A).is_some());
    assert_eq!(
        (site.cache.stats().epochs(), site.cache.stats().lapses()),
        (1, 1)
    );
}

/// A node that stood still has run out of its lease when it goes on.
#[tokio::test(start_paused = true)]
async fn a_node_that_stood_still_trusts_nothing() {
    let server = Server::new();
    let site = Site::live(&server, bounded()).await;
    site.create(&A).await;
    site.load(&A).await;
    super::stand_still(LEASE).await;
    assert_eq!(site.try_load(&A), None);
}

/// The lease counts from when a fence was sent: with answers that take longer than the lease, it never lives.
#[tokio::test(start_paused = true)]
async fn a_fence_counts_from_when_it_was_sent() {
    let server = Server::new();
    let (a, b) = (
        Site::live(&server, bounded()).await,
        Site::live(&server, bounded()).await,
    );
    a.create(&A).await;
    b.load(&A).await;
    b.node.set_path(Path::Slow(2 * LEASE));
    sleep(5 * LEASE).await;
    a.remove(&A).await;
    for _ in 0..200 {
        assert_eq!(b.try_load(&A), None);
        sleep(LEASE / 20).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_was_cut_ends_its_epoch_and_the_next_one_begins_empty() {
    let server = Server::new();
    let (a, b) = (
        Site::live(&server, exact()).await,
        Site::live(&server, exact()).await,
    );
    a.create(&A).await;
    b.load(&A).await;
    b.node.set_path(Path::Cut);
    sleep(MILLISECOND).await;
    assert_eq!(b.try_load(&A), None);
    assert!(!b.cache.stats().is_live());
    a.remove(&A).await;
    b.node.set_path(Path::Open);
    let began = Instant::now();
    b.until_live().await;
    assert!(
        began.elapsed() < Duration::from_millis(500),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(b.try_load(&A), None);
    assert_eq!(b.load(&A).await, None);
    assert_eq!(b.cache.stats().epochs(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_node_serves_again_soon_after_a_long_outage() {
    let server = Server::new();
    let site = Site::live(&server, exact()).await;
    site.create(&A).await;
    site.node.set_path(Path::Cut);
    sleep(Duration::from_secs(600)).await;
    site.node.set_path(Path::Open);
    assert!(site.load(&A).await.is_some());
    let began = Instant::now();
    site.until_live().await;
    assert!(
        began.elapsed() < Duration::from_secs(2),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn without_a_lease_the_store_answers_and_fails_itself() {
    let server = Server::new();
    let site = Site::live(&server, exact()).await;
    site.create(&A).await;
    site.node.set_path(Path::Cut);
    sleep(2 * LEASE).await;
    let claim = claim_for(&A, [0; 16]);
    assert!(site.cache.load((&claim).into(), NOW).await.is_err());
    assert_eq!(site.try_load(&A), None);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_forgot_whom_to_tell_empties_the_copies_and_keeps_the_connection() {
    let server = Server::new();
    let site = Site::live(&server, exact()).await;
    site.create(&A).await;
    site.load(&A).await;
    server.flush();
    sleep(MILLISECOND).await;
    assert_eq!(site.cache.stats().entries(), 0);
    assert!(site.cache.stats().is_live());
    assert_eq!(server.opened(), 1);
}

/// An idle node sends one fence in a third of its lease, and nothing else.
#[tokio::test(start_paused = true)]
async fn an_idle_node_sends_three_fences_a_lease() {
    let server = Server::new();
    let _site = Site::live(&server, bounded()).await;
    let before = server.fences();
    sleep(100 * LEASE).await;
    let fences = server.fences() - before;
    assert!((295..=300).contains(&fences), "{fences}");
}

#[tokio::test(start_paused = true)]
async fn the_task_and_its_connection_end_with_the_last_handle() {
    let server = Server::new();
    let site = Site::live(&server, bounded()).await;
    let (stats, clone) = (site.cache.stats(), site.cache.clone());
    drop(site);
    sleep(LEASE).await;
    assert!(stats.is_live());
    let mut changed = clone.changed(&A).unwrap();
    assert!(timeout(MILLISECOND, &mut changed).await.is_err());
    drop(clone);
    assert!(!stats.is_live());
    timeout(MILLISECOND, changed).await.unwrap();
    advance(MILLISECOND).await;
    let fences = server.fences();
    sleep(10 * LEASE).await;
    assert_eq!(server.fences(), fences);
}

#[test]
#[should_panic(expected = "runtime")]
fn a_cache_is_started_in_a_runtime() {
    let _refused = Site::new(&Server::new(), bounded());
}
