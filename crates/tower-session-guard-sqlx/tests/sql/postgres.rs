//! PostgreSQL: a server of each test's own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use test_support::{
    keys,
    outage::{AfterDeath, Outage},
    proxy::Proxy,
    server::StoreServer,
};
use tower_session_guard::{
    SessionId, SessionLayer, SessionStore, Subject, Timestamp,
    store::{Created, Removed, Replaced, Revision, StoreErrorKind},
    testing::{
        RecordBuilder, claim_for,
        store_contract::{StoreContract, StoreUnderTest},
    },
};
use tower_session_guard_sqlx::PostgresStore;

use super::postgres_server::Server;

const LIMIT: Duration = Duration::from_millis(700);

fn now() -> Timestamp {
    SystemTime::now().into()
}

fn id(number: u8) -> SessionId {
    SessionId::from_bytes([number; SessionId::LEN])
}

fn pool(options: PgConnectOptions) -> PgPool {
    PgPoolOptions::new()
        .max_connections(8)
        .connect_lazy_with(options)
}

/// A store in a schema of its own.
async fn fresh(server: &Server) -> (PostgresStore, PgConnectOptions) {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let schema = format!("s{}", NUMBER.fetch_add(1, Relaxed));
    let admin = pool(server.options());
    let create = sqlx::AssertSqlSafe(format!("CREATE SCHEMA {schema}"));
    sqlx::raw_sql(create).execute(&admin).await.unwrap();
    admin.close().await;
    let options = server.options().options([("search_path", schema)]);
    let store = PostgresStore::new(pool(options.clone()));
    store.migrate().await.unwrap();
    (store, options)
}

async fn contract(server: Arc<Server>, options: [(&'static str, &'static str); 1]) {
    let make = || async {
        let (_, own) = fresh(&server).await;
        let own = own.options(options);
        let again = Arc::clone(&server);
        StoreUnderTest::new(PostgresStore::new(pool(own.clone())))
            .with_second_node(PostgresStore::new(pool(own)))
            .with_restart(move || {
                let server = Arc::clone(&again);
                async move {
                    server.kill();
                    server.start_again();
                }
            })
    };
    let report = StoreContract::new(now(), make).run().await;
    println!("postgres, {options:?}: {report}");
    report.assert_held();
    assert_eq!(report.skipped(), 0, "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres_holds_the_contract() {
    let Some(server) = Server::start().map(Arc::new) else {
        return;
    };
    contract(Arc::clone(&server), [("application_name", "contract")]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres_holds_the_contract_where_transactions_are_serializable() {
    let Some(server) = Server::start().map(Arc::new) else {
        return;
    };
    contract(server, [("default_transaction_isolation", "serializable")]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_stopped_killed_or_cut_off_postgres_costs_503_and_nothing_else() {
    let Some(server) = Server::start() else {
        return;
    };
    let proxy = Proxy::to(server.address()).await;
    let (_, options) = fresh(&server).await;
    let options = options.port(proxy.address().port());
    let store = PostgresStore::new(pool(options)).with_time_limit(LIMIT);
    let layer = SessionLayer::new(keys()).with_store(store);
    let mut outage = Outage::prepare(layer, LIMIT).await;
    let after = AfterDeath::SessionsAreThere;
    outage.hold("postgres", &server, &proxy, after).await;
}

/// What a request waits for is one statement. The pool asks each connection whether it lives when it comes
/// back, after the operation was answered, and unless told otherwise before it lends it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operation_on_postgres_is_one_statement() {
    let Some(server) = Server::start() else {
        return;
    };
    let proxy = Proxy::to(server.address()).await;
    let (_, options) = fresh(&server).await;
    let options = options.port(proxy.address().port());
    for (tests_first, each) in [(false, 2), (true, 3)] {
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .test_before_acquire(tests_first)
            .connect_lazy_with(options.clone());
        let store = PostgresStore::new(pool);
        let alice = Subject::from("alice");
        let record = RecordBuilder::new(now()).subject("alice").build();
        let (claim, stale) = (claim_for(&id(1), [0; 16]), Revision::new(7));
        // The first time, each statement is prepared on its connection.
        for counted in [false, true] {
            let count = async |what: &str, statements: u64| {
                let trips = proxy.round_trips_of(statements * each).await;
                if counted {
                    println!("postgres, test_before_acquire {tests_first}: {what}: {trips}");
                    assert_eq!(trips, statements * each, "{what}");
                }
            };
            let created = store.create(&id(1), &record, now()).await.unwrap();
            let Created::Created(revision) = created else {
                panic!("{created:?}");
            };
            count("create", 1).await;
            assert!(store.load(&claim, now()).await.unwrap().is_some());
            count("load", 1).await;
            let replaced = store.replace(&id(1), revision, &record, now()).await;
            assert_eq!(replaced.unwrap(), Replaced::Replaced(Revision::new(2)));
            count("replace", 1).await;
            let conflict = store.replace(&id(1), stale, &record, now()).await;
            assert_eq!(conflict.unwrap(), Replaced::Conflict);
            count("replace that conflicts", 2).await;
            assert_eq!(store.sessions_of(&alice, now()).await.unwrap().len(), 1);
            count("sessions_of", 1).await;
            assert_eq!(store.remove_all_of(&alice, None).await.unwrap(), 1);
            count("remove_all_of", 1).await;
            assert_eq!(store.remove(&id(1)).await.unwrap(), Removed::Absent);
            count("remove", 1).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn migrating_postgres_from_many_processes_at_once_is_harmless() {
    let Some(server) = Server::start() else {
        return;
    };
    let store = PostgresStore::new(pool(server.options()));
    let error = store.sweep(now(), 1).await.unwrap_err();
    assert_eq!(
        error.kind(),
        StoreErrorKind::Unsupported,
        "before: {error:?}"
    );

    let mut migrations = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let store = PostgresStore::new(pool(server.options()));
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
        let _ = store.create(&id(number), &record, begin).await.unwrap();
    }
    let living = RecordBuilder::new(begin).build();
    let _ = store.create(&id(10), &living, begin).await.unwrap();
    assert_eq!(store.sweep(begin, 100).await.unwrap(), 0);

    // What somebody is writing is passed over, and nobody waits.
    let mut writer = pool(options).begin().await.unwrap();
    let touch = "SELECT 1 FROM session_guard WHERE id = $1 FOR UPDATE";
    let touch = sqlx::query(touch).bind(&id(0).as_bytes()[..]);
    touch.execute(&mut *writer).await.unwrap();
    assert_eq!(store.sweep(then, 4).await.unwrap(), 4);
    assert_eq!(store.sweep(then, 100).await.unwrap(), 5);
    writer.rollback().await.unwrap();
    assert_eq!(store.sweep(then, 100).await.unwrap(), 1);
    assert_eq!(store.live_records(begin).await.unwrap(), Some(1));
}

/// A29: a row that says another subject than its record is believed by nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_of_another_subject_is_corrupt() {
    let Some(server) = Server::start() else {
        return;
    };
    let (store, options) = fresh(&server).await;
    let record = RecordBuilder::new(now()).subject("alice").build();
    let _ = store.create(&id(1), &record, now()).await.unwrap();
    let edit = "UPDATE session_guard SET subject = 'mallory'::bytea";
    sqlx::raw_sql(edit).execute(&pool(options)).await.unwrap();
    let claim = claim_for(&id(1), [0; 16]);
    let error = store.load(&claim, now()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    let mallory = Subject::from("mallory");
    let error = store.sessions_of(&mallory, now()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
}
