//! PostgreSQL: a server of each test's own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use test_support::{
    keys,
    outage::{AfterDeath, Outage},
    proxy::Proxy,
    server::{PATIENCE, StoreServer},
};
use tower_session_guard::{
    SessionLayer, SessionStore,
    store::{Cutoff, Removed, Replaced, Revision},
    testing::{
        RecordBuilder,
        store_contract::{StoreContract, StoreUnderTest},
    },
};
use tower_session_guard_sqlx::PostgresStore;

use super::{
    common::{create, end, list, load, measure, now, numbered, owner},
    postgres_server::Server,
};

const LIMIT: Duration = Duration::from_millis(700);

pub(crate) fn pool(options: PgConnectOptions) -> PgPool {
    PgPoolOptions::new()
        .max_connections(8)
        .connect_lazy_with(options)
}

/// A store whose time limit no busy machine reaches, for tests of anything but that limit.
pub(crate) fn patient(options: PgConnectOptions) -> PostgresStore {
    PostgresStore::new(pool(options)).with_time_limit(PATIENCE)
}

/// A store in a new schema.
pub(crate) async fn fresh(server: &Server) -> (PostgresStore, PgConnectOptions) {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let schema = format!("s{}", NUMBER.fetch_add(1, Relaxed));
    let admin = pool(server.options());
    let create = sqlx::AssertSqlSafe(format!("CREATE SCHEMA {schema}"));
    sqlx::raw_sql(create).execute(&admin).await.unwrap();
    admin.close().await;
    let options = server.options().options([("search_path", schema)]);
    let store = patient(options.clone());
    store.migrate().await.unwrap();
    (store, options)
}

async fn contract(server: Arc<Server>, options: [(&'static str, &'static str); 1]) {
    let make = || async {
        let (_, own) = fresh(&server).await;
        let own = own.options(options);
        let again = Arc::clone(&server);
        StoreUnderTest::new(patient(own.clone()))
            .with_second_node(patient(own))
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
        let store = PostgresStore::new(pool).with_time_limit(PATIENCE);
        let (alice, id, stale) = (owner("alice"), numbered(1), Revision::new(7));
        let record = RecordBuilder::new(now()).subject("alice").build();
        let guest = RecordBuilder::new(now()).build();
        let cutoff = Cutoff::new(now(), now(), [0; 16]);
        // The first time, each statement is prepared on its connection.
        for counted in [false, true] {
            let count = async |what: &str, statements: u64| {
                let trips = proxy.round_trips_of(statements * each).await;
                if counted {
                    println!("postgres, test_before_acquire {tests_first}: {what}: {trips}");
                    assert_eq!(trips, statements * each, "{what}");
                }
            };
            create(&store, &numbered(2), &guest, now()).await;
            count("create of a guest's", 1).await;
            let (revision, _) = create(&store, &id, &record, now()).await;
            count("create of a login", 2).await;
            assert!(load(&store, &id, now()).await.is_some());
            count("load", 1).await;
            let replaced = store.replace(&id, revision, &record, now()).await;
            assert_eq!(replaced.unwrap(), Replaced::Replaced(Revision::new(2)));
            count("replace", 1).await;
            let conflict = store.replace(&id, stale, &record, now()).await;
            assert_eq!(conflict.unwrap(), Replaced::Conflict);
            count("replace that conflicts", 2).await;
            assert_eq!(list(&store, &alice, now()).await.len(), 1);
            count("a page of heads", 1).await;
            assert_eq!(end(&store, &alice).await, 1);
            count("a page of endings", 1).await;
            let removed = store.remove(&id, Some(&alice)).await.unwrap();
            assert_eq!(removed, Removed::Absent);
            count("remove under a key", 1).await;
            store.raise_cutoff(&alice, &cutoff, now()).await.unwrap();
            count("raise_cutoff", 1).await;
            assert!(store.cutoff(&alice, now()).await.unwrap().is_some());
            count("cutoff", 1).await;
            let removed = store.remove(&numbered(2), None).await.unwrap();
            assert_eq!(removed, Removed::Removed);
            count("remove", 1).await;
        }
    }
}

/// S01: the numbers of the README, as `--ignored --nocapture` prints them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn what_many_sessions_cost_on_postgres() {
    if let Some(server) = Server::start() {
        let (store, _) = fresh(&server).await;
        measure("postgres", &store).await;
    }
}
