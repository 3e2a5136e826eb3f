//! What a cache costs the server, counted there.

use std::time::Duration;

use test_support::redis::{Server, redis};
use tokio::time::sleep;
use tower_session_guard::{
    SessionStore,
    store::{Counting, Lease},
    testing::{RecordBuilder, claim_for},
};

use crate::node::{Setup, id, now, wait_until_live};

/// How many commands the server has carried out, those within scripts included.
fn commands(server: &Server) -> u64 {
    let stats = server.ask("INFO commandstats").unwrap();
    let calls = stats.lines().filter_map(|line| {
        let (name, rest) = line.split_once(":calls=")?;
        let calls: u64 = rest.split(',').next()?.parse().ok()?;
        (name != "cmdstat_info").then_some(calls)
    });
    calls.sum()
}

/// R75: reads from memory cost the server nothing, and an idle node at most two commands in a third of its lease.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_from_memory_costs_no_command_and_an_idle_node_one_fence_at_a_time() {
    let Some(program) = redis() else { return };
    let server = Server::start(&program, &[]);
    let lease = Lease::exact(Duration::from_millis(300)).unwrap();
    let setup = Setup {
        url: server.url(),
        lease,
        is_starved: false,
    };
    let store = setup.start().await.unwrap();
    tokio::task::block_in_place(|| wait_until_live(&store));
    let record = RecordBuilder::new(now()).subject("alice").build();
    let first = id(1);
    let created = store.create(&first, &record, Counting::Counted, now());
    let _created = created.await.unwrap();
    let claim = claim_for(&id(1), [0; 16]);
    store.load((&claim).into(), now()).await.unwrap().unwrap();

    let idle = Duration::from_secs(3);
    let before = commands(&server);
    sleep(idle).await;
    let sent = commands(&server) - before;
    let thirds = idle.as_millis() / (lease.time() / 3).as_millis();
    println!("idle for {thirds} thirds of a lease: {sent} commands");
    assert!(u128::from(sent) <= 2 * thirds, "{sent}");
    assert!(sent > 0);

    let before = commands(&server);
    let began = std::time::Instant::now();
    for _ in 0..100_000 {
        assert!(store.try_load((&claim).into(), now()).is_some());
    }
    let thirds = began.elapsed().as_millis() / 100 + 1;
    let sent = commands(&server) - before;
    println!(
        "100,000 reads from memory in {:?}: {sent} commands",
        began.elapsed()
    );
    assert!(u128::from(sent) <= 2 * thirds, "{sent}");
}
