//! Failing stores, failing handlers, clients that go away: each forced.

#![cfg(all(feature = "axum", feature = "testing"))]

mod common;

use std::{convert::Infallible, future::Ready, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{Request, Response},
};
use common::{Client, Events, GUEST, SESSION, Stop, app, apply, both_modes, clock, keys, request};
use tower::{Layer, ServiceExt, service_fn};
use tower_http::catch_panic::CatchPanicLayer;
use tower_session_guard::{
    AssuranceLevel, EventKind, MemoryStore, Observer, Record, Session, SessionEvent, SessionId,
    SessionLayer, SessionStore, Timestamp, VerifiedId,
    store::{
        Counting, Created, Cursor, Cutoff, EndedPage, IndexKey, Page, Removed, Replaced, Revision,
        StoreFuture, Stored,
    },
    testing::{FaultyStore, StoreOperation},
};

type Store = FaultyStore<MemoryStore>;

/// Lets what was handed to the runtime come to its end.
async fn let_others_go() {
    for _ in 0..64 {
        tokio::task::yield_now().await;
    }
}

/// The future of a service that returns none.
type Never = Ready<Result<Response<Body>, Infallible>>;

fn stored(events: &Events) -> (Client, Store) {
    let store = FaultyStore::new(MemoryStore::new());
    let layer = SessionLayer::new(keys())
        .with_clock(clock())
        .with_observer(events.clone())
        .with_store(store.clone());
    (Client::of(layer), store)
}

fn writes(store: &Store) -> u64 {
    store.calls(StoreOperation::Write)
}

/// R71: a store that does not answer is never taken for an empty one.
#[tokio::test]
async fn a_failed_load_refuses_the_request_and_leaves_the_cookie() {
    let events = Events::default();
    let (client, store) = stored(&events);
    let token = client.login("alice").await;
    store.fail(StoreOperation::Load, 1, 0);
    events.take();
    let answer = client.get("/whoami", &[(SESSION, &token)]).await;
    assert_eq!((answer.status.as_u16(), &*answer.body), (503, ""));
    assert!(answer.sets_nothing());
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert_eq!(events.take(), [EventKind::StoreFailedLoad]);
    assert_eq!(client.whoami(&[(SESSION, &token)]).await, "alice@1");
}

/// R09: whichever write of whichever mark fails, no token leaves and no more privilege is there.
#[tokio::test]
async fn a_failed_write_withholds_the_answer_and_issues_nothing() {
    for (before, marks) in [
        ("guest", "login:alice"),
        ("guest", "put:k:v"),
        ("guest", "logout"),
        ("alice", "login:alice"),
        ("alice", "login:bob"),
        ("alice", "elevate"),
        ("alice", "renew"),
        ("alice", "put:k:v"),
        ("alice", "logout"),
        ("alice", "logout,login:bob"),
        ("alice", "logout,put:k:v"),
        ("nobody", "login:alice"),
        ("nobody", "put:k:v"),
    ] {
        for lost_answer in [false, true] {
            for after in 0.. {
                let events = Events::default();
                let (client, store) = stored(&events);
                let (name, token) = match before {
                    "guest" => (GUEST, client.guest().await),
                    "alice" => (SESSION, client.login("alice").await),
                    _ => (SESSION, String::new()),
                };
                let cookies = [(name, &*token)];
                let cookies = if token.is_empty() { &[] } else { &cookies[..] };
                let done = writes(&store);
                if lost_answer {
                    store.fail_once_written(StoreOperation::Write, 1, after);
                } else {
                    store.fail(StoreOperation::Write, 1, after);
                }
                let answer = client.mark(marks, cookies).await;
                if writes(&store) - done <= after {
                    assert!(after > 0, "{marks} writes something");
                    break;
                }
                let case = format!("{before}: {marks}, write {after}, {lost_answer}");
                assert_eq!((answer.status.as_u16(), &*answer.body), (503, ""), "{case}");
                assert!(answer.sets_nothing(), "{case}");
                assert!(
                    events.take().contains(&EventKind::StoreFailedWrite),
                    "{case}"
                );
                store.fail(StoreOperation::Write, 0, 0);
                let who = client.whoami(cookies).await;
                let unharmed = if before == "alice" {
                    "alice@1"
                } else {
                    "nobody"
                };
                assert!(who == unharmed || who == "nobody", "{case}: {who}");
            }
        }
    }
}

