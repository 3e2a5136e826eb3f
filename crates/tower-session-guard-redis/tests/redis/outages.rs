//! Outages, through the whole middleware (R09, R66, R71, A27, A36): a server that is killed, paused, or demoted,
//! and connections that break in the middle of a command.

use std::time::{Duration, Instant};

use axum::http::StatusCode;
use test_support::{
    Answer, Client, SESSION, keys,
    outage::Outage,
    proxy::Proxy,
    redis::{Server, Watched, redis},
    server::{PATIENCE, StoreServer},
};
use tower_session_guard::{
    AnyBackend, EmptyFailure, Endings, SessionId, SessionLayer, SessionStore, Subject, Timestamp,
    store::{
        Admitted, Counting, Created, Cutoff, IndexKey,
        revocation::{Ending, IssuedToken, Replacement, RevocationList},
    },
    testing::{RecordBuilder, claim_for},
};
use tower_session_guard_redis::{RedisRevocations, RedisStore};

const LIMIT: Duration = Duration::from_millis(700);

/// The two ways in which the middleware depends on Redis.
#[derive(Clone, Copy, Debug)]
enum Keeping {
    Store,
    Revocations,
}

const BOTH: [Keeping; 2] = [Keeping::Store, Keeping::Revocations];

impl Keeping {
    async fn layer(self, url: &str) -> SessionLayer<EmptyFailure, AnyBackend> {
        let redis = RedisStore::connect(url).await.unwrap();
        let redis = redis.with_time_limit(LIMIT);
        match self {
            Self::Store => SessionLayer::new(keys()).with_store(redis).into_any(),
            Self::Revocations => {
                let list = Endings::shared(RedisRevocations::over(redis));
                SessionLayer::self_contained(keys(), list).into_any()
            }
        }
    }

    async fn client(self, url: &str) -> Client {
        Client::of(self.layer(url).await)
    }
}

/// When a proxy cuts the connection of the next request.
#[derive(Clone, Copy, Debug)]
enum Cut {
    /// Before the server sees the request.
    Before,
    /// When the server has carried it out, before its answer leaves.
    After,
}

