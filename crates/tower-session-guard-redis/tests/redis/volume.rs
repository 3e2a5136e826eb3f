//! Many sessions of one owner (S01, S13): how long listing and ending them takes, and how long each step holds a
//! thread and the server.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::{Duration, Instant, SystemTime},
};

use test_support::redis::{Server, redis};
use tower_session_guard::{
    SessionId, SessionStore, Timestamp,
    store::{Counting, IndexKey},
    testing::RecordBuilder,
};
use tower_session_guard_redis::{
    RedisStore,
    redis::{self as client, Client, Value},
};

use crate::patient;

/// How many sessions: the environment variable `VOLUME` asks for another number.
fn volume() -> usize {
    let asked = std::env::var("VOLUME").ok();
    asked.map_or(20_000, |number| number.parse().unwrap())
}

fn id(number: usize) -> SessionId {
    // Spread as random ids are.
    let number = (number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut bytes = [0; SessionId::LEN];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    SessionId::from_bytes(bytes)
}

/// How long this thread has run, where the system tells: what it waited for a core is not in it.
fn busy() -> Option<Duration> {
    let facts = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanos = facts.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanos))
}

/// Runs a future and says how long its longest poll held the thread.
async fn longest_hold<T>(future: impl Future<Output = T>) -> (Duration, T) {
    let (mut longest, mut future) = (Duration::ZERO, pin!(future));
    let result = std::future::poll_fn(|context: &mut Context<'_>| {
        let (began, busy_before) = (Instant::now(), busy());
        let poll = future.as_mut().poll(context);
        let hold = match (busy_before, busy()) {
            (Some(before), Some(after)) => after.saturating_sub(before),
            _ => began.elapsed(),
        };
        longest = longest.max(hold);
        match poll {
            Poll::Ready(result) => Poll::Ready(result),
            Poll::Pending => Poll::Pending,
        }
    })
    .await;
    (longest, result)
}

/// What another client of the server waits for at most, until told to stop.
async fn longest_ping(url: String, stop: Arc<AtomicBool>) -> Duration {
    let client = Client::open(url).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut longest = Duration::ZERO;
    while !stop.load(Relaxed) {
        let began = Instant::now();
        let ping = client::cmd("PING");
        let _: String = ping.query_async(&mut connection).await.unwrap();
        longest = longest.max(began.elapsed());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    longest
}

/// The longest command in the server's slow log.
async fn slowest(server: &Server) -> Duration {
    let client = Client::open(server.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut log = client::cmd("SLOWLOG");
    let entries: Vec<Vec<Value>> = log
        .arg("GET")
        .arg(128)
        .query_async(&mut connection)
        .await
        .unwrap();
    let took = entries.iter().map(|entry| match entry[2] {
        Value::Int(micros) => Duration::from_micros(micros as u64),
        _ => panic!("{entry:?}"),
    });
    took.max().unwrap_or_default()
}

async fn walk(store: &RedisStore, key: &IndexKey, now: Timestamp, ends: bool) -> usize {
    let (mut seen, mut after) = (0, None);
    loop {
        after = if ends {
            let page = store.end_listed(key, after.as_ref(), 256, None);
            let page = page.await.unwrap();
            seen += page.ended;
            page.next
        } else {
            let page = store.heads(key, after.as_ref(), 256, now).await.unwrap();
            seen += page.heads.len();
            page.next
        };
        if after.is_none() {
            return seen;
        }
    }
}

/// S01, S13.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_sessions_of_one_owner_hold_up_neither_a_thread_nor_the_server() {
    let Some(program) = redis() else { return };
    let server = Server::start(
        &program,
        &["--appendonly", "no", "--slowlog-log-slower-than", "200"],
    );
    let store = patient(server.url()).await;
    let (now, volume) = (Timestamp::from(SystemTime::now()), volume());
    let record = RecordBuilder::new(now).subject("crowd");
    let record = record.entry("data", [7; 512]).build();
    let mut logins = tokio::task::JoinSet::new();
    for task in 0..64 {
        let (store, record) = (store.clone(), record.clone());
        logins.spawn(async move {
            for number in (task..volume).step_by(64) {
                let login = id(number);
                let created = store.create(&login, &record, Counting::Counted, now);
                let _ = created.await.unwrap();
            }
        });
    }
    let began = Instant::now();
    let _ = logins.join_all().await;
    println!("volume: {volume} logins took {:?}", began.elapsed());
    println!(
        "volume: {}",
        server.ask("INFO memory").unwrap().lines().nth(2).unwrap()
    );
    let key = record.owner().unwrap();
    for ends in [false, true] {
        server.wait_for("SLOWLOG RESET", "OK");
        let stop = Arc::new(AtomicBool::new(false));
        let ping = tokio::spawn(longest_ping(server.url(), Arc::clone(&stop)));
        let began = Instant::now();
        let (hold, seen) = longest_hold(walk(&store, &key, now, ends)).await;
        let took = began.elapsed();
        stop.store(true, Relaxed);
        let ping = ping.await.unwrap();
        assert_eq!(seen, volume);
        let script = slowest(&server).await;
        let what = if ends { "ending" } else { "listing" };
        println!(
            "volume: {what} {volume} took {took:?}; longest hold of a thread {hold:?}, longest command \
             {script:?}, longest wait of another client {ping:?}"
        );
        // Generous: the server may wait for a core in the middle of a command.
        assert!(script < Duration::from_millis(500), "{script:?}");
        assert!(hold < Duration::from_millis(300), "{hold:?}");
    }
}
