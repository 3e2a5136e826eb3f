//! SQLite: migrations, sweeps, names, and what stands in the tables.

use std::{path::Path, time::Duration};

use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use test_support::scratch::Scratch;
use tokio::time::sleep;
use tower_session_guard::{
    SessionStore, SweepStats, Sweeper,
    store::StoreErrorKind,
    testing::{ManualClock, RecordBuilder, claim_for},
};
use tower_session_guard_sqlx::SqliteStore;

use super::{
    common::{
        create, end, expect_counted, expect_cutoffs_swept, expect_swept_by_tasks, list, load, now,
        numbered, owner,
    },
    old_layout,
};

/// Another program's connection, which does not look after foreign keys.
fn pool(file: &Path) -> SqlitePool {
    let options = SqliteConnectOptions::new().filename(file);
    let options = options.create_if_missing(true).foreign_keys(false);
    SqlitePool::connect_lazy_with(options)
}

async fn run(pool: &SqlitePool, statements: impl Into<String>) {
    let statements = sqlx::AssertSqlSafe(statements.into());
    sqlx::raw_sql(statements).execute(pool).await.unwrap();
}

/// What an earlier release wrote is found by this one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_layout_of_sqlite_is_migrated_with_its_sessions() {
    for name in ["session_guard", "shop_sessions"] {
        let scratch = Scratch::new("sqlite");
        let pool = pool(&scratch.path().join("sessions.db"));
        let store = SqliteStore::new(pool.clone()).with_table(name).unwrap();
        run(&pool, store.migrations().next().unwrap()).await;
        run(
            &pool,
            format!("CREATE TABLE {name}_schema (version bigint NOT NULL PRIMARY KEY)"),
        )
        .await;
        run(&pool, format!("INSERT INTO {name}_schema VALUES (1)")).await;
        for row in old_layout::rows() {
            let insert = format!("INSERT INTO {name} VALUES ($1, $2, $3, $4, $5)");
            sqlx::query(sqlx::AssertSqlSafe(insert))
                .bind(&row.id.as_bytes()[..])
                .bind(row.subject)
                .bind(row.expires_at)
                .bind(row.revision)
                .bind(row.record)
                .execute(&pool)
                .await
                .unwrap();
        }
        store.migrate().await.unwrap();
        store.migrate().await.unwrap();
        old_layout::expect_kept(&store).await;
    }
}

/// Two applications in one file, each with its tables.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stores_in_sqlite_with_different_tables_share_nothing() {
    let scratch = Scratch::new("sqlite");
    let pool = pool(&scratch.path().join("sessions.db"));
    let open = async |name: &str| {
        let store = SqliteStore::new(pool.clone()).with_table(name).unwrap();
        store.migrate().await.unwrap();
        store
    };
    let (shop, admin) = (open("shop").await, open("admin").await);
    let record = RecordBuilder::new(now()).subject("42").build();
    create(&shop, &numbered(1), &record, now()).await;
    create(&admin, &numbered(1), &record, now()).await;
    assert_eq!(end(&shop, &owner("42")).await, 1);
    assert!(load(&admin, &numbered(1), now()).await.is_some());
    assert!(SqliteStore::new(pool).with_table("a;b").is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_of_sqlite_is_bounded_and_spares_the_living() {
    let scratch = Scratch::new("sqlite");
    let file = scratch.path().join("sessions.db");
    let store = SqliteStore::open(&file).await.unwrap();
    let begin = now();
    let soon = begin.after(Duration::from_secs(1));
    let then = begin.after(Duration::from_secs(2));
    for number in 0..10 {
        let record = RecordBuilder::new(begin).expires_at(soon).build();
        create(&store, &numbered(number), &record, begin).await;
    }
    let living = RecordBuilder::new(begin).build();
    create(&store, &numbered(10), &living, begin).await;
    assert_eq!(store.sweep(begin, 100).await.unwrap(), 0);
    assert_eq!(store.sweep(then, 4).await.unwrap(), 4);
    assert_eq!(store.sweep(then, 100).await.unwrap(), 6);
    assert_eq!(store.live_records(begin).await.unwrap(), Some(1));
}

/// S02.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_of_sqlite_takes_cutoffs_whose_time_is_over() {
    let scratch = Scratch::new("sqlite");
    let store = SqliteStore::open(scratch.path().join("sessions.db"))
        .await
        .unwrap();
    expect_cutoffs_swept(&store, async |now| store.sweep(now, 100).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_sweep_sqlite_together() {
    let scratch = Scratch::new("sqlite");
    let file = scratch.path().join("sessions.db");
    let store = SqliteStore::open(file).await.unwrap();
    expect_swept_by_tasks(&store).await;
}

/// A task on tables of another release says so, and works once they are migrated.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_survives_tables_that_are_missing() {
    let scratch = Scratch::new("sqlite");
    let store = SqliteStore::new(pool(&scratch.path().join("sessions.db")));
    let clock = ManualClock::starting_at(now());
    let task = Sweeper::new(store.clone())
        .with_clock(clock.clone())
        .start();
    let until = async |is_so: &dyn Fn(&SweepStats) -> bool| {
        let stats = task.stats();
        for _ in 0..500 {
            if is_so(&stats) {
                return true;
            }
            clock.advance(Sweeper::DEFAULT_INTERVAL);
            sleep(Duration::from_millis(20)).await;
        }
        false
    };
    assert!(until(&|stats| stats.failed() > 0).await);
    assert_eq!(task.stats().completed(), 0);
    store.migrate().await.unwrap();
    assert!(until(&|stats| stats.completed() > 0).await);
    task.stop().await;
}

/// A29: a row that says another owner than its record is believed by no operation.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_of_another_owner_is_corrupt() {
    let scratch = Scratch::new("sqlite");
    let file = scratch.path().join("sessions.db");
    let store = SqliteStore::open(&file).await.unwrap();
    let record = RecordBuilder::new(now()).subject("alice").build();
    create(&store, &numbered(1), &record, now()).await;
    run(
        &pool(&file),
        "UPDATE session_guard_index SET key = x'6D616C6C6F7279'",
    )
    .await;
    assert!(list(&store, &owner("mallory"), now()).await.is_empty());
    run(
        &pool(&file),
        "UPDATE session_guard SET owner = x'6D616C6C6F7279'",
    )
    .await;
    let claim = claim_for(&numbered(1), [0; 16]);
    let error = store.load((&claim).into(), now()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
}

/// No entry outlives its record, whatever program deletes that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_of_sqlite_that_is_deleted_takes_its_entries_along() {
    let scratch = Scratch::new("sqlite");
    let file = scratch.path().join("sessions.db");
    let store = SqliteStore::open(&file).await.unwrap();
    let record = RecordBuilder::new(now())
        .subject("alice")
        .tags(["sid"])
        .build();
    create(&store, &numbered(1), &record, now()).await;
    create(&store, &numbered(2), &record, now()).await;
    let _ = store.remove(&numbered(1), None).await.unwrap();
    run(&pool(&file), "DELETE FROM session_guard").await;
    expect_counted(&store, "alice", 0).await;
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM session_guard_index")
        .fetch_one(&pool(&file))
        .await
        .unwrap();
    assert_eq!(left, 0);
}