impl Cut {
    fn next(self, proxy: &Proxy) {
        match self {
            Self::Before => proxy.cut_requests(1),
            Self::After => proxy.cut_answers(1),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_fails_requests_in_time_and_the_next_works_once_it_is_back() {
    let Some(program) = redis() else { return };
    for keeping in BOTH {
        let server = Server::start(&program, &[]);
        let outage = Outage::prepare(keeping.layer(&server.url()).await, LIMIT).await;
        let ended = outage.client().login("alice").await;
        let ended = [(SESSION, ended.as_str())];
        outage.client().mark("logout", &ended).await;
        let what = format!("{keeping:?}, killed");
        server.kill();
        outage.expect_503(&what).await;
        server.start_again();
        assert_eq!(outage.recovers(&what).await, 0, "{what}");
        assert_eq!(outage.client().whoami(&ended).await, "nobody", "{what}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_server_fails_requests_in_time_and_the_next_works_once_it_goes_on() {
    let Some(program) = redis() else { return };
    for keeping in BOTH {
        let server = Server::start(&program, &[]);
        let outage = Outage::prepare(keeping.layer(&server.url()).await, LIMIT).await;
        let other = outage.client().login("alice").await;
        let other = [(SESSION, other.as_str())];
        let what = format!("{keeping:?}, paused");
        server.pause();
        outage.expect_503(&what).await;
        let logout = outage.client().mark("logout", &other).await;
        assert_eq!(logout.status, StatusCode::SERVICE_UNAVAILABLE, "{what}");
        server.go_on();
        assert_eq!(outage.recovers(&what).await, 0, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_breaks_in_the_middle_of_a_command_costs_no_request() {
    let Some(program) = redis() else { return };
    let server = Server::start(&program, &[]);
    for keeping in BOTH {
        for cut in [Cut::Before, Cut::After] {
            let proxy = Proxy::to(server.address()).await;
            let client = keeping
                .client(&format!("redis://{}/0", proxy.address()))
                .await;
            // The scripts are there; an answer that says they are missing would be another one to lose.
            client
                .mark("elevate", &[(SESSION, &client.login("alice").await)])
                .await;
            let what = format!("{keeping:?}, {cut:?}");

            cut.next(&proxy);
            let token = client.login("alice").await;
            cut.next(&proxy);
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
    cut.next(proxy);
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
    let created = store.create(&id, &record, Counting::Counted, now).await;
    let Created::Created { revision, .. } = created.unwrap() else {
        panic!("the id was new");
    };
    let alice = record.owner().unwrap();
    let cutoff = Cutoff::new(now, now.after(Duration::from_secs(60)), [1; 16]);
    store.raise_cutoff(&alice, &cutoff, now).await.unwrap();
    let claim = claim_for(&id, [0; 16]);
    // It keeps its data and refuses writes, as after a failover that its clients have not noticed.
    old.wait_for("CONFIG SET replica-serve-stale-data yes", "OK");
    old.wait_for(&format!("REPLICAOF 127.0.0.1 {}", new.port + 1), "OK");
    store.load((&claim).into(), now).await.unwrap_err();
    store
        .replace(&id, revision, &record, now)
        .await
        .unwrap_err();
    for key in [None, Some(&alice)] {
        store.remove(&id, key).await.unwrap_err();
        let unknown = SessionId::from_bytes([9; 16]);
        store.remove(&unknown, key).await.unwrap_err();
    }
    store.heads(&alice, None, 10, now).await.unwrap_err();
    store.end_listed(&alice, None, 10, None).await.unwrap_err();
    store.cutoff(&alice, now).await.unwrap_err();
    store.raise_cutoff(&alice, &cutoff, now).await.unwrap_err();
    let other = RecordBuilder::new(now).build();
    store
        .create(
            &SessionId::from_bytes([8; 16]),
            &other,
            Counting::Counted,
            now,
        )
        .await
        .unwrap_err();

    old.wait_for("REPLICAOF NO ONE", "OK");
    let found = store.load((&claim).into(), now).await.unwrap();
    assert_eq!(found.unwrap().record, record);
    assert_eq!(store.cutoff(&alice, now).await.unwrap(), Some(cutoff));
}

/// A27: the same of the list of ended tokens: a replica says neither that a token holds nor that it does not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_demoted_primary_answers_nothing_about_tokens() {
    let Some(program) = redis() else { return };
    let [old, new] = [Server::start(&program, &[]), Server::start(&program, &[])];
    let store = RedisStore::connect(old.url()).await.unwrap();
    let list = RedisRevocations::over(store.with_time_limit(LIMIT));
    let now = Timestamp::from(std::time::SystemTime::now());
    let until = now.after(Duration::from_secs(60));
    let (id, alice) = (SessionId::from_bytes([7; 16]), Subject::from("alice"));
    let token = IssuedToken::new(&id, &id, Some(&alice), now);
    let key = IndexKey::owner("", &alice);
    let cutoff = Cutoff::new(now, until, [1; 16]);
    let admitted = Admitted::new(now, [2; 16]);
    assert!(list.standing(token, now).await.unwrap().opens());
    old.wait_for("CONFIG SET replica-serve-stale-data yes", "OK");
    old.wait_for(&format!("REPLICAOF 127.0.0.1 {}", new.port + 1), "OK");
    list.standing(token, now).await.unwrap_err();
    list.may_reissue(token, now).await.unwrap_err();
    list.end(&id, Ending::Ended, until, now).await.unwrap_err();
    list.replace(token, id, Replacement::Elevated, until, now)
        .await
        .unwrap_err();
    list.end_all(&key, &cutoff, now).await.unwrap_err();
    list.end_others(token, &key, &cutoff, now)
        .await
        .unwrap_err();
    list.issue(&[key], &admitted, now).await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_go_on_after_a_failover() {
    let Some(program) = redis() else { return };
    let watched = Watched::start(&program);
    let client = Keeping::Store.client(&watched.url()).await;
    let token = client.login("alice").await;
    let ended = client.login("alice").await;
    client.mark("logout", &[(SESSION, &ended)]).await;
    watched.wait_until_replicated();
    watched.primary.kill();
    let begin = Instant::now();
    loop {
        let answer = client.get("/whoami", &[(SESSION, &token)]).await;
        if answer.status == StatusCode::OK {
            assert_eq!(answer.body, "alice@1");
            break;
        }
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(begin.elapsed() < PATIENCE, "no failover");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    println!("the failover took {:?}", begin.elapsed());
    assert_eq!(client.whoami(&[(SESSION, &ended)]).await, "nobody");
    watched.replica.wait_for("INFO replication", "role:master");
}
