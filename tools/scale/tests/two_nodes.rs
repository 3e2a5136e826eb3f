//! The simulator against two real nodes over a real Redis, in what the server counts.
//!
//! `REDIS_SERVER` names the program; without it `redis-server` is looked for in `PATH`.

use std::time::{Duration, Instant, SystemTime};

use scale::{Network, Outage, Setup, run};
use test_support::{
    redis::{Server, redis},
    server::PATIENCE,
};
use tokio::time::{sleep, sleep_until};
use tower_session_guard::{
    SessionId, SessionStore, Timestamp,
    store::{Counting, Lease},
    testing::{RecordBuilder, claim_for},
};
use tower_session_guard_cache::Cached;
use tower_session_guard_redis::RedisStore;

const NODES: usize = 2;
const SESSIONS: usize = 150;
const LEASE: Duration = Duration::from_millis(900);

/// Before the connections are cut, and again after that.
const REQUESTS: u32 = 800;
const REQUEST_EVERY: Duration = Duration::from_millis(5);

/// How much the counts may differ: a node on a busy machine sends its fences late.
const TOLERANCE: f64 = 0.3;

fn id(number: usize) -> SessionId {
    let mut bytes = [7; SessionId::LEN];
    bytes[..8].copy_from_slice(&(number as u64).to_be_bytes());
    SessionId::from_bytes(bytes)
}

fn now() -> Timestamp {
    SystemTime::now().into()
}

/// How often a server has carried out a command, within scripts too.
fn calls(server: &Server, command: &str) -> u64 {
    let stats = server.ask("INFO commandstats").unwrap();
    let begin = format!("cmdstat_{command}:calls=");
    let rest = stats.lines().find_map(|line| line.strip_prefix(&begin));
    rest.map_or(0, |rest| rest.split(',').next().unwrap().parse().unwrap())
}

/// A read over the feed is a `GETEX` and a `GET`, a fence a `GETEX`, as a read past the feed is.
fn fills_and_fences(server: &Server) -> (u64, u64) {
    let (reads, all) = (calls(server, "get"), calls(server, "getex"));
    (reads, all - reads)
}

async fn all_live(nodes: &[Cached<RedisStore>], epochs: u64) {
    let began = Instant::now();
    let lives = |node: &Cached<RedisStore>| {
        let stats = node.stats();
        stats.is_live() && stats.epochs() >= epochs
    };
    while !nodes.iter().all(lives) {
        assert!(began.elapsed() < PATIENCE, "the nodes never live");
        sleep(Duration::from_millis(2)).await;
    }
}

/// Requests for sessions by chance, each to the node of its session. Tells how long they took.
async fn send(nodes: &[Cached<RedisStore>], rng: &mut fastrand::Rng) -> Duration {
    let began = tokio::time::Instant::now();
    for request in 0..REQUESTS {
        sleep_until(began + REQUEST_EVERY * request).await;
        let number = rng.usize(0..SESSIONS);
        let node = &nodes[number % NODES];
        let claim = claim_for(&id(number), [0; 16]);
        if node.try_load((&claim).into(), now()).is_none() {
            node.load((&claim).into(), now()).await.unwrap().unwrap();
        }
    }
    began.elapsed()
}

#[track_caller]
fn assert_agree(what: &str, found: u64, simulated: u64) {
    println!("{what}: {found} counted, {simulated} simulated");
    let ratio = found as f64 / simulated as f64;
    assert!((ratio - 1.0).abs() <= TOLERANCE, "{what}: {ratio}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_real_nodes_send_the_fences_and_the_reads_that_are_simulated() {
    let Some(program) = redis() else { return };
    let server = Server::start(&program, &[]);
    let store = RedisStore::connect(&server.url()).await.unwrap();
    for number in 0..SESSIONS {
        let record = RecordBuilder::new(now()).subject("user").build();
        let session = id(number);
        let created = store.create(&session, &record, Counting::LeftOut, now());
        let _created = created.await.unwrap();
    }
    let mut nodes = Vec::new();
    for _ in 0..NODES {
        let store = RedisStore::connect(&server.url()).await.unwrap();
        nodes.push(Cached::start(store, Lease::exact(LEASE).unwrap()));
    }
    all_live(&nodes, 1).await;
    let before = fills_and_fences(&server);
    let mut rng = fastrand::Rng::with_seed(5);
    let first = send(&nodes, &mut rng).await;
    server.wait_for("CLIENT KILL TYPE normal", ":");
    // What is read past the feed meanwhile depends on how busy the machine is.
    all_live(&nodes, 2).await;
    let second = send(&nodes, &mut rng).await;
    let after = fills_and_fences(&server);

    let simulated = run(&Setup {
        nodes: NODES,
        lease: LEASE,
        network: Network::IDLE,
        sessions: SESSIONS,
        request_every: (first + second) * SESSIONS as u32 / (2 * REQUESTS),
        // Nothing is touched.
        touch_after: Duration::from_secs(1_000_000),
        until: first + second,
        ..Setup::small().with_outage(Outage {
            at: first,
            length: Duration::ZERO,
            logged_out: 0.0,
        })
    });
    assert_agree("fills", after.0 - before.0, simulated.fills);
    // The nodes are connected whenever they are asked, so as a rule nothing is read past the feed.
    assert_agree("fences", after.1 - before.1, simulated.fences);
}
