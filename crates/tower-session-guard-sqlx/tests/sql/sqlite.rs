//! SQLite: a file.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    time::{Duration, Instant},
};

use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use test_support::{scratch::Scratch, server::PATIENCE};
use tower_session_guard::{
    SessionStore,
    store::{Counting, StoreErrorKind},
    testing::{
        RecordBuilder,
        store_contract::{StoreContract, StoreUnderTest},
    },
};
use tower_session_guard_sqlx::SqliteStore;

use super::common::{create, load, measure, now, numbered};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sqlite_holds_the_contract() {
    let make = || async {
        let scratch = Scratch::new("sqlite");
        let file = scratch.path().join("sessions.db");
        // The suite is not about the time limit, which a busy machine may reach.
        let open = async || {
            SqliteStore::open(&file)
                .await
                .unwrap()
                .with_time_limit(PATIENCE)
        };
        let (store, second) = (open().await, open().await);
        let keep = std::sync::Arc::new(scratch);
        StoreUnderTest::new(store)
            .with_second_node(second)
            .with_restart(move || {
                // A file has no server; what a killed process leaves has tests of its own below.
                let keep = std::sync::Arc::clone(&keep);
                async move { assert!(keep.path().exists()) }
            })
    };
    let report = StoreContract::new(now(), make).run().await;
    println!("sqlite: {report}");
    report.assert_held();
    assert_eq!(report.skipped(), 0, "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_alone_is_enough_and_sessions_survive_a_restart() {
    let scratch = Scratch::new("sqlite");
    let file = scratch.path().join("sessions.db");
    let (alice, record) = (
        numbered(1),
        RecordBuilder::new(now()).subject("alice").build(),
    );
    let revision = {
        let store = SqliteStore::open(&file).await.unwrap();
        create(&store, &alice, &record, now()).await.0
    };
    let mode = fs::metadata(&file).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600, "only the owner may read sessions");
    for log in ["sessions.db-wal", "sessions.db-shm"] {
        if let Ok(log) = fs::metadata(scratch.path().join(log)) {
            assert_eq!(log.permissions().mode() & 0o077, 0);
        }
    }
    let store = SqliteStore::open(&file).await.unwrap();
    let found = load(&store, &alice, now()).await;
    assert_eq!(found.map(|stored| stored.revision), Some(revision));
}

/// SQLite knows `:memory:` and `file:` by heart; a store that somebody named so must last all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_path_means_memory() {
    let scratch = Scratch::new("sqlite");
    for name in [":memory:", "file:a?mode=memory", "a b%20c#d", "🦀"] {
        let file = scratch.path().join(name);
        let record = RecordBuilder::new(now()).build();
        let store = SqliteStore::open(&file).await.unwrap();
        create(&store, &numbered(1), &record, now()).await;
        drop(store);
        let store = SqliteStore::open(&file).await.unwrap();
        assert_eq!(store.live_records(now()).await.unwrap(), Some(1), "{name}");
        assert!(fs::metadata(&file).unwrap().len() > 0, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_no_database_is_an_error() {
    let scratch = Scratch::new("sqlite");
    let file = scratch.path().join("sessions.db");
    fs::write(
        &file,
        "not a database, but long enough to be looked at ".repeat(100),
    )
    .unwrap();
    let error = SqliteStore::open(&file).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error:?}");
    let nowhere = scratch.path().join("no/such/folder/sessions.db");
    let error = SqliteStore::open(nowhere).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
}

/// A writer that holds the file (R71): an error in time, nothing half done, and then fine again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_somebody_holds_is_an_error_in_time() {
    let scratch = Scratch::new("sqlite");
    let file = scratch.path().join("sessions.db");
    let limit = Duration::from_millis(300);
    let store = SqliteStore::open(&file)
        .await
        .unwrap()
        .with_time_limit(limit);
    let record = RecordBuilder::new(now()).build();
    create(&store, &numbered(1), &record, now()).await;

    let other = SqlitePool::connect_lazy_with(SqliteConnectOptions::new().filename(&file));
    let holder = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let began = Instant::now();
    let error = store
        .create(&numbered(2), &record, Counting::Counted, now())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Timeout);
    assert!(
        began.elapsed() < Duration::from_secs(2),
        "{:?}",
        began.elapsed()
    );
    // Readers wait for nobody.
    assert!(load(&store, &numbered(1), now()).await.is_some());
    holder.rollback().await.unwrap();
    let mut tries = 0;
    while store
        .create(&numbered(3), &record, Counting::Counted, now())
        .await
        .is_err()
    {
        tries += 1;
        assert!(tries < 20);
    }
}

/// S01: the numbers of the README, as `--ignored --nocapture` prints them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn what_many_sessions_cost_on_sqlite() {
    let scratch = Scratch::new("sqlite");
    let store = SqliteStore::open(scratch.path().join("sessions.db"))
        .await
        .unwrap();
    measure("sqlite", &store).await;
}
