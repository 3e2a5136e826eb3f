//! The store contract, with two caches on one server (R66, R70, A27).

use std::time::{Duration, SystemTime};

use tower_session_guard::{
    store::Lease,
    testing::store_contract::{self, StoreContract, StoreUnderTest},
};

use crate::{
    cached::Cached,
    fake::{Path, Server},
};

const LEASE: Duration = Duration::from_millis(150);

fn under_test(lease: Lease) -> StoreUnderTest {
    let server = Server::new();
    let (first, second) = (server.node(), server.node());
    let cached = Cached::start(second.clone(), lease);
    StoreUnderTest::new(Cached::start(first, lease))
        .with_volume(1000)
        .with_second_node(cached)
        .with_path(move |path| {
            second.set_path(match path {
                store_contract::Path::Open => Path::Open,
                store_contract::Path::Cut => Path::Cut,
                store_contract::Path::Silent => Path::Silent,
                store_contract::Path::Slow(by) => Path::Slow(by),
                other => panic!("{other:?}"),
            });
            async {}
        })
}

async fn holds(lease: Lease) {
    let now = SystemTime::now().into();
    let contract = StoreContract::new(now, || async { under_test(lease) });
    let contract = contract.with_freshness(lease.into());
    // How long the work takes is the server's affair, which is a store in memory.
    let is_timed = |name: &str| name.ends_with("in_linear_time");
    let report = contract.run_where(|name| !is_timed(name)).await;
    println!("{lease:?}: {report}");
    report.assert_held();
    assert_eq!(report.skipped(), 2, "the restarts: {report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_nodes_with_exact_leases_hold_the_contract() {
    holds(Lease::exact(LEASE).unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_nodes_with_bounded_leases_hold_the_contract() {
    holds(Lease::bounded(LEASE).unwrap()).await;
}