/// S05: a login that cannot tell whether its subject was ended meanwhile is refused, and leaves no record.
#[tokio::test]
async fn a_login_whose_cut_off_cannot_be_read_is_refused() {
    for (before, marks, who) in [
        ("nobody", "login:alice", "nobody"),
        ("alice", "login:alice", "alice@1"),
        ("alice", "login:bob", "alice@1"),
    ] {
        let events = Events::default();
        let (client, store) = stored(&events);
        let token = match before {
            "nobody" => String::new(),
            user => client.login(user).await,
        };
        let cookies = [(SESSION, &*token)];
        let now = common::now(&clock());
        let live = store.live_records(now).await.unwrap();
        store.fail(StoreOperation::Cutoff, 1, 0);
        let answer = client.mark(marks, &cookies).await;
        assert_eq!((answer.status.as_u16(), &*answer.body), (503, ""));
        assert!(answer.sets_nothing());
        assert!(events.take().contains(&EventKind::StoreFailedWrite));
        assert_eq!(store.live_records(now).await.unwrap(), live);
        assert_eq!(client.whoami(&cookies).await, who);
    }
}

/// R10, A36: what a handler that fails takes with it, and what not.
#[tokio::test]
async fn a_handlers_5xx_drops_what_raises_and_keeps_what_lowers() {
    let events = Events::default();
    for layer in both_modes() {
        let layer = layer.with_clock(clock()).with_observer(events.clone());
        let client = Client::of(layer);
        for (marks, status, who) in [
            ("login:bob", 500, "alice@1"),
            ("login:bob", 404, "nobody"),
            ("elevate", 503, "alice@1"),
            ("elevate", 403, "nobody"),
            ("put:k:v", 500, "alice@1"),
            ("logout", 500, "nobody"),
            ("logout,login:bob", 500, "nobody"),
        ] {
            let token = client.login("alice").await;
            let path = format!("/do?marks={marks}&status={status}");
            let answer = client.post(&path, &[(SESSION, &token)]).await;
            assert_eq!(answer.status, status);
            let old = client.whoami(&[(SESSION, &token)]).await;
            assert_eq!(old, who, "{marks} {status}");
            if status >= 500 && !marks.starts_with("logout") {
                assert!(answer.sets_nothing(), "{marks} {status}");
                assert_eq!(client.get("/get?k=k", &[(SESSION, &token)]).await.body, "");
            }
        }
        let guest = client.guest().await;
        let answer = client
            .post("/do?marks=login:alice&status=500", &[(GUEST, &guest)])
            .await;
        assert!(answer.sets_nothing());
        assert_eq!(client.whoami(&[(GUEST, &guest)]).await, "nobody");
    }
    assert!(events.take().contains(&EventKind::LoginDropped));
}

/// R10: a panic is a handler that never answered.
#[tokio::test]
async fn a_panic_logs_out_but_never_in() {
    for layer in both_modes() {
        let layer = layer.with_clock(clock());
        let client = Client::of(layer.clone());
        let app: Router = app(Stop::default())
            .layer(layer)
            .layer(CatchPanicLayer::new());
        for (marks, who) in [
            ("logout", "nobody"),
            ("login:bob", "alice@1"),
            ("elevate", "alice@1"),
        ] {
            let token = client.login("alice").await;
            let path = format!("/do?stop=panic&marks={marks}");
            let request = request("POST", &path, &[(SESSION, &token)]);
            let response = app.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status(), 500);
            assert!(!response.headers().contains_key("set-cookie"));
            let_others_go().await;
            assert_eq!(client.whoami(&[(SESSION, &token)]).await, who, "{marks}");
        }
    }
}

