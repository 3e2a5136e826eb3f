//! A node: it reads sessions all the time, as the layer does, and notes when it admitted each of them last.

use std::{
    env,
    io::{BufRead, BufReader, Write, stdin, stdout},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime},
};

use rustix::time::{ClockId, clock_gettime};
use test_support::server::PATIENCE;
use tokio::runtime::{Builder, Handle};
use tower_session_guard::{
    SessionId, SessionStore, Timestamp,
    store::{Lease, StoreError},
    testing::claim_for,
};
use tower_session_guard_cache::Cached;
use tower_session_guard_redis::ConnectOptions;

/// How many sessions a test has. Only the first of them end.
pub(crate) const SESSIONS: usize = 1_500;

/// The nodes read those that are about to end and those that just ended.
const NEARBY: usize = 40;

pub(crate) type Store = Cached<tower_session_guard_redis::RedisStore>;

/// What a node is.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) url: String,
    pub(crate) lease: Lease,
    /// The tasks of the node come to a standstill again and again, while its threads read.
    pub(crate) is_starved: bool,
}

/// What a node saw.
#[derive(Debug)]
pub(crate) struct Seen {
    /// When the last read began that admitted a session.
    pub(crate) admitted_at: Vec<AtomicU64>,
    pub(crate) admitted: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) failed: AtomicU64,
    /// The session that ends next.
    pub(crate) next: AtomicUsize,
    stop: AtomicBool,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            admitted_at: (0..SESSIONS).map(|_| AtomicU64::new(0)).collect(),
            admitted: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            next: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
        }
    }
}

pub(crate) fn id(number: usize) -> SessionId {
    let mut bytes = [5; SessionId::LEN];
    bytes[..8].copy_from_slice(&(number as u64).to_be_bytes());
    SessionId::from_bytes(bytes)
}

pub(crate) fn now() -> Timestamp {
    SystemTime::now().into()
}

