//! What connecting refuses and tells (S18, S29).

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use test_support::redis::{Cluster, Server, Watched, redis};
use tower_session_guard::store::StoreErrorKind;
use tower_session_guard_redis::{
    ConnectOptions, RedisStore,
    redis::{Client, aio::ConnectionManager},
};

async fn expect_refused(url: &str, words: &[&str]) {
    let refused = RedisStore::connect(url).await.unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::Unsupported);
    let told = format!("{refused:?}");
    let words = words.iter().chain(&["noeviction", "allow_eviction"]);
    for word in words {
        assert!(told.contains(word), "{word}: {told}");
    }
    let options = ConnectOptions::new().allow_eviction();
    options.connect(url).await.unwrap();
}

/// S18.
#[tokio::test]
async fn a_server_that_may_evict_is_refused() {
    let Some(program) = redis() else { return };
    for policy in ["allkeys-lru", "volatile-ttl"] {
        let server = Server::start(&program, &["--maxmemory-policy", policy]);
        expect_refused(&server.url(), &[policy]).await;
        // Connections of the application are asked when it says so.
        let client = Client::open(server.url()).unwrap();
        let manager = ConnectionManager::new(client).await.unwrap();
        let refused = RedisStore::from(manager.clone()).refuse_eviction().await;
        assert_eq!(refused.unwrap_err().kind(), StoreErrorKind::Unsupported);
        server.wait_for("CONFIG SET maxmemory-policy noeviction", "OK");
        RedisStore::connect(server.url()).await.unwrap();
        RedisStore::from(manager).refuse_eviction().await.unwrap();
    }
}

/// S18: as at a provider that keeps CONFIG to itself.
#[tokio::test]
async fn a_server_that_forbids_config_is_asked_for_its_memory_facts() {
    let Some(program) = redis() else { return };
    let renamed = ["--rename-command", "CONFIG", ""];
    let server = Server::start(&program, &renamed);
    RedisStore::connect(server.url()).await.unwrap();
    let evicting = [&renamed[..], &["--maxmemory-policy", "allkeys-lfu"]].concat();
    let server = Server::start(&program, &evicting);
    expect_refused(&server.url(), &["allkeys-lfu"]).await;

    let server = Server::start(&program, &[]);
    let user = "ACL SETUSER app on >secret ~* +@all";
    let url = format!("redis://app:secret@127.0.0.1:{}/0", server.port);
    server.wait_for(&format!("{user} -config"), "OK");
    RedisStore::connect(&url).await.unwrap();
    server.wait_for(&format!("{user} -config -info"), "OK");
    expect_refused(&url, &["INFO"]).await;
}

/// S18: each primary of a cluster, and the one behind sentinels.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_primary_is_asked() {
    let Some(program) = redis() else { return };
    let cluster = Cluster::start(&program);
    RedisStore::connect(cluster.url()).await.unwrap();
    for server in &cluster.0 {
        server.wait_for("CONFIG SET maxmemory-policy allkeys-random", "OK");
        expect_refused(&cluster.url(), &["allkeys-random"]).await;
        server.wait_for("CONFIG SET maxmemory-policy noeviction", "OK");
    }
    RedisStore::connect(cluster.url()).await.unwrap();

    let watched = Watched::start(&program);
    let evict = "CONFIG SET maxmemory-policy volatile-lru";
    watched.primary.wait_for(evict, "OK");
    expect_refused(&watched.url(), &["volatile-lru"]).await;
}

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// S29: nothing listens at these addresses, and the warning comes all the same, without the password.
#[tokio::test]
async fn clear_text_to_another_machine_is_told_at_the_start() {
    for (url, told) in [
        ("redis://app:secret@host.invalid:1/0", true),
        ("redis-cluster://app:secret@host.invalid:1", true),
        ("redis-sentinel://host.invalid:1/service", true),
        ("redis://app:secret@127.0.0.1:1/0", false),
        ("redis-cluster://127.0.0.1:1", false),
        ("redis-sentinel://localhost:1/service", false),
    ] {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .with_max_level(tracing_subscriber::filter::LevelFilter::WARN)
            .finish();
        let guard = tracing::subscriber::set_default(subscriber);
        RedisStore::connect(url).await.unwrap_err();
        drop(guard);
        let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        assert_eq!(log.contains("clear text"), told, "{url}: {log}");
        assert_eq!(log.contains("host.invalid"), told, "{url}: {log}");
        assert!(!log.contains("secret"), "{url}: {log}");
    }
}
