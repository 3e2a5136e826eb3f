//! The example that reads its keys again on SIGHUP (R26, A41).

#![cfg(all(feature = "axum", feature = "testing", unix))]

#[path = "../examples/key_reload/app.rs"]
mod app;
mod common;
#[path = "mistakes/log.rs"]
#[allow(dead_code, reason = "it is shared")]
mod log;
#[path = "../examples/key_reload/reload.rs"]
mod reload;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{self, Command},
    sync::atomic::{AtomicU32, Ordering::SeqCst},
    time::Duration,
};

use axum::http::StatusCode;
use common::{Client, SESSION};
use log::Log;
use reload::reload;
use tower_session_guard::{KeyRing, MemoryStore, SessionLayer};

const OLD: &str = "5e0f6b1c9a72d834e61b0d95f2487ac3b7193d5e806fa4c2d1e97b3846052fac";
const NEW: &str = "c84d1f7e2b6a9053f8e1d7462c0b95a3e67f4d18b2c95a0e731d86f4092be5d7";

/// A file of keys that only its owner can read; it goes with the value.
struct KeyFile(PathBuf);

impl KeyFile {
    fn of(text: &str) -> Self {
        static FILES: AtomicU32 = AtomicU32::new(0);
        let number = FILES.fetch_add(1, SeqCst);
        let name = format!("key-reload-{}-{number}.keys", process::id());
        let file = Self(std::env::temp_dir().join(name));
        file.write(text);
        file
    }

    /// Moved into place, as an operator does: no reader finds half of it.
    fn write(&self, text: &str) {
        let new = self.0.with_extension("new");
        fs::write(&new, text).unwrap();
        fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).unwrap();
        fs::rename(&new, &self.0).unwrap();
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for KeyFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// One node: its file, its ring, and the application.
struct Node {
    file: KeyFile,
    ring: KeyRing,
    client: Client,
}

impl Node {
    fn start(keys: &str, store: MemoryStore) -> Self {
        let file = KeyFile::of(keys);
        let ring = KeyRing::from_file(file.path()).unwrap();
        let sessions = SessionLayer::new(ring.clone()).with_store(store);
        let client = Client::around(app::router(sessions));
        Self { file, ring, client }
    }

    fn reads(&self, keys: &str) {
        self.file.write(keys);
        reload(&self.ring, self.file.path()).unwrap();
    }

    async fn login(&self) -> String {
        let answer = self.client.post("/login", &[]).await;
        answer.cookie(SESSION).unwrap()
    }

