//! A thousand sessions end at once, while two nodes go on reading others (R75).
//!
//! Each test prints what the endings and the reads took. The numbers in docs/leases.md are those of a release build:
//! `cargo test --release --package tower-session-guard-redis --test nodes storm -- --nocapture --test-threads 1`

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, future::join_all, stream};
use test_support::{Client, SESSION, keys, redis::Server, server::PATIENCE};
use tokio::{
    runtime::{Builder, Runtime},
    time::sleep,
};
use tower_session_guard::{
    SessionLayer, SessionStore,
    store::{Counting, Lease},
    testing::{RecordBuilder, claim_for},
};
use tower_session_guard_cache::Cached;
use tower_session_guard_redis::{
    RedisStore,
    redis::{self, AsyncConnectionConfig, aio::ConnectionLike},
};

use crate::node::{Store, id, now, wait_until_live};

const LEASE: Duration = Duration::from_millis(250);

/// The sessions that live come first, then those that end at once, then those that end one after the other.
const OTHERS: usize = 200;
const AT_ONCE: usize = 1_000;
const ALONE: usize = 8;
const ALL: usize = OTHERS + AT_ONCE + ALONE;

/// How many threads read on each node, and how many sessions each of them reads in a millisecond or so.
const READERS: usize = 3;
const READS: usize = 16;

/// How long reads are watched before the storm.
const CALM: Duration = Duration::from_millis(500);

/// How long an ending may take on a machine that others keep busy.
const ENDING_LIMIT: Duration = Duration::from_secs(60);

/// How the sessions of two nodes are read and end.
trait Sessions: Send + Sync + 'static {
    /// Whether the endings themselves are so much work that the node's tasks wait for their turns, in a debug build on a
    /// busy machine.
    const IS_WORK: bool;

    /// Whether a node admits the session.
    fn admits(&self, node: usize, number: usize) -> impl Future<Output = bool> + Send;

    /// Ends the session on the first node, and waits for the acknowledgment.
    fn end(&self, number: usize) -> impl Future<Output = ()> + Send;
}

/// The stores alone, called as the layer does.
struct Bare([Store; 2]);

impl Sessions for Bare {
    const IS_WORK: bool = false;

    async fn admits(&self, node: usize, number: usize) -> bool {
        let (store, claim) = (&self.0[node], claim_for(&id(number), [0; 16]));
        if store.try_load((&claim).into(), now()).is_some() {
            return true;
        }
        let loaded = store.load((&claim).into(), now()).await;
        loaded.unwrap().is_some()
    }

    async fn end(&self, number: usize) {
        let store = &self.0[0];
        let _removed = store.remove(&id(number), None).await.unwrap();
        store.endings_hold().unwrap().await.unwrap();
    }
}

/// Requests to an application on each node.
struct Applications {
    clients: [Client; 2],
    tokens: Vec<String>,
}

impl Sessions for Applications {
    const IS_WORK: bool = true;

    async fn admits(&self, node: usize, number: usize) -> bool {
        let cookies = [(SESSION, &*self.tokens[number])];
        let answer = self.clients[node].get("/whoami", &cookies).await;
        assert_eq!(answer.status, 200);
        let user = format!("user{number}@1");
        assert!([&user, "nobody"].contains(&&*answer.body), "{answer:?}");
        answer.body == user
    }

    async fn end(&self, number: usize) {
        let cookies = [(SESSION, &*self.tokens[number])];
        let answer = self.clients[0].post("/do?marks=logout", &cookies).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.cookie(SESSION).as_deref(), Some(""));
    }
}

/// A node with a runtime of its own, as on a machine of its own.
struct Node {
    runtime: Runtime,
    store: Store,
    url: String,
}

fn runtime() -> Runtime {
    let mut runtime = Builder::new_multi_thread();
    runtime.worker_threads(2).enable_all().build().unwrap()
}

impl Node {
    fn start(server: &Server) -> Self {
        let runtime = runtime();
        let url = server.url();
        let store = runtime.block_on(async {
            let redis = RedisStore::connect(&url).await.unwrap();
            let lease = Lease::exact(LEASE).unwrap();
            Cached::start(redis.with_time_limit(PATIENCE), lease)
        });
        wait_until_live(&store);
        Self {
            runtime,
            store,
            url,
        }
    }
}

#[test]
fn a_storm_of_endings_does_not_stall_reads() {
    let Some(program) = test_support::redis::redis() else {
        return;
    };
    let server = Server::start(&program, &[]);
    let nodes = [(); 2].map(|()| Node::start(&server));
    let stores = nodes.each_ref().map(|node| node.store.clone());
    let made = stream::iter(0..ALL).for_each_concurrent(64, |number| {
        let store = &stores[0];
        async move {
            let record = RecordBuilder::new(now()).subject("alice").build();
            let id = id(number);
            let created = store.create(&id, &record, Counting::LeftOut, now());
            let _created = created.await.unwrap();
        }
    });
    nodes[0].runtime.block_on(made);
    storm("the stores", &nodes, Bare(stores));
}

