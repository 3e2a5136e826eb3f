//! Listing and ending sessions from outside their requests, the limit of a subject's sessions, and
//! remembered logins.

#![cfg(all(feature = "axum", feature = "testing"))]

mod common;

use std::{error::Error as _, sync::Arc, time::Duration};

use axum::{
    Extension, Router,
    extract::Query,
    http::StatusCode,
    routing::{get, post},
};
use common::{
    Answer, Client, Events, GUEST, Parameters, SESSION, Stop, app, both_modes, clock, keys,
};
use tower_session_guard::{
    AnyBackend, AssuranceLevel, AtLimit, AuthenticatedSession, EmptyFailure, EventKind, Login,
    MemoryStore, Record, Session, SessionErrorKind, SessionId, SessionLayer, SessionPolicy,
    Sessions, Subject, Timestamp,
    store::{Counting, Created, SessionStore, StoreError},
    testing::{FaultyStore, ManualClock, RecordBuilder, StoreOperation},
};

/// One node: an application, the handle of its layer, and what it told.
struct Node {
    client: Client,
    sessions: Sessions<AnyBackend>,
    events: Events,
}

fn node<K>(layer: SessionLayer<EmptyFailure, K>) -> Node {
    let events = Events::default();
    let layer = layer.with_observer(events.clone()).into_any();
    let sessions = layer.sessions();
    let routes = app(Stop::default())
        .route("/end-others", post(end_others))
        .route("/login", post(login))
        .route("/password", post(change_password))
        .route("/label", get(label))
        .layer(Extension(sessions.clone()));
    Node {
        client: Client::around(routes.layer(layer)),
        sessions,
        events,
    }
}

async fn end_others(
    user: AuthenticatedSession,
    Extension(sessions): Extension<Sessions<AnyBackend>>,
) -> Result<String, StatusCode> {
    let ended = sessions.end_others(&user).await;
    let ended = ended.map_err(|error| error.status())?;
    Ok(ended.map_or("some".to_owned(), |n| n.to_string()))
}

async fn change_password(
    user: AuthenticatedSession,
    Extension(sessions): Extension<Sessions<AnyBackend>>,
) -> Result<(), StatusCode> {
    let ended = sessions.end_others(&user).await;
    ended.map_err(|error| error.status())?;
    user.session().login(user.subject().clone());
    Ok(())
}

async fn login(session: Session, Query(parameters): Query<Parameters>) {
    let mut login = Login::new(&*parameters["user"]);
    if let Some(label) = parameters.get("label") {
        login = login.labelled(label);
    }
    if parameters.contains_key("remember") {
        login = login.remembered();
    }
    if let Some(level) = parameters.get("level") {
        let level = AssuranceLevel::new(level.parse().unwrap());
        login = login.at_level(level.unwrap());
    }
    session.login(login);
}

async fn label(user: AuthenticatedSession) -> String {
    user.label().unwrap_or_default().to_owned()
}

fn alice() -> Subject {
    Subject::from("alice")
}

fn layer(clock: &ManualClock) -> SessionLayer {
    SessionLayer::new(keys()).with_clock(clock.clone())
}

fn both(clock: &ManualClock) -> [Node; 2] {
    both_modes().map(|layer| node(layer.with_clock(clock.clone())))
}

impl Node {
    /// What only a store can do.
    fn stored(&self) -> Sessions {
        self.sessions.in_store().expect("sessions are in a store")
    }

    async fn whoami(&self, token: &str) -> String {
        self.client.whoami(&[(SESSION, token)]).await
    }

    async fn login_at(&self, query: &str) -> Answer {
        self.client.post(&format!("/login?{query}"), &[]).await
    }

    async fn end_others(&self, token: &str) -> Answer {
        self.client.post("/end-others", &[(SESSION, token)]).await
    }
}

