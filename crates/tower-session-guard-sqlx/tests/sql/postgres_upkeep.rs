//! PostgreSQL: migrations, sweeps, names, and what stands in the tables.

use std::{error::Error, time::Duration};

use sqlx::PgPool;
use tower_session_guard::{
    SessionStore,
    store::{Removed, StoreErrorKind},
    testing::{RecordBuilder, claim_for},
};
use tower_session_guard_sqlx::PostgresStore;

use super::{
    common::{
        create, end, expect_counted, expect_cutoffs_swept, expect_swept_by_tasks, list, load, now,
        numbered, owner,
    },
    old_layout,
    postgres::{fresh, patient, pool},
    postgres_server::Server,
};

async fn run(pool: &PgPool, statements: impl Into<String>) {
    let statements = sqlx::AssertSqlSafe(statements.into());
    sqlx::raw_sql(statements).execute(pool).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn migrating_postgres_from_many_processes_at_once_is_harmless() {
    let Some(server) = Server::start() else {
        return;
    };
    let store = patient(server.options());
    let error = store.sweep(now(), 1).await.unwrap_err();
    assert_eq!(
        error.kind(),
        StoreErrorKind::Unsupported,
        "before: {error:?}"
    );
    let why = error.source().map(ToString::to_string).unwrap_or_default();
    assert!(why.contains("call `migrate`"), "{why}");

    let mut migrations = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let store = patient(server.options());
        migrations.spawn(async move { store.migrate().await });
    }
    while let Some(migrated) = migrations.join_next().await {
        migrated.unwrap().unwrap();
    }
    store.migrate().await.unwrap();

    let later = "INSERT INTO session_guard_schema VALUES (99)";
    sqlx::raw_sql(later)
        .execute(&pool(server.options()))
        .await
        .unwrap();
    let error = store.migrate().await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unsupported);
}

/// What an earlier release wrote is found by this one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_layout_of_postgres_is_migrated_with_its_sessions() {
    let Some(server) = Server::start() else {
        return;
    };
    for name in ["session_guard", "shop_sessions"] {
        let pool = pool(server.options());
        let store = PostgresStore::new(pool.clone()).with_table(name).unwrap();
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

/// Two applications in one database, each with its tables.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stores_in_postgres_with_different_tables_share_nothing() {
    let Some(server) = Server::start() else {
        return;
    };
    let open = async |name: &str| {
        let store = patient(server.options()).with_table(name).unwrap();
        store.migrate().await.unwrap();
        store
    };
    let (shop, admin) = (open("shop").await, open("admin").await);
    let record = RecordBuilder::new(now()).subject("42").build();
    create(&shop, &numbered(1), &record, now()).await;
    create(&admin, &numbered(1), &record, now()).await;
    assert_eq!(end(&shop, &owner("42")).await, 1);
    assert!(load(&admin, &numbered(1), now()).await.is_some());
    let wrong = PostgresStore::new(pool(server.options())).with_table("a;b");
    assert!(wrong.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_of_postgres_is_bounded_and_spares_the_living() {
    let Some(server) = Server::start() else {
        return;
    };
    let (store, options) = fresh(&server).await;
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

    // What somebody is writing is passed over, and nobody waits.
    let mut writer = pool(options).begin().await.unwrap();
    let touch = "SELECT 1 FROM session_guard WHERE id = $1 FOR UPDATE";
    let touch = sqlx::query(touch).bind(&numbered(0).as_bytes()[..]);
    touch.execute(&mut *writer).await.unwrap();
    assert_eq!(store.sweep(then, 4).await.unwrap(), 4);
    assert_eq!(store.sweep(then, 100).await.unwrap(), 5);
    writer.rollback().await.unwrap();
    assert_eq!(store.sweep(then, 100).await.unwrap(), 1);
    assert_eq!(store.live_records(begin).await.unwrap(), Some(1));
}

/// S02.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_of_postgres_takes_cutoffs_whose_time_is_over() {
    let Some(server) = Server::start() else {
        return;
    };
    let (store, _) = fresh(&server).await;
    expect_cutoffs_swept(&store, async |now| store.sweep(now, 100).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_sweep_postgres_together() {
    let Some(server) = Server::start() else {
        return;
    };
    let (store, _) = fresh(&server).await;
    expect_swept_by_tasks(&store).await;
}

/// A29: a row that says another owner than its record is believed by no operation.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_of_another_owner_is_corrupt() {
    let Some(server) = Server::start() else {
        return;
    };
    let (store, options) = fresh(&server).await;
    let record = RecordBuilder::new(now()).subject("alice").build();
    create(&store, &numbered(1), &record, now()).await;
    let admin = pool(options);
    run(
        &admin,
        "UPDATE session_guard_index SET key = 'mallory'::bytea",
    )
    .await;
    assert!(list(&store, &owner("mallory"), now()).await.is_empty());
    run(&admin, "UPDATE session_guard SET owner = 'mallory'::bytea").await;
    let claim = claim_for(&numbered(1), [0; 16]);
    let error = store.load((&claim).into(), now()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
}

/// No entry outlives its record, whoever deletes that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_of_postgres_that_is_deleted_takes_its_entries_along() {
    let Some(server) = Server::start() else {
        return;
    };
    let (store, options) = fresh(&server).await;
    let record = RecordBuilder::new(now())
        .subject("alice")
        .tags(["sid"])
        .build();
    create(&store, &numbered(1), &record, now()).await;
    let removed = store.remove(&numbered(1), None).await.unwrap();
    assert_eq!(removed, Removed::Removed);
    create(&store, &numbered(2), &record, now()).await;
    let admin = pool(options);
    run(&admin, "DELETE FROM session_guard").await;
    expect_counted(&store, "alice", 0).await;
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM session_guard_index")
        .fetch_one(&admin)
        .await
        .unwrap();
    assert_eq!(left, 0);
}
