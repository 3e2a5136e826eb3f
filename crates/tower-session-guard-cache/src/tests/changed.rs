//! Whoever waits for a session to change is told.

use tokio::time::{sleep, timeout};
use tower_session_guard::SessionStore;

use super::{A, LEASE, MILLISECOND, Site, bounded, id};
use crate::fake::{Path, Server};

#[tokio::test(start_paused = true)]
async fn whoever_waits_hears_of_a_change_on_either_node_and_of_no_other() {
    let server = Server::new();
    let (a, b) = (
        Site::live(&server, bounded()).await,
        Site::live(&server, bounded()).await,
    );
    a.create(&A).await;
    a.create(&id(2)).await;
    for writer in [&a, &b] {
        let mut changed = b.cache.changed(&A).unwrap();
        assert!(b.load(&A).await.is_some());
        writer.write(&id(2), "other").await;
        assert!(timeout(LEASE * 5, &mut changed).await.is_err());
        // A key is told of once, until it is read again.
        let mut changed = b.cache.changed(&A).unwrap();
        b.load(&A).await;
        writer.write(&A, "new").await;
        timeout(MILLISECOND, &mut changed).await.unwrap();
    }
    let changed = b.cache.changed(&A).unwrap();
    b.load(&A).await;
    a.remove(&A).await;
    timeout(MILLISECOND, changed).await.unwrap();
    assert_eq!(b.load(&A).await, None);
}

/// What may have been missed while a connection was cut is asked for again.
#[tokio::test(start_paused = true)]
async fn whoever_waits_asks_again_when_a_connection_ends_and_when_the_next_begins() {
    let server = Server::new();
    let site = Site::live(&server, bounded()).await;
    site.create(&A).await;
    let ended = site.cache.changed(&A).unwrap();
    site.load(&A).await;
    site.node.set_path(Path::Cut);
    timeout(MILLISECOND, ended).await.unwrap();
    let mut begun = site.cache.changed(&A).unwrap();
    assert!(timeout(LEASE, &mut begun).await.is_err());
    site.node.set_path(Path::Open);
    site.until_live().await;
    timeout(MILLISECOND, begun).await.unwrap();
}

/// A load that the store answered past the feed leaves the server nothing to tell of.
#[tokio::test(start_paused = true)]
async fn whoever_asked_while_the_lease_had_run_out_is_called_back() {
    let server = Server::new();
    let (a, b) = (
        Site::live(&server, bounded()).await,
        Site::live(&server, bounded()).await,
    );
    a.create(&A).await;
    b.node.set_path(Path::Silent);
    sleep(2 * LEASE).await;
    let cache = b.cache.clone();
    let mut changed = cache.changed(&A).unwrap();
    let (loaded, ()) = tokio::join!(b.load(&A), async {
        sleep(MILLISECOND).await;
        b.node.set_path(Path::Open);
    });
    assert!(loaded.is_some());
    timeout(LEASE, &mut changed).await.unwrap();
    let changed = b.cache.changed(&A).unwrap();
    b.load(&A).await;
    a.remove(&A).await;
    timeout(MILLISECOND, changed).await.unwrap();
}