/// R67: what a person recognises a session by, and nothing else.
#[tokio::test]
async fn a_list_tells_what_a_person_recognises() {
    let clock = clock();
    let node = node(layer(&clock));
    let began = common::now(&clock);
    let laptop = node.login_at("user=alice&label=Laptop&level=2").await;
    let laptop = laptop.cookie(SESSION).unwrap();
    clock.advance(Duration::from_secs(60));
    node.login_at("user=alice&label=Phone").await;
    node.login_at("user=bob").await;
    clock.advance(Duration::from_secs(300));
    let seen = common::now(&clock);
    let answer = node.client.get("/label", &[(SESSION, &laptop)]).await;
    assert_eq!(answer.body, "Laptop");

    let list = node.stored().list(&alice()).await.unwrap();
    let details: Vec<_> = list
        .iter()
        .map(|session| session.details.clone().unwrap())
        .collect();
    let labels: Vec<_> = details.iter().map(|one| one.label.as_deref()).collect();
    assert_eq!(
        labels,
        [Some("Laptop"), Some("Phone")],
        "the last used first"
    );
    assert_eq!(details[0].created_at, began);
    assert_eq!(details[0].last_seen_at, seen);
    assert_eq!(details[0].expires_at, seen.after(Duration::from_secs(3600)));
    assert_eq!(details[0].level, Some(AssuranceLevel::AAL2));
    assert_eq!(details[1].level, Some(AssuranceLevel::AAL1));
    let printed = format!("{list:?}");
    assert!(!printed.contains(&laptop) && !printed.contains(&laptop[30..60]));
    assert!(
        node.stored()
            .list(&Subject::from("carol"))
            .await
            .unwrap()
            .is_empty()
    );

    clock.advance(Duration::from_secs(3600));
    assert!(
        node.stored().list(&alice()).await.unwrap().is_empty(),
        "all expired"
    );
}

/// R66, A27: two nodes over one store.
#[tokio::test]
async fn what_one_node_ended_is_dead_on_the_other_at_once() {
    let clock = clock();
    let store = Arc::new(MemoryStore::new());
    let [here, there] = [(); 2].map(|()| node(layer(&clock).with_shared_store(store.clone())));
    let [first, second] = [
        here.client.login("alice").await,
        there.client.login("alice").await,
    ];
    let bob = there.client.login("bob").await;
    assert_eq!(there.whoami(&first).await, "alice@1");

    let list = here.stored().list(&alice()).await.unwrap();
    assert_eq!(list.len(), 2);
    assert!(there.stored().end(&alice(), &list[0].id).await.unwrap());
    assert_eq!(
        there.events.take(),
        [
            EventKind::LoggedIn,
            EventKind::LoggedIn,
            EventKind::SessionRevoked
        ]
    );
    let alive = [here.whoami(&first).await, here.whoami(&second).await];
    assert_eq!(alive.iter().filter(|who| *who == "alice@1").count(), 1);
    assert!(
        !here.stored().end(&alice(), &list[0].id).await.unwrap(),
        "it is gone"
    );

    assert_eq!(there.sessions.end_all(&alice()).await.unwrap(), Some(1));
    assert_eq!(here.whoami(&first).await, "nobody");
    assert_eq!(here.whoami(&second).await, "nobody");
    assert_eq!(here.whoami(&bob).await, "bob@1");
    assert_eq!(here.sessions.end_all(&alice()).await.unwrap(), Some(0));
}

/// S28: for a connection that outlives its request, which looks now and then.
#[tokio::test]
async fn whether_a_session_is_alive_is_asked_without_using_it() {
    let clock = clock();
    let store = Arc::new(MemoryStore::new());
    let layer = layer(&clock).with_shared_store(store);
    let strict = SessionPolicy::aal2().idle(Duration::from_secs(60)).unwrap();
    let strict = layer.clone().with_policy(strict).sessions();
    let node = node(layer);
    let token = node.client.login("alice").await;
    let id = node.stored().list(&alice()).await.unwrap()[0].id;
    let is_live = async |subject: &str| {
        let subject = Subject::from(subject);
        node.stored().is_live(&subject, &id).await.unwrap()
    };
    assert!(is_live("alice").await);
    assert!(!is_live("bob").await, "an id alone says nothing");
    clock.advance(Duration::from_secs(3599));
    assert!(is_live("alice").await);
    assert!(
        !strict.is_live(&alice(), &id).await.unwrap(),
        "by its policy"
    );
    clock.advance(Duration::from_secs(1));
    assert!(!is_live("alice").await, "no question is a use");
    assert_eq!(node.whoami(&token).await, "nobody");

    let token = node.client.login("alice").await;
    let id = node.stored().list(&alice()).await.unwrap()[0].id;
    assert!(node.stored().is_live(&alice(), &id).await.unwrap());
    node.client.mark("logout", &[(SESSION, &token)]).await;
    assert!(!node.stored().is_live(&alice(), &id).await.unwrap());
}

