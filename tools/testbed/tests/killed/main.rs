//! Processes that die under a load of logins and start again (R01, R05, R09, R16, A36): what was acknowledged
//! holds, what was not raises nothing.
//!
//! `KILL_ROUNDS` says how often each dies; ten times unless set.

mod browser;
mod connection;
mod lag;
mod ledger;
#[path = "../process/mod.rs"]
mod process;

use std::{
    env,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tokio::{task::JoinSet, time::sleep};

use self::{browser::Browser, lag::Lag, ledger::Tally, process::Testbed};
use test_support::{
    redis::{Server, redis},
    server::StoreServer,
};

const BROWSERS: u64 = 32;

/// So many answers come before anything is killed,
const WARM: u64 = 100;

/// unless a machine that stopped meanwhile let requests run out of time.
const WARM_WITHIN: Duration = Duration::from_secs(20);

/// SIGKILL comes at a random moment within this time after that.
const WITHIN_MILLIS: u64 = 150;

/// The key ring of all rounds.
const KEYS: &str = "00112233445566778899aabbccddeeff102132435465768798a9bacbdcedfe0f";

/// Whom SIGKILL meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Server,
    Redis,
    Both,
}

/// The server dies with Redis behind it, wherever its requests are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_under_logins_keeps_what_it_acknowledged_and_raises_nothing_else() {
    die(Victim::Server, &["--appendonly", "no"], Duration::ZERO).await;
}

/// The server dies while most of its requests wait for an answer to what Redis has carried out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_between_a_write_and_its_answer_raises_nothing() {
    let lag = Duration::from_millis(4);
    die(Victim::Server, &["--appendonly", "no"], lag).await;
}

/// Redis dies, with `appendonly yes` and `appendfsync always`; the server stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_killed_under_logins_keeps_what_was_acknowledged() {
    die(Victim::Redis, &[], Duration::ZERO).await;
}

/// Both die at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_and_its_redis_killed_at_once_keep_what_was_acknowledged() {
    die(Victim::Both, &[], Duration::ZERO).await;
}

/// Kills the victim round after round. `settings` are further ones of Redis, whose answers come late by `lag`.
async fn die(victim: Victim, settings: &[&str], lag: Duration) {
    let Some(program) = redis() else { return };
    let rounds = env::var("KILL_ROUNDS").map_or(10, |rounds| rounds.parse().unwrap());
    let redis = Server::start(&program, settings);
    let lag = match lag {
        Duration::ZERO => None,
        lag => Some(Lag::start(redis.port, lag).await),
    };
    let url = lag.as_ref().map_or_else(|| redis.url(), Lag::url);
    let settings = [("TESTBED_STORE", url.as_str()), ("SESSION_KEYS", KEYS)];
    let mut browsers: Vec<_> = (0..BROWSERS).map(Browser::new).collect();
    let mut server = Testbed::start(&settings);
    for _ in 0..rounds {
        browsers = under_load(browsers, &mut server, &redis, victim).await;
        if let (Some(lag), Victim::Server) = (&lag, victim) {
            lag.drained().await;
        }
        if victim != Victim::Server {
            redis.start_again();
        }
        if victim != Victim::Redis {
            server = Testbed::start(&settings);
        }
        browsers = check(browsers, &server, false).await;
    }
    // Whatever was dead once is dead still, and whatever lived and was not used since lives.
    browsers = check(browsers, &server, true).await;

    let mut tally = Tally::default();
    browsers.iter().for_each(|browser| tally += &browser.tally);
    println!("{victim:?} killed {rounds} times: {tally}");
    let live = browsers.iter().map(Browser::live).sum();
    let records = records(&redis);
    println!("{records} sessions are left, {live} of them with a token that somebody has");
    assert!(tally.acknowledged.values().sum::<u64>() > WARM);
    // One for each request that was carried out in part, or whose answer was lost: nobody has its token.
    assert!((live..=live + tally.unanswered).contains(&records));
}

/// Lets every browser send what it likes until its requests are no longer answered.
async fn under_load(
    browsers: Vec<Browser>,
    server: &mut Testbed,
    redis: &Server,
    victim: Victim,
) -> Vec<Browser> {
    let acknowledged = Arc::<AtomicU64>::default();
    let mut tasks = JoinSet::new();
    for browser in browsers {
        tasks.spawn(browser.load(server.address, Arc::clone(&acknowledged)));
    }
    let began = Instant::now();
    while acknowledged.load(Relaxed) < WARM && began.elapsed() < WARM_WITHIN {
        sleep(Duration::from_millis(1)).await;
    }
    let moment = RandomState::new().hash_one(()) % (WITHIN_MILLIS * 1000);
    sleep(Duration::from_micros(moment)).await;
    if victim != Victim::Server {
        redis.kill();
    }
    if victim != Victim::Redis {
        server.kill();
    }
    tasks.join_all().await
}

async fn check(browsers: Vec<Browser>, server: &Testbed, all: bool) -> Vec<Browser> {
    let mut tasks = JoinSet::new();
    for mut browser in browsers {
        let address = server.address;
        tasks.spawn(async move {
            browser.check(address, all).await;
            browser
        });
    }
    tasks.join_all().await
}

/// How many sessions Redis holds.
fn records(redis: &Server) -> u64 {
    let keys = redis.ask("KEYS session:{*").unwrap();
    let keys = keys.lines().filter(|line| line.starts_with("session:{"));
    keys.count() as u64
}
