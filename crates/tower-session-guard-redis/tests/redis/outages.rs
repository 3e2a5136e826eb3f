//! Outages, through the whole middleware (R09, R66, R71, A27, A36): a server that is killed, paused, or demoted,
//! and connections that break in the middle of a command.

use std::time::{Duration, Instant};

use axum::http::StatusCode;
use test_support::{
    Answer, Client, SESSION, keys,
    redis::{Server, Watched, redis},
};
use tower_session_guard::{
    SessionId, SessionLayer, SessionStore, Timestamp,
    store::Created,
    testing::{RecordBuilder, claim_for},
};
use tower_session_guard_redis::{RedisRevocations, RedisStore};

use crate::proxy::{Cut, Proxy};

const LIMIT: Duration = Duration::from_millis(700);

/// What is over the limit for certain: the limit once more, and a busy machine.
const TOO_LATE: Duration = Duration::from_millis(2500);

/// The two ways in which the middleware depends on Redis.
#[derive(Clone, Copy, Debug)]
enum Keeping {
    Store,
    Revocations,
}

const BOTH: [Keeping; 2] = [Keeping::Store, Keeping::Revocations];

impl Keeping {
    async fn client(self, url: &str) -> Client {
        let redis = RedisStore::connect(url)
            .await
            .unwrap()
            .with_time_limit(LIMIT);
        let layer = SessionLayer::new(keys());
        Client::of(match self {
            Self::Store => layer.with_store(redis),
            Self::Revocations => layer.with_revocations(RedisRevocations::over(redis)),
        })
    }
}