#[test]
fn a_storm_of_logouts_does_not_stall_requests() {
    let Some(program) = test_support::redis::redis() else {
        return;
    };
    let server = Server::start(&program, &[]);
    let nodes = [(); 2].map(|()| Node::start(&server));
    let clients = nodes
        .each_ref()
        .map(|node| Client::of(SessionLayer::new(keys()).with_store(node.store.clone())));
    let logins = stream::iter(0..ALL).map(|number| {
        let client = &clients[0];
        async move {
            let login = format!("/do?marks=login:user{number}");
            let answer = client.post(&login, &[]).await;
            answer.cookie(SESSION).expect("a login issues a token")
        }
    });
    let tokens = nodes[0].runtime.block_on(logins.buffered(64).collect());
    storm("the layer", &nodes, Applications { clients, tokens });
}

/// When something began, and how long it took.
type Timed = (Instant, Duration);

/// What the threads and tasks of a node are told, and what they notice.
#[derive(Default)]
struct Seen {
    stop: AtomicBool,
    /// The lease ran out for a moment.
    lapsed: AtomicBool,
    /// A copy of a session that lives was dropped.
    dropped: AtomicBool,
}

/// Stops what watches the nodes, also if the test fails.
struct Stop<'a>(&'a [Arc<Seen>; 2]);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        for seen in self.0 {
            seen.stop.store(true, SeqCst);
        }
    }
}

/// Reads the sessions that live until it is told to stop, on a thread of its own, so that it measures the reads and not
/// the runtime's queue.
fn read_on(nodes: &impl Sessions, at: usize, node: &Node, seen: &Seen) -> Vec<Timed> {
    let mut reads = Vec::new();
    let is_live = || node.store.stats().is_live();
    while !seen.stop.load(SeqCst) {
        for _ in 0..READS {
            let was_live = is_live();
            let began = Instant::now();
            let admits = nodes.admits(at, reads.len() % OTHERS);
            assert!(node.runtime.block_on(admits));
            reads.push((began, began.elapsed()));
            if !(was_live && is_live()) {
                seen.lapsed.store(true, SeqCst);
            }
        }
        if node.store.stats().entries() < OTHERS {
            seen.dropped.store(true, SeqCst);
        }
        thread::sleep(Duration::from_millis(1));
    }
    reads
}

/// Measures round trips that have nothing to do with the cache: how busy the machine and the server are.
async fn ping_on(url: String, seen: Arc<Seen>) -> Vec<Timed> {
    let client = redis::Client::open(url).unwrap();
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    let pings = client.get_multiplexed_async_connection_with_config(&config);
    let mut pings = pings.await.unwrap();
    let mut took = Vec::new();
    while !seen.stop.load(SeqCst) {
        let began = Instant::now();
        let answer = pings.req_packed_command(&redis::cmd("PING")).await;
        answer.unwrap();
        took.push((began, began.elapsed()));
        sleep(Duration::from_millis(1)).await;
    }
    took
}

/// What happened on a node.
struct Watched {
    reads: Vec<Vec<Timed>>,
    pings: Vec<Timed>,
}