/// An observer with a mistake in it.
#[derive(Clone, Debug, Default)]
struct Panicking(Events);

impl Observer for Panicking {
    fn observe(&self, event: &SessionEvent) {
        self.0.observe(event);
        panic!("the observer fails at {}", event.kind);
    }
}

/// S24: it fails alone. Events are told in destructors too, where a second panic would abort this process.
#[tokio::test]
async fn an_observer_that_panics_fails_alone() {
    for layer in both_modes() {
        let observer = Panicking::default();
        let layer = layer.with_clock(clock()).with_observer(observer.clone());
        let client = Client::of(layer.clone());
        let token = client.login("alice").await;
        let cookies = [(SESSION, &*token)];
        assert_eq!(client.whoami(&cookies).await, "alice@1");
        let app: Router = app(Stop::default())
            .layer(layer)
            .layer(CatchPanicLayer::new());
        for (marks, told, who) in [
            ("login:bob", EventKind::LoginDropped, "alice@1"),
            ("logout", EventKind::LoggedOut, "nobody"),
        ] {
            let path = format!("/do?stop=panic&marks={marks}");
            let request = request("POST", &path, &cookies);
            let response = app.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status(), 500);
            let_others_go().await;
            assert_eq!(client.whoami(&cookies).await, who, "{marks}");
            assert!(observer.0.take().contains(&told), "{marks}");
        }
    }
}

/// R10: the same for a service that panics when it is called, before there is a future: a session that was at
/// hand, one that was loaded first, and one in its token.
#[tokio::test]
async fn a_panic_before_the_future_logs_out_but_never_in() {
    let [self_contained, at_hand] = both_modes();
    let loads = SessionLayer::new(keys()).with_store(FaultyStore::new(MemoryStore::new()));
    for layer in [self_contained, at_hand, loads.into_any()] {
        let layer = layer.with_clock(clock());
        let client = Client::of(layer.clone());
        for (marks, who) in [
            ("logout", "nobody"),
            ("login:bob,logout", "nobody"),
            ("login:bob", "alice@1"),
            ("elevate", "alice@1"),
            ("put:k:v", "alice@1"),
        ] {
            let service = layer.layer(service_fn(move |request: Request<Body>| -> Never {
                apply(request.extensions().get::<Session>().unwrap(), marks);
                panic!("asked to")
            }));
            let token = client.login("alice").await;
            let request = request("POST", "/", &[(SESSION, &token)]);
            let panicked = tokio::spawn(service.oneshot(request)).await.unwrap_err();
            assert!(panicked.is_panic());
            let_others_go().await;
            let cookies = [(SESSION, &*token)];
            assert_eq!(client.whoami(&cookies).await, who, "{marks}");
            assert_eq!(client.get("/get?k=k", &cookies).await.body, "");
        }
    }
}

/// R10: a client that goes away while the handler runs.
#[tokio::test]
async fn a_client_that_leaves_the_handler_loses_no_logout_and_gains_no_login() {
    for layer in both_modes() {
        let stop = Stop::default();
        let client = Client::with_stop(layer.with_clock(clock()), stop.clone());
        for (marks, who) in [
            ("logout", "nobody"),
            ("login:bob,logout", "nobody"),
            ("login:bob", "alice@1"),
            ("elevate", "alice@1"),
            ("renew", "alice@1"),
            ("put:k:v", "alice@1"),
        ] {
            let token = client.login("alice").await;
            let path = format!("/do?stop=after&marks={marks}");
            let cookies = [(SESSION, &*token)];
            tokio::select! {
                _ = client.post(&path, &cookies) => unreachable!("nobody lets it go on"),
                () = stop.reached.notified() => {}
            }
            let_others_go().await;
            assert_eq!(client.whoami(&cookies).await, who, "{marks}");
            assert_eq!(client.get("/get?k=k", &cookies).await.body, "");
        }
    }
}