/// R67: an id is not secret, so it must not be enough.
#[tokio::test]
async fn an_id_of_another_subjects_session_ends_nothing() {
    let node = node(layer(&clock()));
    let bob = node.client.login("bob").await;
    let list = node.stored().list(&Subject::from("bob")).await.unwrap();
    assert!(!node.stored().end(&alice(), &list[0].id).await.unwrap());
    assert_eq!(node.whoami(&bob).await, "bob@1");
    assert!(!node.events.take().contains(&EventKind::SessionRevoked));
}

/// R67, R69.
#[tokio::test]
async fn ending_the_others_keeps_the_session_at_hand() {
    for (node, told) in both(&clock()).into_iter().zip(["some", "2"]) {
        let [one, two, own] = [(); 3].map(|()| node.client.login("alice"));
        let [one, two, own] = [one.await, two.await, own.await];
        let bob = node.client.login("bob").await;
        node.events.take();
        let answer = node.end_others(&own).await;
        assert_eq!(answer.body, told);
        let [event] = &node.events.all()[..] else {
            panic!("{:?}", node.events.all());
        };
        assert_eq!(event.kind, EventKind::OtherSessionsRevoked);
        // R90: it names whose they were and the exception, which nothing succeeded.
        assert_eq!(event.subject, Some(alice()));
        assert!(event.except.is_some());
        assert_eq!((event.session, event.successor), (None, None));
        if let Some(sessions) = node.sessions.in_store() {
            let left = sessions.list(&alice()).await.unwrap();
            assert_eq!(event.except, Some(left[0].id));
        }
        node.events.take();
        assert_eq!(node.whoami(&own).await, "alice@1");
        assert_eq!(node.whoami(&bob).await, "bob@1");
        for dead in [&one, &two] {
            assert_eq!(node.whoami(dead).await, "nobody");
        }
        // What follows in the spared session lives on, and so does a new one.
        let answer = node.client.mark("elevate", &[(SESSION, &own)]).await;
        let elevated = answer.cookie(SESSION).unwrap();
        assert_eq!(node.whoami(&elevated).await, "alice@2");
        let answer = node.client.mark("renew", &[(SESSION, &elevated)]).await;
        let renewed = answer.cookie(SESSION).unwrap();
        assert_eq!(node.whoami(&renewed).await, "alice@2");
        let fresh = node.client.login("alice").await;
        assert_eq!(node.whoami(&fresh).await, "alice@1");
        // Until the new one ends it.
        node.end_others(&fresh).await;
        assert_eq!(node.whoami(&renewed).await, "nobody");
        assert_eq!(node.whoami(&fresh).await, "alice@1");
    }
}

/// R06, R69: one call ends the others, and the session at hand gets a new token.
#[tokio::test]
async fn a_change_of_password_leaves_one_session_with_a_new_token() {
    for node in both(&clock()) {
        let [other, own] = [
            node.client.login("alice").await,
            node.client.login("alice").await,
        ];
        let answer = node.client.post("/password", &[(SESSION, &own)]).await;
        let new = answer.cookie(SESSION).unwrap();
        assert_eq!(node.whoami(&new).await, "alice@1");
        assert_eq!(node.whoami(&own).await, "nobody");
        assert_eq!(node.whoami(&other).await, "nobody");
    }
}

/// R67.
#[tokio::test]
async fn an_administrator_ends_every_session_of_a_subject() {
    for node in both(&clock()) {
        let [one, two] = [
            node.client.login("alice").await,
            node.client.login("alice").await,
        ];
        node.sessions.end_all(&alice()).await.unwrap();
        for token in [&one, &two] {
            assert_eq!(node.whoami(token).await, "nobody");
            assert_eq!(
                node.end_others(token).await.status,
                StatusCode::UNAUTHORIZED
            );
        }
        let again = node.client.login("alice").await;
        assert_eq!(node.whoami(&again).await, "alice@1");
    }
}

