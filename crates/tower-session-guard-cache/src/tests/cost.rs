//! What an answer from memory costs: `cargo test --release -p tower-session-guard-cache -- --ignored cost --nocapture`.

use std::{hint::black_box, sync::Arc, thread, time::Duration};

use tower_session_guard::{
    Claim, MemoryStore, SessionId, SessionStore, Timestamp,
    store::{Counting, Lease, Revision, Stored},
    testing::{RecordBuilder, claim_for},
};

use crate::{
    cached::Cached, copies::SessionCopies, fake::Server, options::CacheOptions,
    revocations::EndedTokens,
};

const NOW: Timestamp = Timestamp::from_unix_seconds(1_000_000);
const SESSIONS: u32 = 100_000;
const READS: u32 = 1_000_000;

fn id(number: u32) -> SessionId {
    let mut bytes = [7; SessionId::LEN];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = (number.wrapping_mul(2_654_435_761 + at as u32) >> 16) as u8;
    }
    bytes[..4].copy_from_slice(&number.to_le_bytes());
    SessionId::from_bytes(bytes)
}

/// In kB, what this process holds.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[test]
#[ignore = "it measures"]
fn cost_of_a_copy_in_memory() {
    let options = CacheOptions::new().with_max_bytes(usize::MAX);
    let copies = SessionCopies::new(options.with_max_entries(1 << 22));
    let record = RecordBuilder::new(NOW).subject("alice").build();
    let len = record.encode().len();
    let stored = Stored::new(record, Revision::new(1));
    let before = resident().unwrap_or_default();
    for number in 0..10 * SESSIONS {
        copies.insert_if(copies.note(&id(number)), &id(number), &stored);
    }
    let taken = 1024 * (resident().unwrap_or_default() - before);
    println!(
        "{} entries, a record of {len} bytes: {} bytes each",
        copies.entries(),
        taken / u64::from(10 * SESSIONS)
    );
}

#[test]
#[ignore = "it measures"]
fn cost_of_an_ended_token_in_memory() {
    let copy = EndedTokens::new(20 * SESSIONS as usize);
    let before = resident().unwrap_or_default();
    for number in 0..10 * SESSIONS {
        copy.put_family(&id(number), None, NOW);
    }
    let taken = 1024 * (resident().unwrap_or_default() - before);
    println!(
        "{} bytes for each of {} ended tokens",
        taken / u64::from(10 * SESSIONS),
        10 * SESSIONS
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
#[ignore = "it measures"]
async fn cost_of_an_answer_from_memory() {
    let server = Server::new();
    let lease = Lease::bounded(Duration::from_secs(5)).unwrap();
    let options = CacheOptions::new().with_max_entries(10 * SESSIONS as usize);
    let cache = Cached::start_with(server.node(), lease, options.with_max_bytes(usize::MAX));
    while !cache.stats().is_live() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let record = RecordBuilder::new(NOW).subject("alice").build();
    let claims: Vec<_> = (0..SESSIONS)
        .map(|number| claim_for(&id(number), [0; 16]))
        .collect();
    for claim in &claims {
        let created = cache.create(claim.id(), &record, Counting::Counted, NOW);
        let _created = created.await.unwrap();
        let _loaded = cache.load(claim.into(), NOW).await.unwrap();
    }
    let memory = MemoryStore::new();
    for claim in &claims {
        let created = memory.create(claim.id(), &record, Counting::Counted, NOW);
        let _created = created.await.unwrap();
    }
    let claims = Arc::new(claims);
    for threads in [1, 2] {
        for sessions in [1000, SESSIONS] {
            measure("a cache", &cache, threads, &claims, sessions);
            measure("a store in memory", &memory, threads, &claims, sessions);
        }
    }
}

/// In time of the processor, since others may want it too.
fn measure<S>(what: &str, store: &S, threads: u32, claims: &Arc<Vec<Claim>>, sessions: u32)
where
    S: SessionStore + Clone,
{
    let readers = (0..threads).map(|_| {
        let (store, claims) = (store.clone(), Arc::clone(claims));
        thread::spawn(move || {
            let (mut hits, began) = (0, processor_time());
            for read in 0..READS {
                let claim = &claims[(read.wrapping_mul(48_271) % sessions) as usize];
                hits += u32::from(black_box(store.try_load(claim.into(), NOW)).is_some());
            }
            (hits, processor_time() - began)
        })
    });
    let readers: Vec<_> = readers.collect();
    for reader in readers {
        let (hits, time) = reader.join().unwrap();
        let each = time / READS;
        println!("{what}, {sessions} sessions, {threads} threads: {each:?} a read, {hits} hits");
    }
}

#[cfg(unix)]
fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(
        time.tv_sec.try_into().unwrap(),
        time.tv_nsec.try_into().unwrap(),
    )
}

#[cfg(not(unix))]
fn processor_time() -> Duration {
    static BEGAN: std::sync::LazyLock<std::time::Instant> =
        std::sync::LazyLock::new(std::time::Instant::now);
    BEGAN.elapsed()
}
