//! The store contract on every kind of server (R14, R16, R65, R66, R70, A24, A25, A27, A29, A35).

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::SystemTime,
};

use test_support::{
    redis::{Cluster, Server, Watched, program, redis},
    server::StoreServer,
};
use tower_session_guard::testing::store_contract::{ContractReport, StoreContract, StoreUnderTest};
use tower_session_guard_redis::RedisStore;

/// A name space that no other store of this test run has.
pub(crate) fn namespace() -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    format!("test{}:", NUMBER.fetch_add(1, Relaxed))
}

/// Runs the suite on two handles; `restart` kills the server and starts it again.
async fn run(
    kind: &str,
    url: String,
    restart: Option<Arc<dyn Fn() + Send + Sync>>,
) -> ContractReport {
    let make = || async {
        let namespace = namespace();
        let [store, second] = [
            RedisStore::connect(&url)
                .await
                .unwrap()
                .with_namespace(&namespace),
            RedisStore::connect(&url)
                .await
                .unwrap()
                .with_namespace(&namespace),
        ];
        let under_test = StoreUnderTest::new(store).with_second_node(second);
        let Some(restart) = restart.clone() else {
            return under_test;
        };
        under_test.with_restart(move || {
            let restart = Arc::clone(&restart);
            async move {
                tokio::task::spawn_blocking(move || restart())
                    .await
                    .unwrap();
            }
        })
    };
    let report = StoreContract::new(SystemTime::now().into(), make)
        .run()
        .await;
    println!("{kind}: {report}");
    report.assert_held();
    report
}

async fn on_one_server(kind: &str, program: Option<PathBuf>) {
    let Some(program) = program else { return };
    let server = Arc::new(Server::start(&program, &[]));
    let url = server.url();
    let restart = move || {
        server.kill();
        server.start_again();
    };
    let report = run(kind, url, Some(Arc::new(restart))).await;
    assert_eq!(
        report.skipped(),
        1,
        "only the count of live records: {report}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn redis_holds_the_contract() {
    on_one_server("redis", redis()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn valkey_holds_the_contract() {
    on_one_server("valkey", program("VALKEY_SERVER", "valkey-server")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cluster_of_three_holds_the_contract() {
    let Some(program) = redis() else { return };
    let cluster = Arc::new(Cluster::start(&program));
    let url = cluster.url();
    let restart = move || {
        for server in &cluster.0 {
            server.kill();
        }
        for server in &cluster.0 {
            server.start_again();
        }
        for server in &cluster.0 {
            server.wait_for("CLUSTER INFO", "cluster_state:ok");
        }
    };
    let report = run("redis cluster", url, Some(Arc::new(restart))).await;
    assert_eq!(
        report.skipped(),
        1,
        "only the count of live records: {report}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_primary_behind_a_sentinel_holds_the_contract() {
    let Some(program) = redis() else { return };
    let watched = Watched::start(&program);
    let report = run("redis behind a sentinel", watched.url(), None).await;
    assert_eq!(report.skipped(), 3, "and the two restarts: {report}");
}
