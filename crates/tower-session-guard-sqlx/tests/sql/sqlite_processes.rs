//! SQLite: several processes, and one that is killed.

use std::{
    env,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool};
use test_support::{scratch::Scratch, server::PATIENCE};
use tower_session_guard::{
    SessionStore,
    store::{Removed, Replaced},
    testing::RecordBuilder,
};
use tower_session_guard_sqlx::SqliteStore;

use super::common::{create, end, list, load, now, numbered, owner};

const FILE: &str = "SESSION_GUARD_TEST_FILE";
const FIRST: &str = "SESSION_GUARD_TEST_FIRST";

/// The store that `open` makes, but for its time limits, which no busy machine reaches.
async fn patient(file: &Path) -> SqliteStore {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .busy_timeout(PATIENCE);
    let store = SqliteStore::new(SqlitePool::connect_lazy_with(options));
    let store = store.with_time_limit(PATIENCE);
    store.migrate().await.unwrap();
    store
}

/// Starts this test binary again, to run nothing but [`child`].
fn spawn(file: &Path, first: u64) -> Child {
    Command::new(env::current_exe().unwrap())
        .args([
            "--exact",
            "sqlite_processes::child",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(FILE, file)
        .env(FIRST, first.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What the other processes do, each from a number of its own: create, replace, remove every other, and
/// say so on stdout only once the store has said so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let Some(file) = env::var_os(FILE).map(PathBuf::from) else {
        return;
    };
    let first: u64 = env::var(FIRST).unwrap().parse().unwrap();
    let store = patient(&file).await;
    for number in first..first + 1000 {
        let id = numbered(number);
        let record = RecordBuilder::new(now()).subject("alice");
        let record = record.entry("noise", [7; 2000]).build();
        let (revision, _) = create(&store, &id, &record, now()).await;
        println!("\ncreated {number}");
        let record = RecordBuilder::of(&record).label("replaced").build();
        let replaced = store.replace(&id, revision, &record, now()).await.unwrap();
        assert!(matches!(replaced, Replaced::Replaced(_)), "{replaced:?}");
        println!("\nreplaced {number}");
        if number % 2 == 0 {
            assert_eq!(store.remove(&id, None).await.unwrap(), Removed::Removed);
            println!("\nremoved {number}");
        }
    }
    println!("\ndone {first}");
}

#[derive(Debug, Default)]
struct Told {
    created: Vec<u64>,
    replaced: Vec<u64>,
    removed: Vec<u64>,
    done: bool,
}

/// Reads what a child says, and kills it after `lines` words of it (SIGKILL on Unix).
fn listen(mut child: Child, lines: usize) -> Told {
    let mut told = Told::default();
    let mut heard = 0;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        let words: Vec<_> = line.split(' ').collect();
        match words[..] {
            ["created", number] => told.created.push(number.parse().unwrap()),
            ["replaced", number] => told.replaced.push(number.parse().unwrap()),
            ["removed", number] => told.removed.push(number.parse().unwrap()),
            ["done", _] => told.done = true,
            _ => continue,
        }
        heard += 1;
        if heard == lines {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    told
}

async fn check(store: &SqliteStore, told: &Told) {
    for number in &told.created {
        let found = load(store, &numbered(*number), now()).await;
        if told.removed.contains(number) {
            assert!(found.is_none(), "{number} came back");
        } else if told.replaced.contains(number) && number % 2 == 1 {
            let label = found.and_then(|stored| stored.record.label().map(str::to_owned));
            assert_eq!(label.as_deref(), Some("replaced"), "{number} was lost");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_a_killed_process_was_told_is_in_the_file() {
    let scratch = Scratch::new("sqlite");
    let file = scratch.path().join("sessions.db");
    for (round, lines) in [1, 40, 101].into_iter().enumerate() {
        let child = spawn(&file, round as u64 * 10_000);
        let told = tokio::task::spawn_blocking(move || listen(child, lines));
        let told = told.await.unwrap();
        assert!(!told.done && !told.created.is_empty(), "{told:?}");
        let store = SqliteStore::open(&file).await.unwrap();
        check(&store, &told).await;
        let sound: String = sqlx::query_scalar("PRAGMA integrity_check")
            .fetch_one(&SqlitePool::connect_lazy_with(
                SqliteConnectOptions::new().filename(&file),
            ))
            .await
            .unwrap();
        assert_eq!(sound, "ok");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_processes_share_a_file_that_none_of_them_had_made() {
    let scratch = Scratch::new("sqlite");
    let file = scratch.path().join("sessions.db");
    let mut listeners = tokio::task::JoinSet::new();
    for number in 0..4 {
        let child = spawn(&file, number * 10_000);
        // Killed, all of them, in the middle of their work but for the first two hundred words.
        listeners.spawn_blocking(move || listen(child, 200));
    }
    let mut all = Vec::new();
    while let Some(told) = listeners.join_next().await {
        all.push(told.unwrap());
    }
    let store = SqliteStore::open(&file).await.unwrap();
    for told in &all {
        assert!(told.created.len() >= 60, "a process failed: {told:?}");
        check(&store, told).await;
    }
    let alive = list(&store, &owner("alice"), now()).await;
    assert_eq!(end(&store, &owner("alice")).await, alive.len());
}
