//! What befalls the server, the network and the nodes.

use std::time::Duration;

use test_support::{
    process,
    proxy::Proxy,
    redis::{Cluster, Server, Watched, redis},
    server::StoreServer,
};
use tower_session_guard::store::Lease;
use tower_session_guard_redis::redis::cluster_routing::Slot;

use crate::{
    arena::Arena,
    node::{Setup, id},
};

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// How long a node may take to serve again on a machine that others keep busy. What it takes as a rule is in docs/scale.md.
const AFTER_A_CUT: Duration = millis(2_000);
const AFTER_A_RETURN: Duration = millis(10_000);

fn setup(url: &str, lease: Lease) -> Setup {
    Setup {
        url: url.to_owned(),
        lease,
        is_starved: false,
    }
}

fn exact() -> Lease {
    Lease::exact(millis(250)).unwrap()
}

fn bounded() -> Lease {
    Lease::bounded(millis(400)).unwrap()
}

/// R75, A27: connections are killed, and the server stands still, dies and comes back with what it acknowledged.
async fn one_server(what: &str, lease: Lease) {
    let Some(program) = redis() else { return };
    let server = Server::start(&program, &[]);
    let url = server.url();
    let arena = Arena::open(&url, setup(&url, lease), setup(&url, lease)).await;
    arena.pass(millis(1_200)).await;
    for round in 0..3 {
        server.wait_for("CLIENT KILL TYPE normal", ":");
        arena
            .recovers(&format!("{what}, cut {round}"), AFTER_A_CUT)
            .await;
        arena.pass(millis(400)).await;
    }
    server.pause();
    arena.pass(millis(1_000)).await;
    server.go_on();
    arena
        .recovers(&format!("{what}, paused"), AFTER_A_RETURN)
        .await;
    arena.pass(millis(600)).await;
    server.kill();
    arena.pass(millis(700)).await;
    server.start_again();
    arena
        .recovers(&format!("{what}, killed"), AFTER_A_RETURN)
        .await;
    arena.pass(millis(600)).await;
    arena.close(what).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_of_one_server_under_an_exact_lease() {
    one_server("exact", exact()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_of_one_server_under_a_bounded_lease() {
    one_server("bounded", bounded()).await;
}

/// R75, A27: a node's process stands still, and its tasks do while its threads read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_stands_still_or_starves_admits_nothing_afterwards() {
    let Some(program) = redis() else { return };
    let server = Server::start(&program, &[]);
    let url = server.url();
    let starved = Setup {
        is_starved: true,
        ..setup(&url, exact())
    };
    for (what, there) in [
        ("paused node", setup(&url, exact())),
        ("starved node", starved),
    ] {
        server.wait_for("FLUSHALL", "OK");
        let arena = Arena::open(&url, setup(&url, exact()), there.clone()).await;
        arena.pass(millis(700)).await;
        for pause in [150, 300, 700, 1_000] {
            if !there.is_starved {
                process::pause(&[arena.pid_of_the_other()]);
                arena.pass(millis(pause)).await;
                process::go_on(&[arena.pid_of_the_other()]);
            }
            arena.pass(millis(500)).await;
        }
        arena.close(what).await;
    }
}

/// R75, A27: the way of one node to the server carries nothing for a while, and then all of it late.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_behind_a_silent_path_admits_nothing_that_ended() {
    let Some(program) = redis() else { return };
    let server = Server::start(&program, &[]);
    let url = server.url();
    let proxy = Proxy::to(server.address()).await;
    let there = setup(&format!("redis://{}/0", proxy.address()), exact());
    let arena = Arena::open(&url, setup(&url, exact()), there).await;
    arena.pass(millis(700)).await;
    for silence in [100, 300, 1_500] {
        proxy.be_silent(true);
        arena.pass(millis(silence)).await;
        proxy.be_silent(false);
        arena.pass(millis(900)).await;
    }
    arena.close("silent path").await;
}

/// R75, A27: the primary dies, and the sentinel names another one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_admits_nothing_that_ended() {
    let Some(program) = redis() else { return };
    let watched = Watched::start(&program);
    let url = watched.url();
    let arena = Arena::open(&url, setup(&url, exact()), setup(&url, exact())).await;
    arena.pass(millis(1_000)).await;
    watched.wait_until_replicated();
    watched.primary.kill();
    while !watched.replica.ask("ROLE").unwrap().contains("master") {
        arena.pass(millis(100)).await;
    }
    arena.recovers("failover", AFTER_A_RETURN).await;
    arena.pass(millis(1_500)).await;
    arena.close("failover").await;
}

/// R75, A27: slots move while their sessions are read and end, and a primary dies and comes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_moves_its_slots_admits_nothing_that_ended() {
    let Some(program) = redis() else { return };
    let cluster = Cluster::start(&program);
    let url = cluster.url();
    let arena = Arena::open(&url, setup(&url, exact()), setup(&url, exact())).await;
    arena.pass(millis(1_000)).await;
    let [first, second, third] = &cluster.0;
    let id_of = |server: &Server| {
        let answer = server.ask("CLUSTER MYID").unwrap();
        answer.lines().nth(1).unwrap().to_owned()
    };
    // Slots of the second primary whose sessions end in the next seconds, and then that of the leases.
    let slots = (20..400).map(|number| number_of(Slot::for_key(id(number).to_string())));
    let slots = slots.filter(|slot| (5462..=10_922).contains(slot)).take(25);
    let moves = slots.map(|slot| (slot, second, third));
    let leases = number_of(Slot::for_key("session:{lease}"));
    assert!(leases > 10_922);
    for (slot, from, to) in moves.chain([(leases, third, second)]) {
        let (source, target) = (id_of(from), id_of(to));
        to.wait_for(&format!("CLUSTER SETSLOT {slot} IMPORTING {source}"), "OK");
        from.wait_for(&format!("CLUSTER SETSLOT {slot} MIGRATING {target}"), "OK");
        loop {
            let keys = from
                .ask(&format!("CLUSTER GETKEYSINSLOT {slot} 100"))
                .unwrap();
            let keys: Vec<_> = keys
                .lines()
                .filter(|line| line.starts_with("session:"))
                .collect();
            if keys.is_empty() {
                break;
            }
            let keys = keys.join(" ");
            let migrate = format!("MIGRATE 127.0.0.1 {} \"\" 0 5000 KEYS {keys}", to.port);
            from.ask(&migrate).unwrap();
            arena.pass(millis(10)).await;
        }
        for server in [to, from, first] {
            server.wait_for(&format!("CLUSTER SETSLOT {slot} NODE {target}"), "OK");
        }
        arena.pass(millis(40)).await;
    }
    arena.recovers("resharding", AFTER_A_RETURN).await;
    arena.pass(millis(500)).await;
    first.kill();
    arena.pass(millis(500)).await;
    first.start_again();
    for server in &cluster.0 {
        server.wait_for("CLUSTER INFO", "cluster_state:ok");
    }
    arena
        .recovers("a primary that came back", AFTER_A_RETURN)
        .await;
    arena.pass(millis(1_000)).await;
    arena.close("cluster").await;
}

fn number_of(slot: Slot) -> u16 {
    (0..16_384)
        .find(|number| Slot::new(*number) == Some(slot))
        .unwrap()
}