/// The same for what the handler's own destructors mark when its future is dropped.
#[tokio::test]
async fn a_logout_in_a_destructor_of_the_handler_counts() {
    struct Marks(Session, &'static str);

    impl Drop for Marks {
        fn drop(&mut self) {
            apply(&self.0, self.1);
        }
    }

    for layer in both_modes() {
        let layer = layer.with_clock(clock());
        let client = Client::of(layer.clone());
        for (marks, who) in [("logout", "nobody"), ("login:bob", "alice@1")] {
            let service = layer.layer(service_fn(async move |request: Request<Body>| {
                let session = request.extensions().get::<Session>().unwrap();
                let _marks = Marks(session.clone(), marks);
                std::future::pending::<Result<Response<Body>, Infallible>>().await
            }));
            let token = client.login("alice").await;
            let cookies = [(SESSION, &*token)];
            let response = service.oneshot(request("POST", "/", &cookies));
            let given_up = tokio::time::timeout(Duration::ZERO, response).await;
            assert!(given_up.is_err(), "the handler waits for ever");
            let_others_go().await;
            assert_eq!(client.whoami(&cookies).await, who, "{marks}");
        }
    }
}

/// Invariant 9: a step-down whose client is gone lowers the level, and with a store keeps the token.
#[tokio::test]
async fn a_step_down_without_a_reader_lowers_the_level() {
    for (layer, who) in both_modes().into_iter().zip(["nobody", "alice@1"]) {
        let stop = Stop::default();
        let client = Client::with_stop(layer.with_clock(clock()), stop.clone());
        let answer = client.mark("login:alice,elevate", &[]).await;
        let token = answer.cookie(SESSION).unwrap();
        let cookies = [(SESSION, &*token)];
        tokio::select! {
            _ = client.post("/do?stop=after&marks=step-down", &cookies) => unreachable!(),
            () = stop.reached.notified() => {}
        }
        let_others_go().await;
        assert_eq!(client.whoami(&cookies).await, who);
    }
}

/// Marks made after the response's head change nothing and are told.
#[tokio::test]
async fn a_mark_after_the_head_changes_nothing() {
    use axum::routing::post;
    use tower_session_guard::{DataErrorKind, DataKey, Session};

    let events = Events::default();
    let kept = Arc::new(std::sync::Mutex::new(None));
    let keep = Arc::clone(&kept);
    let route = post(move |session: Session| async move {
        *keep.lock().unwrap() = Some(session);
    });
    let layer = SessionLayer::new(keys())
        .with_clock(clock())
        .with_observer(events.clone());
    let app = Router::new().route("/", route).layer(layer);
    app.oneshot(request("POST", "/", &[])).await.unwrap();
    let session = kept.lock().unwrap().take().unwrap();
    session.login("mallory");
    const KEY: DataKey<u8> = DataKey::new("k");
    let late = session.insert(&KEY, &1).unwrap_err();
    assert_eq!(late.kind(), DataErrorKind::TooLate);
    assert_eq!(session.subject(), None);
    assert_eq!(events.take(), [EventKind::LateMark; 2]);
}

/// R90: an event of a session tells which, so that whoever reads it can end that session.
#[tokio::test]
async fn late_marks_and_failed_writes_tell_whose_they_are() {
    use axum::routing::post;
    use tower_session_guard::Session;

    let events = Events::default();
    let kept = Arc::new(std::sync::Mutex::new(None));
    let keep = Arc::clone(&kept);
    let route = post(move |session: Session| async move {
        session.elevate(AssuranceLevel::AAL2);
        *keep.lock().unwrap() = Some(session);
    });
    let store = FaultyStore::new(MemoryStore::new());
    let layer = SessionLayer::new(keys())
        .with_clock(clock())
        .with_observer(events.clone())
        .with_store(store.clone());
    let token = Client::of(layer.clone()).login("alice").await;
    let client = Client::around(Router::new().route("/", route).layer(layer));
    store.fail(StoreOperation::Write, 1, 0);
    let answer = client.post("/", &[(SESSION, &token)]).await;
    assert_eq!(answer.status.as_u16(), 503);
    let session = kept.lock().unwrap().take().unwrap();
    session.logout();
    for kind in [EventKind::StoreFailedWrite, EventKind::LateMark] {
        let told = events.all().into_iter().find(|event| event.kind == kind);
        assert_eq!(told.unwrap().session, session.id(), "{kind}");
        assert!(session.id().is_some());
    }
}

/// R72, A40: what is forged never reaches the store.
#[tokio::test]
async fn forged_cookies_cost_no_store_call() {
    let events = Events::default();
    let (client, store) = stored(&events);
    let token = client.login("alice").await;
    let before = store.calls(StoreOperation::Load);
    for position in 0..token.len() {
        let mut forged = token.clone().into_bytes();
        forged[position] = if forged[position] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(forged).unwrap();
        assert_eq!(client.whoami(&[(SESSION, &forged)]).await, "nobody");
    }
    assert_eq!(store.calls(StoreOperation::Load), before);
}

/// A store in which the first ids that are tried are taken.
#[derive(Debug)]
struct Crowded {
    store: MemoryStore,
    taken: std::sync::atomic::AtomicU32,
}

impl SessionStore for Crowded {
    fn load<'a>(&'a self, id: VerifiedId<'a>, now: Timestamp) -> StoreFuture<'a, Option<Stored>> {
        self.store.load(id, now)
    }

    fn create<'a>(
        &'a self,
        id: &'a SessionId,
        record: &'a Record,
        counting: Counting,
        now: Timestamp,
    ) -> StoreFuture<'a, Created> {
        use std::sync::atomic::Ordering::Relaxed;
        let left = self
            .taken
            .fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1));
        if left.is_ok() {
            return Box::pin(async { Ok(Created::Occupied) });
        }
        self.store.create(id, record, counting, now)
    }

    fn replace<'a>(
        &'a self,
        id: &'a SessionId,
        revision: Revision,
        record: &'a Record,
        now: Timestamp,
    ) -> StoreFuture<'a, Replaced> {
        self.store.replace(id, revision, record, now)
    }

    fn remove<'a>(
        &'a self,
        id: &'a SessionId,
        listed_under: Option<&'a IndexKey>,
    ) -> StoreFuture<'a, Removed> {
        self.store.remove(id, listed_under)
    }

    fn heads<'a>(
        &'a self,
        key: &'a IndexKey,
        after: Option<&'a Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> StoreFuture<'a, Page> {
        self.store.heads(key, after, limit, now)
    }

    fn end_listed<'a>(
        &'a self,
        key: &'a IndexKey,
        after: Option<&'a Cursor>,
        limit: usize,
        except: Option<&'a SessionId>,
    ) -> StoreFuture<'a, EndedPage> {
        self.store.end_listed(key, after, limit, except)
    }

    fn raise_cutoff<'a>(
        &'a self,
        key: &'a IndexKey,
        cutoff: &'a Cutoff,
        now: Timestamp,
    ) -> StoreFuture<'a, ()> {
        self.store.raise_cutoff(key, cutoff, now)
    }

    fn cutoff<'a>(&'a self, key: &'a IndexKey, now: Timestamp) -> StoreFuture<'a, Option<Cutoff>> {
        self.store.cutoff(key, now)
    }
}

/// R14, A35: an id that is taken is left alone and another one is drawn, a few times.
#[tokio::test]
async fn a_taken_id_is_never_overwritten_and_another_is_drawn() {
    for (taken, status) in [(3, 200), (4, 503)] {
        let events = Events::default();
        let store = Crowded {
            store: MemoryStore::new(),
            taken: taken.into(),
        };
        let layer = SessionLayer::new(keys())
            .with_clock(clock())
            .with_observer(events.clone())
            .with_store(store);
        let client = Client::of(layer);
        let answer = client.mark("login:alice", &[]).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.cookie(SESSION).is_some(), status == 200);
        let told = events.take();
        let collisions = told.iter().filter(|kind| **kind == EventKind::IdCollision);
        assert_eq!(collisions.count(), taken as usize);
    }
}
