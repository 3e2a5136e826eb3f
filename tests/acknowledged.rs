//! What tells of an ending waits until it holds on every node, once, and nothing else waits.

#![cfg(all(feature = "axum", feature = "testing"))]

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::{Router, extract::Query, http::StatusCode, routing::post};
use common::{
    Client, Events, GUEST, Parameters, SESSION, gated::Gated, keys, list::Counted, request,
};
use tower_session_guard::{
    AnyBackend, AtLimit, AuthenticatedSession, EmptyFailure, Endings, EventKind, Login, Session,
    SessionLayer, SessionPolicy, Sessions,
};

type AnyLayer = SessionLayer<EmptyFailure, AnyBackend>;

struct Server {
    client: Client,
    layer: AnyLayer,
    waits: Arc<AtomicUsize>,
}

impl Server {
    /// With a shared list, then in a store; with a time of grace shorter than a lease if `is_short`.
    fn both(is_short: bool) -> [Self; 2] {
        let list = Counted::default();
        let waits = Arc::clone(&list.waits);
        let layer = SessionLayer::self_contained(keys(), Endings::shared(list));
        let self_contained = Self::of(layer.into_any(), waits, is_short);
        [self_contained, Self::stored(&Gated::default(), is_short)]
    }

    fn stored(store: &Gated, is_short: bool) -> Self {
        let layer = SessionLayer::new(keys()).with_store(store.clone());
        let layer = layer.max_sessions(2, AtLimit::EndOldest).unwrap();
        Self::of(layer.into_any(), Arc::clone(&store.waits), is_short)
    }

    fn of(layer: AnyLayer, waits: Arc<AtomicUsize>, is_short: bool) -> Self {
        let mut policy = SessionPolicy::default();
        if is_short {
            policy = policy.grace(Duration::from_secs(4)).unwrap();
        }
        let layer = layer.with_policy(policy);
        let control = layer.sessions();
        let app = Router::new()
            .route("/end", post(end))
            .route("/tagged", post(tagged))
            .with_state(control)
            .merge(common::app(common::Stop::default()))
            .layer(layer.clone());
        Self {
            client: Client::around(app),
            layer,
            waits,
        }
    }

    fn waited(&self) -> usize {
        self.waits.swap(0, SeqCst)
    }
}

async fn tagged(session: Session) {
    session.login(Login::new("alice").tagged("sid"));
}

async fn end(
    user: AuthenticatedSession,
    axum::extract::State(control): axum::extract::State<Sessions<AnyBackend>>,
    Query(parameters): Query<Parameters>,
) {
    match &*parameters["what"] {
        "others" => drop(control.end_others(&user).await.unwrap()),
        "all" => drop(control.end_all(user.subject()).await.unwrap()),
        "tag" => drop(control.end_tagged("sid").await.unwrap()),
        "one" => {
            let control = control.in_store().unwrap();
            let _: bool = control.end(user.subject(), &user.id()).await.unwrap();
        }
        other => panic!("{other}"),
    }
}

/// R75: what takes a user's privilege away waits once; what does not, never.
#[tokio::test]
async fn what_ends_privilege_waits_once_and_nothing_else_waits() {
    for is_short in [false, true] {
        for server in Server::both(is_short) {
            let client = &server.client;
            let guest = client.guest().await;
            let guest = (GUEST, &*guest);
            client.mark("put:k:v", &[guest]).await;
            client.mark("logout", &[("other", "x"), guest]).await;
            assert_eq!(server.waited(), 0, "a guest holds no privilege");
            let guest = client.guest().await;
            let login = client.mark("login:alice", &[(GUEST, &guest)]).await;
            assert_eq!(server.waited(), 0, "a first login ends nothing that counts");

            let mut token = login.cookie(SESSION).unwrap();
            for (marks, waits) in [
                ("put:k:v", 0),
                ("remove:k", 0),
                ("renew", usize::from(is_short)),
                ("elevate", 1),
                ("step-down", 1),
                ("login:alice", 1),
                ("login:bob", 1),
                ("elevate,put:k:v,renew", 1),
                ("logout,login:bob", 1),
                ("logout", 1),
            ] {
                let answer = client.mark(marks, &[(SESSION, &token)]).await;
                assert_eq!(answer.status, StatusCode::OK, "{marks}");
                assert_eq!(server.waited(), waits, "{marks}");
                token = answer.cookie(SESSION).unwrap_or(token);
            }
            // A failed answer tells of the logout too: it took effect.
            let token = client.login("alice").await;
            let path = "/do?status=500&marks=logout";
            client.post(path, &[(SESSION, &token)]).await;
            assert_eq!(server.waited(), 1);
        }
    }
}