fn storm<S: Sessions>(what: &str, nodes: &[Node; 2], sessions: S) {
    let sessions = &Arc::new(sessions);
    for (at, node) in nodes.iter().enumerate() {
        fill(&**sessions, at, node);
    }
    let here = &nodes[0].runtime;
    let apart = runtime();
    let seen = &[(); 2].map(|()| Arc::<Seen>::default());
    let counts = || {
        let stats = nodes.each_ref().map(|node| node.store.stats());
        stats.map(|stats| (stats.epochs(), stats.misses()))
    };
    let (times, counted, watched) = thread::scope(|scope| {
        let stop = Stop(seen);
        let watches = [0, 1].map(|at| {
            let (node, seen) = (&nodes[at], &seen[at]);
            let readers =
                [(); READERS].map(|()| scope.spawn(move || read_on(&**sessions, at, node, seen)));
            let pings = if S::IS_WORK { &node.runtime } else { &apart };
            let pings = pings.spawn(ping_on(node.url.clone(), Arc::clone(seen)));
            (readers, pings)
        });
        let one_by_one = async {
            let mut took = Vec::new();
            for number in OTHERS + AT_ONCE..ALL {
                took.push(end(&**sessions, number, Instant::now()).await);
            }
            took
        };
        let alone = here.block_on(one_by_one);
        let calm_from = Instant::now();
        thread::sleep(CALM);
        let before = counts();
        let began = Instant::now();
        let endings = (OTHERS..OTHERS + AT_ONCE).map(|number| {
            let sessions = Arc::clone(sessions);
            here.spawn(async move { end(&*sessions, number, began).await })
        });
        let endings = here.block_on(join_all(endings.collect::<Vec<_>>()));
        let counted = [before, counts()];
        drop(stop);
        let at_once: Vec<_> = endings.into_iter().map(Result::unwrap).collect();
        let watched = watches.map(|(readers, pings)| Watched {
            reads: readers.map(|reader| reader.join().unwrap()).into(),
            pings: here.block_on(pings).unwrap(),
        });
        ((alone, at_once, calm_from, began), counted, watched)
    });

    let (alone, at_once, calm_from, began) = times;
    let lasted = *at_once.iter().max().unwrap();
    println!("{what}, an ending alone: {}", Spread::of(alone.clone()));
    let together = Spread::of(at_once.clone());
    println!("{what}, {AT_ONCE} endings at once: {together}");
    for took in alone.into_iter().chain(at_once) {
        assert!((LEASE..ENDING_LIMIT).contains(&took), "{what}: {took:?}");
    }
    for (node, watched) in watched.iter().enumerate() {
        let what = format!("{what}, node {node}");
        let calm = watched.during(calm_from, began - calm_from);
        let stormy = watched.during(began, lasted);
        println!("{what}, before: {calm}\n{what}, meanwhile: {stormy}");

        let [(epochs, misses), (epochs_after, misses_after)] = counted.map(|count| count[node]);
        assert_eq!(epochs, epochs_after, "{what}: an epoch was lost");
        let dropped = seen[node].dropped.load(SeqCst);
        assert!(!dropped, "{what}: copies were dropped");
        // Each session that ended was asked for once more.
        let asked = misses_after - misses - AT_ONCE as u64;
        let lapsed = seen[node].lapsed.load(SeqCst);
        println!("{what}: {asked} reads asked the store, the lease ran out: {lapsed}");
        assert!(asked == 0 || lapsed, "{what}: {asked}");
        // Where others keep the machine or the server busy, the lease runs out for long.
        let is_busy = watched.pings.iter().any(|(_, took)| *took > LEASE / 4);
        let is_steady = stormy.in_a_second >= calm.in_a_second / 4.0;
        assert!(is_steady || is_busy, "{what}: reads stall");
    }
}

/// Reads all sessions until memory answers for each.
fn fill(sessions: &impl Sessions, at: usize, node: &Node) {
    let began = Instant::now();
    let round = async || {
        for number in 0..ALL {
            assert!(sessions.admits(at, number).await);
        }
    };
    loop {
        let misses = node.store.stats().misses();
        node.runtime.block_on(round());
        if node.store.stats().misses() == misses {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "memory never answers");
    }
}

/// How long it took from `began` until an ending was acknowledged. No node admits the session then.
async fn end(sessions: &impl Sessions, number: usize, began: Instant) -> Duration {
    sessions.end(number).await;
    let took = began.elapsed();
    for node in 0..2 {
        let admits = sessions.admits(node, number).await;
        assert!(!admits, "node {node} admits session {number}");
    }
    took
}

impl Watched {
    fn during(&self, from: Instant, lasting: Duration) -> While {
        let until = from + lasting;
        let within = |(began, took): &&Timed| *began >= from && *began + *took < until;
        let took = |timed: &[Timed]| timed.iter().filter(within).map(|(_, took)| *took).collect();
        let reads: Vec<_> = self.reads.iter().flat_map(|reads| took(reads)).collect();
        While {
            in_a_second: reads.len() as f64 / lasting.as_secs_f64(),
            reads: Spread::of(reads),
            pings: Spread::of(took(&self.pings)),
        }
    }
}

/// What a while was like on a node.
struct While {
    in_a_second: f64,
    reads: Spread,
    pings: Spread,
}

impl fmt::Display for While {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rate, reads, pings) = (self.in_a_second, &self.reads, &self.pings);
        write!(f, "{rate:.0} reads/s: {reads}; round trips: {pings}")
    }
}

/// How times are spread.
struct Spread {
    sorted: Vec<Duration>,
}

impl Spread {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self { sorted: times }
    }

    fn at(&self, permille: usize) -> Duration {
        let last = self.sorted.len().saturating_sub(1);
        let at = last * permille / 1_000;
        self.sorted.get(at).copied().unwrap_or_default()
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p50, p99, most] = [500, 990, 1_000].map(|permille| self.at(permille));
        let count = self.sorted.len();
        write!(f, "p50 {p50:.1?}, p99 {p99:.1?}, max {most:.1?} of {count}")
    }
}