/// Nanoseconds of a clock that all processes share and that nobody sets.
pub(crate) fn nanos() -> u64 {
    let time = clock_gettime(ClockId::Boottime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

impl Setup {
    /// Connects within the runtime that this is called in.
    pub(crate) async fn start(&self) -> Result<Store, StoreError> {
        let redis = ConnectOptions::new().connect(&self.url).await?;
        let redis = redis.with_time_limit(Duration::from_millis(700));
        Ok(Cached::start(redis, self.lease))
    }
}

/// Reads on threads of their own until it is told to stop. The first asks the store where memory has no answer, as the
/// layer does; the others look into memory only, so that no silent server keeps them from it.
pub(crate) fn read(store: &Store, runtime: &Handle, seen: &Arc<Seen>) -> Vec<JoinHandle<()>> {
    let threads = (0_u64..3).map(|reader| {
        let (store, runtime, seen) = (store.clone(), runtime.clone(), Arc::clone(seen));
        thread::spawn(move || {
            let mut dice = 88_172_645_463_325_252 + reader;
            while !seen.stop.load(SeqCst) {
                dice ^= dice << 13;
                dice ^= dice >> 7;
                dice ^= dice << 17;
                let from = seen.next.load(SeqCst).saturating_sub(NEARBY);
                let number = (from + dice as usize % (2 * NEARBY)).min(SESSIONS - 1);
                let runtime = (reader == 0).then_some(&runtime);
                read_one(&store, runtime, &seen, number);
                thread::sleep(Duration::from_micros(100));
            }
        })
    });
    threads.collect()
}

fn read_one(store: &Store, runtime: Option<&Handle>, seen: &Seen, number: usize) {
    let began = nanos();
    let claim = claim_for(&id(number), [0; 16]);
    let found = match (store.try_load((&claim).into(), now()), runtime) {
        (Some(stored), _) => Ok(Some(stored)),
        (None, Some(runtime)) => runtime.block_on(store.load((&claim).into(), now())),
        (None, None) => return,
    };
    match found {
        Ok(Some(_)) => {
            seen.admitted_at[number].fetch_max(began, SeqCst);
            seen.admitted.fetch_add(1, SeqCst);
        }
        Ok(None) => _ = seen.refused.fetch_add(1, SeqCst),
        Err(_) => _ = seen.failed.fetch_add(1, SeqCst),
    }
}

impl Seen {
    pub(crate) fn stop(&self) {
        self.stop.store(true, SeqCst);
    }
}

/// A node in a process of its own.
pub(crate) struct Process {
    child: Child,
    said: BufReader<ChildStdout>,
    next: ChildStdin,
}

const PROCESS: &str = "SESSION_GUARD_NODE";

impl Process {
    pub(crate) fn start(setup: &Setup) -> Self {
        let kind = if setup.lease.is_exact() {
            "exact"
        } else {
            "bounded"
        };
        let millis = setup.lease.time().as_millis();
        let words = format!("{kind} {millis} {} {}", setup.is_starved, setup.url);
        let mut child = Command::new(env::current_exe().unwrap())
            .args([
                "node::a_node_in_a_process_of_its_own",
                "--exact",
                "--nocapture",
            ])
            .env(PROCESS, words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let next = child.stdin.take().unwrap();
        let said = BufReader::new(child.stdout.take().unwrap());
        let mut process = Self { child, said, next };
        process.expect("ready");
        process
    }

    /// Tells which session ends next.
    pub(crate) fn tell(&mut self, next: usize) {
        let _ = writeln!(self.next, "{next}");
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Stops reading, and says what was seen and how many answers came from memory.
    pub(crate) fn stop(mut self) -> (Seen, u64) {
        drop(self.next);
        let mut seen = Seen::default();
        let mut hits = 0;
        for line in self.said.lines() {
            let line = line.unwrap();
            let words: Vec<_> = line.split(' ').collect();
            match words[..] {
                ["at", number, at] => {
                    let number: usize = number.parse().unwrap();
                    seen.admitted_at[number] = AtomicU64::new(at.parse().unwrap());
                }
                ["sum", admitted, refused, failed, from_memory] => {
                    seen.admitted = AtomicU64::new(admitted.parse().unwrap());
                    seen.refused = AtomicU64::new(refused.parse().unwrap());
                    seen.failed = AtomicU64::new(failed.parse().unwrap());
                    hits = from_memory.parse().unwrap();
                }
                _ => {}
            }
        }
        assert!(self.child.wait().unwrap().success());
        (seen, hits)
    }

    fn expect(&mut self, word: &str) {
        let mut line = String::new();
        while !line.contains(word) {
            line.clear();
            let read = self.said.read_line(&mut line).unwrap();
            assert!(read > 0, "the node never said {word}");
        }
    }
}

/// What the process of a node runs; nothing where no test started it.
#[test]
fn a_node_in_a_process_of_its_own() {
    let Ok(words) = env::var(PROCESS) else { return };
    let words: Vec<_> = words.splitn(4, ' ').collect();
    let time = Duration::from_millis(words[1].parse().unwrap());
    let lease = match words[0] {
        "exact" => Lease::exact(time),
        _ => Lease::bounded(time),
    };
    let setup = Setup {
        lease: lease.unwrap(),
        is_starved: words[2] == "true",
        url: words[3].to_owned(),
    };
    // One thread, so that whoever holds it holds up everything.
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let store = runtime.block_on(setup.start()).unwrap();
    wait_until_live(&store);
    let seen = Arc::<Seen>::default();
    let readers = read(&store, runtime.handle(), &seen);
    if setup.is_starved {
        runtime.spawn(async {
            loop {
                tokio::time::sleep(Duration::from_millis(60)).await;
                // Long enough to lose the lease.
                thread::sleep(Duration::from_millis(400));
            }
        });
    }
    println!("\nready");
    for line in stdin().lines() {
        seen.next.store(line.unwrap().parse().unwrap(), SeqCst);
    }
    seen.stop();
    for reader in readers {
        reader.join().unwrap();
    }
    println!();
    for (number, at) in seen.admitted_at.iter().enumerate() {
        println!("at {number} {}", at.load(SeqCst));
    }
    let [admitted, refused, failed] = [&seen.admitted, &seen.refused, &seen.failed];
    let [admitted, refused, failed] = [admitted, refused, failed].map(|of| of.load(SeqCst));
    println!("sum {admitted} {refused} {failed} {}", store.stats().hits());
    stdout().flush().unwrap();
    drop(store);
    runtime.shutdown_background();
}

pub(crate) fn wait_until_live(store: &Store) {
    let began = Instant::now();
    while !store.stats().is_live() {
        assert!(began.elapsed() < PATIENCE, "the cache never lives");
        thread::sleep(Duration::from_millis(2));
    }
}