/// R75: each call of the handle waits once, and so does a login that evicts.
#[tokio::test]
async fn an_ending_from_outside_waits_once() {
    for (stored, server) in Server::both(false).into_iter().enumerate() {
        let client = &server.client;
        for what in ["others", "all", "tag", "one"] {
            if what == "one" && stored == 0 {
                continue;
            }
            let token = client.post("/tagged", &[]).await.cookie(SESSION).unwrap();
            server.waited();
            let path = format!("/end?what={what}");
            client.post(&path, &[(SESSION, &token)]).await;
            assert_eq!(server.waited(), 1, "{what}");
        }
        for evicts in [false, false, true] {
            client.login("carol").await;
            assert_eq!(server.waited(), usize::from(evicts && stored == 1));
        }
    }
}

/// Until somebody waits for endings to hold.
async fn waits(store: &Gated) {
    let reached = store.stop.reached.notified();
    let waits = tokio::time::timeout(Duration::from_secs(10), reached).await;
    waits.expect("nobody waits until the ending holds");
}

/// R75: the answer comes after the wait, and the wait after the last write.
#[tokio::test]
async fn the_answer_comes_after_the_wait() {
    let store = Gated::default();
    let server = Server::stored(&store, false);
    let token = server.client.login("alice").await;
    store.hold_wait();
    let (client, cookie) = (server.client.clone(), token.clone());
    let logout = tokio::spawn(async move { client.mark("logout", &[(SESSION, &cookie)]).await });
    waits(&store).await;
    assert!(!logout.is_finished());
    assert_eq!(server.client.whoami(&[(SESSION, &token)]).await, "nobody");
    store.stop.go_on.notify_one();
    let answer = logout.await.unwrap();
    assert_eq!(answer.cookie(SESSION).as_deref(), Some(""));
}

/// R75, R09: nothing is acknowledged of which nobody knows whether it holds.
#[tokio::test]
async fn a_wait_that_fails_withholds_the_answer() {
    let store = Gated::default();
    let server = Server::stored(&store, false);
    let events = Events::default();
    let server = Server {
        client: Client::of(server.layer.clone().with_observer(events.clone())),
        ..server
    };
    for marks in ["logout", "elevate", "login:alice"] {
        let token = server.client.login("alice").await;
        events.take();
        store.fail_wait();
        let answer = server.client.mark(marks, &[(SESSION, &token)]).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{marks}");
        assert!(answer.sets_nothing(), "{marks}");
        assert!(events.take().contains(&EventKind::StoreFailedWrite));
        let who = server.client.whoami(&[(SESSION, &token)]).await;
        assert_eq!(who, "nobody", "{marks}: what ended is dead all the same");
    }
    let control = server.layer.sessions();
    store.fail_wait();
    assert!(control.end_all(&"alice".into()).await.is_err());
}

/// R75: the ending is complete before the wait, so a client that leaves changes nothing.
#[tokio::test]
async fn a_client_that_leaves_while_it_waits_loses_no_ending() {
    let store = Gated::default();
    let server = Server::stored(&store, false);
    let token = server.client.login("alice").await;
    store.hold_wait();
    let client = server.client.clone();
    let logout = request("POST", "/do?marks=logout", &[(SESSION, &token)]);
    let logout = tokio::spawn(async move { client.send(logout).await });
    waits(&store).await;
    logout.abort();
    let _ = logout.await;
    assert_eq!(server.client.whoami(&[(SESSION, &token)]).await, "nobody");
    store.stop.go_on.notify_one();
    let drained = server.layer.drain(Duration::from_secs(5)).await;
    assert!(drained.is_complete());
}