/// Every kind of request with a token fails in time, without a cookie and before its handler.
async fn expect_503(client: &Client, token: &str, why: &str) {
    let cookies = [(SESSION, token)];
    let begin = Instant::now();
    let requests = (0..16).map(|_| client.get("/whoami", &cookies));
    let answers = futures_util::future::join_all(requests).await;
    let took = begin.elapsed();
    println!("{why}: 16 requests answered 503 after {took:?}");
    for answer in answers {
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{why}");
        assert!(answer.sets_nothing(), "{why}");
        assert_eq!(answer.body, "", "{why}");
    }
    assert!(took < TOO_LATE, "{why}: {took:?}");
    let login = client.mark("login:mallory", &[]).await;
    assert_eq!(login.status, StatusCode::SERVICE_UNAVAILABLE, "{why}");
    assert!(login.sets_nothing(), "{why}");
    // Who has no token needs no Redis.
    assert_eq!(client.get("/public", &[]).await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_fails_requests_in_time_and_the_next_works_once_it_is_back() {
    let Some(program) = redis() else { return };
    for keeping in BOTH {
        let server = Server::start(&program, &[]);
        let client = keeping.client(&server.url()).await;
        let token = client.login("alice").await;
        let ended = client.login("alice").await;
        client.mark("logout", &[(SESSION, &ended)]).await;
        server.kill();
        expect_503(&client, &token, &format!("{keeping:?}, killed")).await;
        server.start_again();
        assert_eq!(
            client.whoami(&[(SESSION, &token)]).await,
            "alice@1",
            "{keeping:?}"
        );
        assert_eq!(
            client.whoami(&[(SESSION, &ended)]).await,
            "nobody",
            "{keeping:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_server_fails_requests_in_time_and_the_next_works_once_it_goes_on() {
    let Some(program) = redis() else { return };
    for keeping in BOTH {
        let server = Server::start(&program, &[]);
        let client = keeping.client(&server.url()).await;
        let token = client.login("alice").await;
        server.pause();
        expect_503(&client, &token, &format!("{keeping:?}, paused")).await;
        let logout = client.mark("logout", &[(SESSION, &token)]).await;
        assert_eq!(
            logout.status,
            StatusCode::SERVICE_UNAVAILABLE,
            "{keeping:?}"
        );
        server.resume();
        assert_eq!(
            client.whoami(&[(SESSION, &token)]).await,
            "alice@1",
            "{keeping:?}"
        );
        let fresh = client.login("bob").await;
        assert_eq!(
            client.whoami(&[(SESSION, &fresh)]).await,
            "bob@1",
            "{keeping:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_breaks_in_the_middle_of_a_command_costs_no_request() {
    let Some(program) = redis() else { return };
    let server = Server::start(&program, &[]);
    for keeping in BOTH {
        for cut in [Cut::Before, Cut::After] {
            let proxy = Proxy::start(server.port).await;
            let client = keeping.client(&proxy.url()).await;
            // The scripts are there; an answer that says they are missing would be another one to lose.
            client
                .mark("elevate", &[(SESSION, &client.login("alice").await)])
                .await;
            let what = format!("{keeping:?}, {cut:?}");

            proxy.cut_next(cut);
            let token = client.login("alice").await;
            proxy.cut_next(cut);
            assert_eq!(
                client.whoami(&[(SESSION, &token)]).await,
                "alice@1",
                "{what}"
            );

            // Load first, then cut at the write.
            let answer = cut_at_write(&client, &proxy, cut, "elevate", &token).await;
            assert_eq!(
                (answer.status, &*answer.body),
                (StatusCode::OK, "alice@2"),
                "{what}"
            );
            let elevated = answer.cookie(SESSION).expect("an elevation issues a token");
            assert_eq!(
                client.whoami(&[(SESSION, &elevated)]).await,
                "alice@2",
                "{what}"
            );
            assert_eq!(
                client.whoami(&[(SESSION, &token)]).await,
                "nobody",
                "{what}"
            );

            let answer = cut_at_write(&client, &proxy, cut, "logout", &elevated).await;
            assert_eq!(answer.status, StatusCode::OK, "{what}");
            assert_eq!(
                client.whoami(&[(SESSION, &elevated)]).await,
                "nobody",
                "{what}"
            );
        }
    }
}

/// Sends marks and cuts the connection when the layer carries them out.
async fn cut_at_write(
    client: &Client,
    proxy: &Proxy,
    cut: Cut,
    marks: &str,
    token: &str,
) -> Answer {
    let stop = client.stop.clone();
    let client = client.clone();
    let (path, token) = (format!("/do?marks={marks}&stop=after"), token.to_owned());
    let request = tokio::spawn(async move { client.post(&path, &[(SESSION, &token)]).await });
    stop.reached.notified().await;
    proxy.cut_next(cut);
    stop.go_on.notify_one();
    request.await.unwrap()
}

/// A27: neither a replica nor a primary that became one answers, whoever asks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_demoted_primary_answers_nothing() {
    let Some(program) = redis() else { return };
    let [old, new] = [Server::start(&program, &[]), Server::start(&program, &[])];
    let store = RedisStore::connect(old.url())
        .await
        .unwrap()
        .with_time_limit(LIMIT);
    let now = Timestamp::from(std::time::SystemTime::now());
    let id = SessionId::from_bytes([7; 16]);
    let record = RecordBuilder::new(now).subject("alice").build();
    let created = store.create(&id, &record, now).await.unwrap();
    let Created::Created(revision) = created else {
        panic!("the id was new");
    };
    // It keeps its data and refuses writes, as after a failover that its clients have not noticed.
    old.wait_for("CONFIG SET replica-serve-stale-data yes", "OK");
    old.wait_for(&format!("REPLICAOF 127.0.0.1 {}", new.port + 1), "OK");
    store.load(&claim_for(&id, [0; 16]), now).await.unwrap_err();
    store
        .replace(&id, revision, &record, now)
        .await
        .unwrap_err();
    store.remove(&id).await.unwrap_err();
    store
        .sessions_of(record.subject().unwrap(), now)
        .await
        .unwrap_err();
    store
        .remove_all_of(record.subject().unwrap(), None)
        .await
        .unwrap_err();
    let other = RecordBuilder::new(now).build();
    store
        .create(&SessionId::from_bytes([8; 16]), &other, now)
        .await
        .unwrap_err();

    old.wait_for("REPLICAOF NO ONE", "OK");
    let found = store.load(&claim_for(&id, [0; 16]), now).await.unwrap();
    assert_eq!(found.unwrap().record, record);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_go_on_after_a_failover() {
    let Some(program) = redis() else { return };
    let watched = Watched::start(&program);
    let client = Keeping::Store.client(&watched.url()).await;
    let token = client.login("alice").await;
    let ended = client.login("alice").await;
    client.mark("logout", &[(SESSION, &ended)]).await;
    // A failover loses what had not reached the replica.
    let written = offset(&watched.primary, "master_repl_offset:");
    while offset(&watched.replica, "slave_repl_offset:") < written {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    watched.primary.kill();
    let begin = Instant::now();
    loop {
        let answer = client.get("/whoami", &[(SESSION, &token)]).await;
        if answer.status == StatusCode::OK {
            assert_eq!(answer.body, "alice@1");
            break;
        }
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(begin.elapsed() < Duration::from_secs(30), "no failover");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    println!("the failover took {:?}", begin.elapsed());
    assert_eq!(client.whoami(&[(SESSION, &ended)]).await, "nobody");
    watched.replica.wait_for("INFO replication", "role:master");
}

/// How far a server's writes go.
fn offset(server: &Server, field: &str) -> u64 {
    let facts = server.ask("INFO replication").unwrap();
    let offset = facts.lines().find_map(|line| line.strip_prefix(field));
    offset.unwrap().trim().parse().unwrap()
}
