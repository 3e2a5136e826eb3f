//! The store, held to the published contract.

mod folder;

use std::{sync::Arc, time::SystemTime};

use folder::Folder;
use tower_session_guard::testing::store_contract::{StoreContract, StoreUnderTest};

/// Each of these sessions waits for the disk a few times.
const VOLUME: usize = 1_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_store_holds_the_contract() {
    let make = || async {
        let folder = Arc::new(Folder::new());
        // Another process would have another handle to the same folder.
        let (store, second) = (folder.open(), folder.open());
        StoreUnderTest::new(store)
            .with_volume(VOLUME)
            .with_second_node(second)
            .with_restart(move || {
                // There is no server to restart: all that must outlast one is in the folder.
                let folder = Arc::clone(&folder);
                async move { assert!(folder.0.exists()) }
            })
    };
    let now = SystemTime::now().into();
    let report = StoreContract::new(now, make).run().await;
    println!("{report}");
    report.assert_held();
    // Counting live records would read every file.
    assert_eq!(report.skipped(), 1, "{report}");
}
