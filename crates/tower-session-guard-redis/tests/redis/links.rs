//! Connections that the application made: a manager, a pool, a cluster's, and over TLS.

use std::{sync::Arc, time::SystemTime};

use test_support::{
    redis::{Cluster, Server, redis},
    server::{PATIENCE, StoreServer},
};
use tower_session_guard::{
    SessionStore,
    store::IndexKey,
    testing::store_contract::{StoreContract, StoreUnderTest},
};
use tower_session_guard_redis::{
    RedisStore,
    redis::{Client, aio::ConnectionManager, cluster::ClusterClientBuilder},
};

use crate::contract::namespace;

/// The parts of the contract that a connection may matter for.
async fn hold(kind: &str, connect: impl AsyncFn() -> RedisStore) {
    // How a connection was made does not change how work grows with the number of sessions.
    let make = async || {
        let store = connect().await.with_time_limit(PATIENCE);
        let store = store.with_namespace(namespace());
        StoreUnderTest::new(store).with_volume(2_000)
    };
    let contract = StoreContract::new(SystemTime::now().into(), make);
    let report = contract.run_where(|check| !check.contains("expir")).await;
    println!("{kind}: {report}");
    report.assert_held();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_connection_manager_of_the_application_will_do() {
    let Some(program) = redis() else { return };
    let server = Arc::new(Server::start(&program, &[]));
    let client = Client::open(server.url()).unwrap();
    let manager = ConnectionManager::new(client).await.unwrap();
    hold("ConnectionManager", async || {
        RedisStore::from(manager.clone())
    })
    .await;

    // It fails one command after the connection broke; the store sends that command again.
    let store = RedisStore::from(manager);
    let nobody = IndexKey::owner("", &"nobody".into());
    let now = SystemTime::now().into();
    server.kill();
    store.heads(&nobody, None, 10, now).await.unwrap_err();
    server.start_again();
    store.heads(&nobody, None, 10, now).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_pool_of_the_application_will_do() {
    let Some(program) = redis() else { return };
    let server = Server::start(&program, &[]);
    let client = Client::open(server.url()).unwrap();
    let connect = async || {
        let client = client.clone();
        RedisStore::from_pool(move || {
            let client = client.clone();
            async move { client.get_multiplexed_async_connection().await }
        })
    };
    hold("pool", connect).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cluster_connection_of_the_application_will_do() {
    let Some(program) = redis() else { return };
    let cluster = Cluster::start(&program);
    let nodes: Vec<_> = cluster.0.iter().map(Server::url).collect();
    let client = ClusterClientBuilder::new(nodes).build().unwrap();
    let connection = client.get_async_connection().await.unwrap();
    hold("ClusterConnection", async || {
        RedisStore::from(connection.clone())
    })
    .await;
}

#[cfg(feature = "tls")]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_behind_tls_holds_the_contract() {
    use std::fs;
    use test_support::{redis::free_port, scratch::Scratch};
    use tower_session_guard_redis::redis::TlsCertificates;

    let Some(program) = redis() else { return };
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let directory = Scratch::new("redis-tls");
    let file = |name: &str, text: String| {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let certificate = file("cert.pem", certified.cert.pem());
    let key = file("key.pem", certified.signing_key.serialize_pem());
    let tls_port = free_port().to_string();
    let tls = [
        "--tls-port",
        &tls_port,
        "--tls-cert-file",
        &certificate,
        "--tls-key-file",
        &key,
    ];
    let settings = [
        &tls[..],
        &[
            "--tls-ca-cert-file",
            &certificate,
            "--tls-auth-clients",
            "no",
        ],
    ];
    let server = Server::start(&program, &settings.concat());
    let url = format!("rediss://localhost:{tls_port}/0");

    // Nobody vouches for this certificate.
    let refused = RedisStore::connect(&url).await.unwrap_err();
    println!("TLS, unknown issuer: {refused}");

    let trust = TlsCertificates {
        client_tls: None,
        root_cert: Some(certified.cert.pem().into_bytes()),
    };
    let client = Client::build_with_tls(url, trust).unwrap();
    hold("TLS", async || {
        RedisStore::connect_with(client.clone()).await.unwrap()
    })
    .await;
    let store = RedisStore::connect_with(client).await.unwrap();
    crate::feed::expect_told(&store).await;
    drop(server);
}