/// A24: a handler under way when its session was ended ends nobody else's and brings nothing back.
#[tokio::test]
async fn a_session_that_was_ended_meanwhile_ends_no_others() {
    async fn revoked_first(
        user: AuthenticatedSession,
        Extension(sessions): Extension<Sessions<AnyBackend>>,
    ) -> StatusCode {
        sessions.end_all(user.subject()).await.unwrap();
        let error = sessions.end_others(&user).await.unwrap_err();
        assert_eq!(error.kind(), SessionErrorKind::Refused);
        error.status()
    }
    for layer in both_modes() {
        let layer = layer.with_clock(clock());
        let routes: Router = app(Stop::default())
            .route("/revoked-first", post(revoked_first))
            .layer(Extension(layer.sessions()));
        let client = Client::around(routes.layer(layer));
        let token = client.login("alice").await;
        let answer = client.post("/revoked-first", &[(SESSION, &token)]).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert_eq!(client.whoami(&[(SESSION, &token)]).await, "nobody");
    }
}

/// R67, S19: what needs a store is not there without one, rather than an error or nothing.
#[tokio::test]
async fn self_contained_tokens_cannot_be_listed_or_ended_one_by_one() {
    let [self_contained, stored] = both(&clock());
    assert!(self_contained.sessions.in_store().is_none());
    stored.client.login("alice").await;
    let listed = stored.stored().list(&alice()).await.unwrap();
    assert_eq!(listed.len(), 1);
}

/// R71, R09: a store that fails is an error and an event, never a success.
#[tokio::test]
async fn a_store_that_fails_is_never_taken_for_a_revocation() {
    let store = FaultyStore::new(MemoryStore::new());
    let node = node(layer(&clock()).with_store(store.clone()));
    let own = node.client.login("alice").await;
    node.events.take();
    // The first load is the request's own.
    for (operation, after) in [
        (StoreOperation::Load, 1),
        (StoreOperation::RaiseCutoff, 0),
        (StoreOperation::EndListed, 0),
    ] {
        store.fail(operation, 1, after);
        let answer = node.end_others(&own).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(node.events.take(), [EventKind::StoreFailedControl]);
    }
    store.fail(StoreOperation::Heads, 1, 0);
    let error = node.stored().list(&alice()).await.unwrap_err();
    // What an operator needs to know.
    assert!(error.source().unwrap().is::<StoreError>());
    for operation in [StoreOperation::RaiseCutoff, StoreOperation::EndListed] {
        store.fail(operation, 1, 0);
        assert!(node.sessions.end_all(&alice()).await.is_err());
        assert_eq!(node.whoami(&own).await, "alice@1");
    }
    let id = node.stored().list(&alice()).await.unwrap()[0].id;
    store.fail(StoreOperation::Remove, 1, 0);
    assert!(node.stored().end(&alice(), &id).await.is_err());
    assert_eq!(node.whoami(&own).await, "alice@1");
    let told = node.events.take();
    assert_eq!(told, [EventKind::StoreFailedControl; 4]);
}

fn limited(clock: &ManualClock, count: usize, at: AtLimit) -> SessionLayer {
    layer(clock).max_sessions(count, at).unwrap()
}

/// R68, A48.
#[tokio::test]
async fn one_login_too_many_ends_the_oldest() {
    let clock = clock();
    let node = node(limited(&clock, 2, AtLimit::EndOldest));
    let mut tokens = Vec::new();
    for _ in 0..4 {
        tokens.push(node.client.login("alice").await);
        clock.advance(Duration::from_secs(1));
    }
    let bob = node.client.login("bob").await;
    let evicted = |kind: &EventKind| *kind == EventKind::SessionEvicted;
    assert_eq!(
        node.events
            .take()
            .iter()
            .filter(|kind| evicted(kind))
            .count(),
        2
    );
    for (token, who) in tokens
        .iter()
        .zip(["nobody", "nobody", "alice@1", "alice@1"])
    {
        assert_eq!(node.whoami(token).await, who);
    }
    assert_eq!(node.whoami(&bob).await, "bob@1");
}

