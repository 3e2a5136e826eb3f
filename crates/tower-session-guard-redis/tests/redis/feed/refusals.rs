//! Servers and connections that can tell of no changes (R75): each is refused with what helps.

use test_support::redis::{Cluster, Server, redis};
use tower_session_guard::store::StoreErrorKind;
use tower_session_guard_redis::{
    RedisStore,
    redis::{Client, aio::ConnectionManager, cluster::ClusterClientBuilder},
};

use super::{exact, follow};

async fn expect_refused(store: &RedisStore, words: &[&str]) {
    let refused = follow(store, exact(250)).await.unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::Unsupported, "{refused:?}");
    let told = format!("{refused:?}");
    for word in words {
        assert!(told.contains(word), "{word}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_speaks_resp2_only_is_refused() {
    let Some(program) = redis() else { return };
    let server = Server::start(&program, &["--rename-command", "HELLO", ""]);
    let store = RedisStore::connect(server.url()).await.unwrap();
    expect_refused(&store, &["RESP2", "Redis 6"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_who_may_not_follow_is_refused() {
    let Some(program) = redis() else { return };
    let server = Server::start(&program, &[]);
    let user = "ACL SETUSER app on >secret ~* +@all";
    let url = format!("redis://app:secret@127.0.0.1:{}/0", server.port);
    server.wait_for(&format!("{user} -client|tracking"), "OK");
    let store = RedisStore::connect(&url).await.unwrap();
    expect_refused(&store, &["+client|tracking"]).await;
    server.wait_for(&format!("{user} +client|tracking"), "OK");
    follow(&store, exact(250)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_of_the_application_is_refused() {
    let Some(program) = redis() else { return };
    let server = Server::start(&program, &[]);
    let client = Client::open(server.url()).unwrap();
    let manager = ConnectionManager::new(client.clone()).await.unwrap();
    expect_refused(&RedisStore::from(manager), &["RedisStore::connect"]).await;
    let lender = client.clone();
    let pool = RedisStore::from_pool(move || {
        let client = lender.clone();
        async move { client.get_multiplexed_async_connection().await }
    });
    expect_refused(&pool, &["RedisStore::connect"]).await;
    super::expect_told(&RedisStore::connect_with(client).await.unwrap()).await;

    let cluster = Cluster::start(&program);
    let nodes: Vec<_> = cluster.0.iter().map(Server::url).collect();
    let client = ClusterClientBuilder::new(nodes).build().unwrap();
    let connection = client.get_async_connection().await.unwrap();
    expect_refused(&RedisStore::from(connection), &["RedisStore::connect"]).await;
}
