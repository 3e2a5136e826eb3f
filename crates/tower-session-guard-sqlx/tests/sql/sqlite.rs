//! SQLite: a file, several processes, and a process that is killed.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant, SystemTime},
};

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use test_support::{scratch::Scratch, server::PATIENCE};
use tower_session_guard::{
    SessionId, SessionStore, Subject, Timestamp,
    store::{Created, Removed, Replaced, StoreErrorKind},
    testing::{
        RecordBuilder, claim_for,
        store_contract::{StoreContract, StoreUnderTest},
    },
};
use tower_session_guard_sqlx::SqliteStore;

fn now() -> Timestamp {
    SystemTime::now().into()
}

fn numbered(number: u64) -> SessionId {
    let mut bytes = [0; SessionId::LEN];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    SessionId::from_bytes(bytes)
}

/// The store that `open` makes, but for its time limits, which no busy machine reaches.
async fn patient(file: &Path) -> SqliteStore {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(PATIENCE);
    let pool = SqlitePoolOptions::new()
        .max_connections(4)
        .acquire_timeout(PATIENCE)
        .connect_lazy_with(options);
    let store = SqliteStore::new(pool).with_time_limit(PATIENCE);
    store.migrate().await.unwrap();
    store
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sqlite_holds_the_contract() {
    let make = || async {
        let scratch = Scratch::new("sqlite");
        let file = scratch.path().join("sessions.db");
        let store = patient(&file).await;
        let second = patient(&file).await;
        let keep = std::sync::Arc::new(scratch);
        StoreUnderTest::new(store)
            .with_second_node(second)
            .with_restart(move || {
                // A file has no server; what a killed process leaves has tests of its own below.
                let keep = std::sync::Arc::clone(&keep);
                async move { assert!(keep.path().exists()) }
            })
    };
    let report = StoreContract::new(now(), make).run().await;
    println!("sqlite: {report}");
    report.assert_held();
    assert_eq!(report.skipped(), 0, "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_alone_is_enough_and_sessions_survive_a_restart() {
    let scratch = Scratch::new("sqlite");
    let file = scratch.path().join("sessions.db");
    let (alice, record) = (
        numbered(1),
        RecordBuilder::new(now()).subject("alice").build(),
    );
    let revision = {
        let store = SqliteStore::open(&file).await.unwrap();
        match store.create(&alice, &record, now()).await.unwrap() {
            Created::Created(revision) => revision,
            other => panic!("{other:?}"),
        }
    };
    let mode = fs::metadata(&file).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600, "only the owner may read sessions");
    for log in ["sessions.db-wal", "sessions.db-shm"] {
        if let Ok(log) = fs::metadata(scratch.path().join(log)) {
            assert_eq!(log.permissions().mode() & 0o077, 0);
        }
    }
    let store = SqliteStore::open(&file).await.unwrap();
    let found = store
        .load(&claim_for(&alice, [0; 16]), now())
        .await
        .unwrap();
    assert_eq!(found.map(|stored| stored.revision), Some(revision));
}

/// SQLite knows `:memory:` and `file:` by heart; a store that somebody named so must last all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_path_means_memory() {
    let scratch = Scratch::new("sqlite");
    for name in [":memory:", "file:a?mode=memory", "a b%20c#d", "🦀"] {
        let file = scratch.path().join(name);
        let record = RecordBuilder::new(now()).build();
        let store = SqliteStore::open(&file).await.unwrap();
        let _ = store.create(&numbered(1), &record, now()).await.unwrap();
        drop(store);
        let store = SqliteStore::open(&file).await.unwrap();
        assert_eq!(store.live_records(now()).await.unwrap(), Some(1), "{name}");
        assert!(fs::metadata(&file).unwrap().len() > 0, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_no_database_is_an_error() {
    let scratch = Scratch::new("sqlite");
    let file = scratch.path().join("sessions.db");
    fs::write(
        &file,
        "not a database, but long enough to be looked at ".repeat(100),
    )
    .unwrap();
    let error = SqliteStore::open(&file).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error:?}");
    let nowhere = scratch.path().join("no/such/folder/sessions.db");
    let error = SqliteStore::open(nowhere).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_of_sqlite_is_bounded_and_spares_the_living() {
    let scratch = Scratch::new("sqlite");
    let file = scratch.path().join("sessions.db");
    let store = SqliteStore::open(&file).await.unwrap();
    let begin = now();
    let soon = begin.after(Duration::from_secs(1));
    let then = begin.after(Duration::from_secs(2));
    for number in 0..10 {
        let record = RecordBuilder::new(begin).expires_at(soon).build();
        let _ = store
            .create(&numbered(number), &record, begin)
            .await
            .unwrap();
    }
    let living = RecordBuilder::new(begin).build();
    let _ = store.create(&numbered(10), &living, begin).await.unwrap();
    assert_eq!(store.sweep(begin, 100).await.unwrap(), 0);
    assert_eq!(store.sweep(then, 4).await.unwrap(), 4);
    assert_eq!(store.sweep(then, 100).await.unwrap(), 6);
    assert_eq!(store.live_records(begin).await.unwrap(), Some(1));
}

/// A29: a row that says another subject than its record is believed by nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_of_another_subject_is_corrupt() {
    let scratch = Scratch::new("sqlite");
    let file = scratch.path().join("sessions.db");
    let store = SqliteStore::open(&file).await.unwrap();
    let record = RecordBuilder::new(now()).subject("alice").build();
    let _ = store.create(&numbered(1), &record, now()).await.unwrap();
    let options = SqliteConnectOptions::new().filename(&file);
    let pool = SqlitePool::connect_lazy_with(options);
    let edit = "UPDATE session_guard SET subject = x'6D616C6C6F7279'";
    sqlx::raw_sql(edit).execute(&pool).await.unwrap();
    let claim = claim_for(&numbered(1), [0; 16]);
    let error = store.load(&claim, now()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    let mallory = Subject::from("mallory");
    let error = store.sessions_of(&mallory, now()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
}

/// A writer that holds the file (R71): an error in time, nothing half done, and then fine again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_somebody_holds_is_an_error_in_time() {
    let scratch = Scratch::new("sqlite");
    let file = scratch.path().join("sessions.db");
    let limit = Duration::from_millis(300);
    let store = SqliteStore::open(&file)
        .await
        .unwrap()
        .with_time_limit(limit);
    let record = RecordBuilder::new(now()).build();
    let _ = store.create(&numbered(1), &record, now()).await.unwrap();

    let other = SqlitePool::connect_lazy_with(SqliteConnectOptions::new().filename(&file));
    let holder = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let began = Instant::now();
    let error = store
        .create(&numbered(2), &record, now())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Timeout);
    assert!(
        began.elapsed() < Duration::from_secs(2),
        "{:?}",
        began.elapsed()
    );
    // Readers wait for nobody.
    let claim = claim_for(&numbered(1), [0; 16]);
    assert!(store.load(&claim, now()).await.unwrap().is_some());
    holder.rollback().await.unwrap();
    let mut tries = 0;
    while store.create(&numbered(3), &record, now()).await.is_err() {
        tries += 1;
        assert!(tries < 20);
    }
}

// ===== other processes =====

const FILE: &str = "SESSION_GUARD_TEST_FILE";
const FIRST: &str = "SESSION_GUARD_TEST_FIRST";

/// Starts this test binary again, to run nothing but [`child`].
fn spawn(file: &Path, first: u64) -> Child {
    Command::new(env::current_exe().unwrap())
        .args([
            "--exact",
            "sqlite::child",
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
        let created = store.create(&id, &record, now()).await.unwrap();
        let Created::Created(revision) = created else {
            panic!("{created:?}");
        };
        println!("\ncreated {number}");
        let record = RecordBuilder::of(&record).label("replaced").build();
        let replaced = store.replace(&id, revision, &record, now()).await.unwrap();
        assert!(matches!(replaced, Replaced::Replaced(_)), "{replaced:?}");
        println!("\nreplaced {number}");
        if number % 2 == 0 {
            assert_eq!(store.remove(&id).await.unwrap(), Removed::Removed);
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
        let claim = claim_for(&numbered(*number), [0; 16]);
        let found = store.load(&claim, now()).await.unwrap();
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
    let alive = store
        .sessions_of(&Subject::from("alice"), now())
        .await
        .unwrap();
    let revoked = store
        .remove_all_of(&Subject::from("alice"), None)
        .await
        .unwrap();
    assert_eq!(revoked, alive.len());
}