    /// What a browser with this token holds after a visit, or `None` if nobody is logged in there.
    async fn visit(&self, token: &str) -> Option<String> {
        let answer = self.client.get("/", &[(SESSION, token)]).await;
        let again = answer.cookie(SESSION);
        match answer.status {
            StatusCode::OK => Some(again.unwrap_or_else(|| token.to_owned())),
            status => {
                assert_eq!(status, StatusCode::UNAUTHORIZED);
                None
            }
        }
    }
}

fn ids(ring: &KeyRing) -> Vec<String> {
    ring.key_ids().iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_session_under_the_old_key_goes_on_under_the_new_one() {
    let node = Node::start(OLD, MemoryStore::new());
    let token = node.login().await;
    node.reads(&format!("{NEW} # since today\n{OLD}\n"));
    let signed_again = node.visit(&token).await.unwrap();
    assert_ne!(signed_again, token);
    node.reads(NEW);
    assert!(node.visit(&signed_again).await.is_some());
}

#[tokio::test]
async fn a_token_under_a_key_that_was_taken_out_is_refused() {
    let node = Node::start(OLD, MemoryStore::new());
    let token = node.login().await;
    assert!(node.visit(&token).await.is_some());
    node.reads(NEW);
    assert_eq!(node.visit(&token).await, None);
    let fresh = node.login().await;
    assert!(node.visit(&fresh).await.is_some());
}

#[tokio::test]
async fn a_bad_file_changes_nothing() {
    let node = Node::start(OLD, MemoryStore::new());
    let token = node.login().await;
    let before = ids(&node.ring);
    for (bad, told) in [
        ("", "the key ring is empty"),
        ("# all gone\n", "the key ring is empty"),
        (&NEW[..40], "at least 32 are needed"),
        (&NEW[..63], "is not hexadecimal"),
        (&format!("{NEW}\n{NEW}"), "is in the ring already"),
        (&format!("{NEW}\n{}", "0".repeat(64)), "key 2"),
        (&format!("next:{NEW}"), "the key ring is empty"),
    ] {
        node.file.write(bad);
        let refused = reload(&node.ring, node.file.path()).unwrap_err();
        assert!(refused.to_string().contains(told), "{bad:?}: {refused}");
        assert!(!refused.to_string().contains(&NEW[..16]));
        assert_eq!(ids(&node.ring), before, "{bad:?}");
        assert_eq!(node.visit(&token).await.as_ref(), Some(&token));
    }
    node.file.write(NEW);
    let readable = fs::Permissions::from_mode(0o644);
    fs::set_permissions(node.file.path(), readable).unwrap();
    assert!(reload(&node.ring, node.file.path()).is_err());
    fs::remove_file(node.file.path()).unwrap();
    assert!(reload(&node.ring, node.file.path()).is_err());
    assert_eq!(node.visit(&token).await.as_ref(), Some(&token));
}

/// The steps of the example's first lines: at no moment does a node refuse what another one signed.
#[tokio::test]
async fn rolling_over_in_two_steps_logs_nobody_out_on_any_node() {
    let store = MemoryStore::new();
    let nodes = [(); 2].map(|()| Node::start(OLD, store.clone()));
    let mut tokens = vec![nodes[0].login().await];
    let steps = [
        format!("{OLD}\nnext:{NEW}"),
        format!("{NEW}\n{OLD}"),
        NEW.to_owned(),
    ];
    for keys in &steps {
        for node in &nodes {
            node.reads(keys);
            tokens.push(node.login().await);
            for token in &mut tokens {
                for node in &nodes {
                    *token = node.visit(token).await.unwrap();
                }
            }
        }
    }
    assert_eq!(ids(&nodes[0].ring), ids(&KeyRing::parse(NEW).unwrap()));
}

/// With real signals to this process, whose log is looked at.
#[tokio::test]
async fn a_hangup_reads_the_file_and_the_log_says_which_key_signs() {
    let node = Node::start(OLD, MemoryStore::new());
    let token = node.login().await;
    let hangups = reload::hangups().unwrap();
    let file = node.file.path().to_owned();
    let following = tokio::spawn(reload::at_each(hangups, node.ring.clone(), file));
    let (old, new) = (ids(&node.ring), ids(&KeyRing::parse(NEW).unwrap()));

    let log = Log::start();
    node.file.write("not a key");
    hang_up(&log, "ERROR", &["key 1 is not hexadecimal"]).await;
    assert_eq!(ids(&node.ring), old);
    assert!(node.visit(&token).await.is_some());
    drop(log);

    let log = Log::start();
    node.file.write(&format!("{NEW}\n{OLD}"));
    let told = format!("signs={} verify=[\"{}\"]", new[0], old[0]);
    hang_up(&log, "INFO", &[&told]).await;
    assert_eq!(ids(&node.ring), [&new[..], &old[..]].concat());
    assert!(node.visit(&token).await.is_some());
    following.abort();
}

/// Sends SIGHUP, and waits until the log has a line of this level.
async fn hang_up(log: &Log, level: &str, words: &[&str]) {
    let process = process::id().to_string();
    let sent = Command::new("kill").args(["-HUP", &process]).status();
    assert!(sent.unwrap().success());
    for _ in 0..500 {
        if log.text().contains(level) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    log.of_level(level, words);
}