/// R68, A48.
#[tokio::test]
async fn one_login_too_many_is_refused_and_changes_nothing() {
    let clock = clock();
    let node = node(limited(&clock, 1, AtLimit::RefuseLogin));
    let first = node.client.login("alice").await;
    node.events.take();
    let answer = node.client.mark("login:alice", &[]).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert!(answer.sets_nothing());
    assert_eq!(answer.body, "");
    assert_eq!(node.events.take(), [EventKind::LoginOverLimit]);
    assert_eq!(node.whoami(&first).await, "alice@1");

    // Logging in again from the session itself takes its place.
    let answer = node.client.mark("login:alice", &[(SESSION, &first)]).await;
    let second = answer.cookie(SESSION).unwrap();
    assert_eq!(node.whoami(&second).await, "alice@1");

    // A logout before the login stands, whatever becomes of the login.
    let bob = node.client.login("bob").await;
    let answer = node
        .client
        .mark("logout,login:alice", &[(SESSION, &bob)])
        .await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert_eq!(node.whoami(&bob).await, "nobody");

    node.client.mark("logout", &[(SESSION, &second)]).await;
    let third = node.client.login("alice").await;
    assert_eq!(node.whoami(&third).await, "alice@1");
}

/// R68: a login that is refused for their number leaves nothing behind, and what came with it stays.
#[tokio::test]
async fn a_login_refused_for_the_limit_leaves_nothing() {
    let store = FaultyStore::new(MemoryStore::new());
    let clock = clock();
    let node = node(limited(&clock, 1, AtLimit::RefuseLogin).with_store(store.clone()));
    node.client.login("alice").await;
    let guest = node.client.guest().await;
    let listed = node.stored().list(&alice()).await.unwrap();
    let answer = node.client.mark("login:alice", &[(GUEST, &guest)]).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert!(answer.sets_nothing());
    // Alice's first session and the guest's.
    let live = store.live_records(common::now(&clock)).await.unwrap();
    assert_eq!(live, Some(2));
    assert_eq!(node.stored().list(&alice()).await.unwrap(), listed);
    let read = node.client.get("/get?k=k", &[(GUEST, &guest)]).await;
    assert_eq!(read.body, "planted");
}

/// R68, R11: logins at the same time leave no more than the limit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logins_at_the_same_time_keep_to_the_limit() {
    for at in [AtLimit::EndOldest, AtLimit::RefuseLogin] {
        let node = node(limited(&clock(), 3, at));
        let logins = (0..24).map(|_| {
            let client = node.client.clone();
            tokio::spawn(async move { client.mark("login:alice", &[]).await })
        });
        for login in logins.collect::<Vec<_>>() {
            login.await.unwrap();
        }
        let alive = node.stored().list(&alice()).await.unwrap().len();
        assert!(alive <= 3, "{alive} with {at:?}");
    }
}

/// R68, S01: without a setting an owner may have 100 sessions, so that their list stays short; guests are free.
#[tokio::test]
async fn a_hundred_sessions_are_the_limit_unless_another_is_set() {
    let clock = clock();
    for (layer, most) in [
        (layer(&clock), 100),
        (layer(&clock).without_session_limit(), 102),
    ] {
        let node = node(layer);
        let first = node.client.login("alice").await;
        for _ in 0..101 {
            clock.advance(Duration::from_secs(1));
            node.client.login("alice").await;
            node.client.guest().await;
        }
        let listed = node.stored().list(&alice()).await.unwrap();
        assert_eq!(listed.len(), most);
        let who = if most == 100 { "nobody" } else { "alice@1" };
        assert_eq!(node.whoami(&first).await, who);
    }
}

/// Puts a record into a store, as another node would.
async fn put(store: &impl SessionStore, number: u16, record: &Record, now: Timestamp) -> SessionId {
    let mut id = [0xA5; SessionId::LEN];
    id[..2].copy_from_slice(&number.to_be_bytes());
    let id = SessionId::from_bytes(id);
    let created = store.create(&id, record, Counting::Counted, now).await;
    assert!(matches!(created.unwrap(), Created::Created { .. }));
    id
}

