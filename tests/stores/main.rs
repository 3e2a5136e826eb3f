//! The store contract, held against the stores of this crate (R14, R16, R65, R66, R70, A24, A25, A29,
//! A35), and against stores with one flaw each.

#![cfg(feature = "testing")]

use std::time::SystemTime;

use tower_session_guard::{
    MemoryStore,
    testing::store_contract::{StoreContract, StoreUnderTest},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_store_in_memory_holds_the_contract() {
    let make = || async {
        let store = MemoryStore::new();
        StoreUnderTest::new(store.clone()).with_second_node(store)
    };
    let report = StoreContract::new(SystemTime::now().into(), make)
        .run()
        .await;
    println!("memory: {report}");
    report.assert_held();
    assert_eq!(report.skipped(), 2, "{report}");
}