/// S12: a record that a later release wrote is listed without details, and ended by its id or with the others.
#[tokio::test]
async fn a_record_of_a_later_release_is_listed_and_ended() {
    let (clock, store) = (clock(), MemoryStore::new());
    let node = node(layer(&clock).with_store(store.clone()));
    let now = common::now(&clock);
    let later = RecordBuilder::new(now).subject("alice");
    let later = later.of_a_later_release().build();
    let own = node.client.login("alice").await;
    let [first, second] = [
        put(&store, 1, &later, now).await,
        put(&store, 2, &later, now).await,
    ];
    let listed = node.stored().list(&alice()).await.unwrap();
    assert_eq!(listed.len(), 3);
    let unreadable = |id: &SessionId| {
        let found = listed.iter().find(|session| session.id == *id);
        found.unwrap().details.is_none()
    };
    assert!(unreadable(&first) && unreadable(&second));
    let details = listed.iter().filter(|session| session.details.is_some());
    assert_eq!(details.count(), 1);

    assert!(!node.stored().end(&"bob".into(), &first).await.unwrap());
    assert!(node.stored().end(&alice(), &first).await.unwrap());
    assert!(!node.stored().end(&alice(), &first).await.unwrap());
    assert_eq!(node.end_others(&own).await.body, "1");
    assert_eq!(node.stored().list(&alice()).await.unwrap().len(), 1);
    put(&store, 3, &later, now).await;
    assert_eq!(node.sessions.end_all(&alice()).await.unwrap(), Some(2));
    assert_eq!(store.live_records(now).await.unwrap(), Some(0));
}

/// S12, R68: it counts towards the limit, and goes last, since nobody knows how old it is.
#[tokio::test]
async fn a_record_of_a_later_release_counts_towards_the_limit() {
    for at in [AtLimit::EndOldest, AtLimit::RefuseLogin] {
        let (clock, store) = (clock(), MemoryStore::new());
        let node = node(limited(&clock, 2, at).with_store(store.clone()));
        let now = common::now(&clock);
        let later = RecordBuilder::new(now).subject("alice");
        let id = put(&store, 1, &later.of_a_later_release().build(), now).await;
        let first = node.client.login("alice").await;
        let answer = node.client.mark("login:alice", &[]).await;
        let refused = at == AtLimit::RefuseLogin;
        assert_eq!(answer.status == StatusCode::CONFLICT, refused);
        let who = if refused { "alice@1" } else { "nobody" };
        assert_eq!(node.whoami(&first).await, who);
        let listed = node.stored().list(&alice()).await.unwrap();
        assert_eq!(listed.len(), 2);
        assert!(listed.iter().any(|session| session.id == id));
        // Where every other one is unreadable, one of them has to go.
        put(
            &store,
            2,
            &RecordBuilder::new(now)
                .subject("bob")
                .of_a_later_release()
                .build(),
            now,
        )
        .await;
        put(
            &store,
            3,
            &RecordBuilder::new(now)
                .subject("bob")
                .of_a_later_release()
                .build(),
            now,
        )
        .await;
        let answer = node.client.mark("login:bob", &[]).await;
        assert_eq!(answer.status == StatusCode::CONFLICT, refused);
        let bobs = node.stored().list(&"bob".into()).await.unwrap();
        assert_eq!(bobs.len(), 2);
    }
}

/// S13, S01: a list reads heads, page by page, and no session's data; so does a login over the limit.
#[tokio::test]
async fn a_list_reads_heads_page_by_page_and_no_data() {
    let (clock, store) = (clock(), FaultyStore::new(MemoryStore::new()));
    let node = node(layer(&clock).with_store(store.clone()));
    let now = common::now(&clock);
    let record = RecordBuilder::new(now).subject("alice");
    let record = record.entry("cart", [7; 10_000]).build();
    for number in 0..600 {
        put(&store, number, &record, now).await;
    }
    let calls = |operation| store.calls(operation);
    assert_eq!(node.stored().list(&alice()).await.unwrap().len(), 600);
    assert_eq!(calls(StoreOperation::Heads), 3, "of 256 each");
    node.client.login("alice").await;
    assert_eq!(calls(StoreOperation::Heads), 6);
    assert_eq!(node.sessions.end_all(&alice()).await.unwrap(), Some(100));
    assert_eq!(calls(StoreOperation::EndListed), 1);
    assert_eq!(calls(StoreOperation::Load), 0);
}

/// R68: nobody could log in.
#[test]
fn a_limit_of_no_session_is_a_config_error() {
    let refused = SessionLayer::new(keys()).max_sessions(0, AtLimit::EndOldest);
    assert!(refused.unwrap_err().to_string().contains("at least 1"));
}

const DAY: u64 = 24 * 3600;

fn set_cookie(answer: &Answer) -> &str {
    let set = answer.headers["set-cookie"].to_str().unwrap();
    assert!(set.starts_with(SESSION));
    set
}

/// R46.
#[tokio::test]
async fn only_a_remembered_login_outlives_the_browser() {
    let clock = clock();
    let month = SessionPolicy::aal2().remember_for(Duration::from_secs(30 * DAY));
    for (policy, max_age) in [(SessionPolicy::aal2(), DAY), (month.unwrap(), 30 * DAY)] {
        for layer in both_modes() {
            let node = node(layer.with_clock(clock.clone()).with_policy(policy.clone()));
            let answer = node.login_at("user=alice").await;
            assert!(!set_cookie(&answer).contains("Max-Age"));
            let answer = node.login_at("user=alice&remember").await;
            assert!(set_cookie(&answer).ends_with(&format!("; Max-Age={max_age}")));
            // Later the cookie is asked to stay for what is left.
            clock.advance(Duration::from_secs(600));
            let token = answer.cookie(SESSION).unwrap();
            let answer = node.client.mark("elevate", &[(SESSION, &token)]).await;
            assert!(set_cookie(&answer).ends_with(&format!("; Max-Age={}", max_age - 600)));
        }
    }
}

/// R46, R60, R61, R63: the server decides, not the cookie.
#[tokio::test]
async fn without_a_longer_limit_a_remembered_login_has_the_limits_of_any_other() {
    let clock = clock();
    for node in both(&clock) {
        let answer = node.login_at("user=alice&remember").await;
        let token = answer.cookie(SESSION).unwrap();
        clock.advance(Duration::from_secs(3600));
        assert_eq!(node.whoami(&token).await, "nobody");
    }
}

/// R46, R63, R64: it lasts, but what it is worth falls to one factor.
#[tokio::test]
async fn a_remembered_login_lasts_at_one_factor() {
    let clock = clock();
    let policy = SessionPolicy::aal2().remember_for(Duration::from_secs(30 * DAY));
    let policy = policy.unwrap();
    for layer in both_modes() {
        let node = node(layer.with_clock(clock.clone()).with_policy(policy.clone()));
        let mut browser = Browser {
            node,
            token: String::new(),
        };
        browser.take(&browser.node.login_at("user=alice&remember&level=2").await);
        assert_eq!(browser.whoami().await, "alice@2");
        clock.advance(Duration::from_secs(3599));
        assert_eq!(browser.whoami().await, "alice@2", "in use");
        clock.advance(Duration::from_secs(3600));
        assert_eq!(
            browser.whoami().await,
            "alice@1",
            "unused for the idle timeout"
        );
        assert_eq!(browser.whoami().await, "alice@1", "for good");
        let answer = browser
            .node
            .client
            .mark("elevate", &[(SESSION, &browser.token)])
            .await;
        browser.take(&answer);
        assert_eq!(browser.whoami().await, "alice@2", "proved again");
        for _ in 0..48 {
            clock.advance(Duration::from_secs(1799));
            browser.whoami().await;
        }
        assert_eq!(browser.whoami().await, "alice@2");
        clock.advance(Duration::from_secs(60));
        assert_eq!(browser.whoami().await, "alice@1", "the proof is a day old");
        clock.advance(Duration::from_secs(28 * DAY));
        assert_eq!(browser.whoami().await, "alice@1");
        clock.advance(Duration::from_secs(DAY));
        assert_eq!(browser.whoami().await, "nobody", "the month is over");
    }
}

struct Browser {
    node: Node,
    token: String,
}

impl Browser {
    fn take(&mut self, answer: &Answer) {
        self.token = answer
            .cookie(SESSION)
            .unwrap_or(std::mem::take(&mut self.token));
    }

    async fn whoami(&mut self) -> String {
        let answer = self
            .node
            .client
            .get("/whoami", &[(SESSION, &self.token)])
            .await;
        self.take(&answer);
        answer.body
    }
}
