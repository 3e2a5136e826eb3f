//! Loading lazily: the store is asked when somebody looks, and what is settled is the same.

#![cfg(all(feature = "axum", feature = "testing"))]

mod common;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    http::{HeaderName, Request, Response, StatusCode, header},
    routing::{get, post},
};
use common::{
    Answer, AnyLayer, Client, Events, GUEST, SESSION, Stop, clock, keys, list::Counted, whoami,
};
use tower::ServiceExt;
use tower_session_guard::{
    AuthenticatedAt, AuthenticatedSession, CsrfLayer, DataKey, Endings, EventKind, MemoryStore,
    RequireAuthentication, Session, SessionLayer, SessionPolicy,
    testing::{FaultyStore, ManualClock, StoreOperation},
};

const V: DataKey<String> = DataKey::new("v");

/// Looks in each of the ways there are, and marks without a look.
fn app() -> Router {
    let unlooked = |mark: fn(&Session)| {
        post(async move |request: Request<Body>| {
            mark(request.extensions().get::<Session>().unwrap());
            "marked"
        })
    };
    Router::new()
        .route("/plain", get(async || "plain"))
        .route(
            "/user",
            get(async |user: AuthenticatedSession| user.subject().to_string()),
        )
        .route(
            "/maybe",
            get(async |user: Option<AuthenticatedSession>| format!("{}", user.is_some())),
        )
        .route("/strong", get(async |_: AuthenticatedAt<2>| "strong"))
        .route(
            "/guarded",
            // The guard has loaded it, so that the handler finds the user.
            get(async |request: Request<Body>| {
                let user = request.extensions().get::<AuthenticatedSession>().unwrap();
                user.subject().to_string()
            })
            .layer(RequireAuthentication::new()),
        )
        .route(
            "/csrf",
            get(async |session: Session| session.csrf_token().unwrap().to_string())
                .post(async || "checked")
                .layer(CsrfLayer::new()),
        )
        .route("/unlooked/login", unlooked(|session| session.login("bob")))
        .route("/unlooked/logout", unlooked(Session::logout))
        .route(
            "/unlooked/put",
            unlooked(|session| session.insert(&V, &"new".to_owned()).unwrap()),
        )
        .route(
            "/unlooked/append",
            unlooked(|session| common::append(session, &V, "new").unwrap()),
        )
        .route(
            "/unlooked/read",
            get(async |request: Request<Body>| {
                whoami(request.extensions().get::<Session>().unwrap())
            }),
        )
        .route(
            "/mark-then-look",
            post(async |mut request: Request<Body>| {
                let held = request.extensions().get::<Session>().unwrap().clone();
                common::append(&held, &V, "new").unwrap();
                let loaded = Session::load(&mut request).await.unwrap();
                let seen = loaded.get(&V).unwrap().unwrap_or_default();
                // The handle from before sees the same.
                assert_eq!(held.get(&V).unwrap().as_deref(), Some(&*seen));
                assert!(request.extensions().get::<AuthenticatedSession>().is_some());
                seen
            }),
        )
        .layer(axum::middleware::from_fn(passing_on))
        .merge(common::app(Stop::default()))
}

/// A layer that does not look.
async fn passing_on(request: Request<Body>, next: axum::middleware::Next) -> Response<Body> {
    next.run(request).await
}

/// A client that keeps its cookies.
struct Browser {
    client: Client,
    jar: BTreeMap<&'static str, String>,
}

impl Browser {
    fn of(app: Router) -> Self {
        Self {
            client: Client::around(app),
            jar: BTreeMap::new(),
        }
    }

    async fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = self.request(method, path);
        for (name, value) in headers {
            let name: HeaderName = name.parse().unwrap();
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        let answer = self.client.send(request).await;
        for name in [SESSION, GUEST] {
            match answer.cookie(name) {
                None => {}
                Some(value) if value.is_empty() => drop(self.jar.remove(name)),
                Some(value) => drop(self.jar.insert(name, value)),
            }
        }
        answer
    }

    fn request(&self, method: &str, path: &str) -> Request<Body> {
        let cookies = self.jar.iter().map(|(name, value)| (*name, &**value));
        common::request(method, path, &cookies.collect::<Vec<_>>())
    }

    async fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, &[]).await
    }

    async fn post(&mut self, path: &str) -> Answer {
        self.send("POST", path, &[]).await
    }
}

struct Server {
    client: Browser,
    layer: AnyLayer,
    asked: Asked,
    time: ManualClock,
    events: Events,
    stored: bool,
}

/// How often the backend was asked to find a session.
#[derive(Clone)]
enum Asked {
    Store(FaultyStore<MemoryStore>),
    List(Arc<AtomicUsize>),
}

impl Asked {
    fn times(&self) -> u64 {
        match self {
            Self::Store(store) => store.calls(StoreOperation::Load),
            Self::List(count) => count.load(SeqCst) as u64,
        }
    }
}

impl Server {
    /// With a shared list, then in a store.
    fn both() -> [Self; 2] {
        [false, true].map(|stored| {
            let (time, events) = (clock(), Events::default());
            let (layer, asked): (AnyLayer, _) = if stored {
                let store = FaultyStore::new(MemoryStore::new());
                let layer = SessionLayer::new(keys()).with_store(store.clone());
                (layer.into_any(), Asked::Store(store))
            } else {
                let list = Counted::default();
                let count = Arc::clone(&list.asked);
                let layer = SessionLayer::self_contained(keys(), Endings::shared(list));
                (layer.into_any(), Asked::List(count))
            };
            let policy = SessionPolicy::default();
            let policy = policy.renew_every(Duration::from_secs(900)).unwrap();
            let layer = layer
                .lazily()
                .with_policy(policy)
                .with_clock(time.clone())
                .with_observer(events.clone());
            Self {
                client: Browser::of(app().layer(layer.clone())),
                layer,
                asked,
                time,
                events,
                stored,
            }
        })
    }

    /// How often the backend is asked for the session by one request.
    async fn asked_by(&mut self, method: &str, path: &str) -> (u64, StatusCode, String) {
        let before = self.asked.times();
        let answer = self.client.send(method, path, &[]).await;
        (self.asked.times() - before, answer.status, answer.body)
    }
}

/// R77: neither asks, nor writes, nor depends on the session.
#[tokio::test]
async fn a_route_that_never_looks_asks_nothing() {
    for mut server in Server::both() {
        server.client.post("/do?marks=login:alice").await;
        server.events.take();
        server.time.advance(Duration::from_secs(600));
        let before = server.asked.times();
        let answer = server.client.get("/plain").await;
        assert_eq!(server.asked.times(), before);
        assert!(!answer.headers.contains_key(header::SET_COOKIE));
        assert!(!answer.headers.contains_key(header::VARY));
        assert!(!answer.headers.contains_key(header::CACHE_CONTROL));
        assert!(server.events.take().is_empty());
    }
}

/// R77: every way to look asks once, and finds what a layer finds that loads at once.
#[tokio::test]
async fn a_look_asks_once() {
    for mut server in Server::both() {
        server.client.post("/do?marks=login:alice").await;
        for (path, found) in [
            ("/whoami", "alice@1"),
            ("/user", "alice"),
            ("/maybe", "true"),
            ("/guarded", "alice"),
        ] {
            let (asked, status, body) = server.asked_by("GET", path).await;
            assert_eq!(
                (asked, status, &*body),
                (1, StatusCode::OK, found),
                "{path}"
            );
        }
        let (asked, status, _) = server.asked_by("GET", "/strong").await;
        assert_eq!((asked, status), (1, StatusCode::FORBIDDEN));
        let (asked, status, _) = server.asked_by("POST", "/csrf").await;
        assert_eq!((asked, status), (1, StatusCode::FORBIDDEN));
        let token = server.client.get("/csrf").await.body;
        let headers = [("x-csrf-token", &*token)];
        let answer = server.client.send("POST", "/csrf", &headers).await;
        assert_eq!((answer.status, &*answer.body), (StatusCode::OK, "checked"));
    }
}

/// R77, R74: what is due is written by a request that looks, and by no other.
#[tokio::test]
async fn only_a_look_brings_what_is_due() {
    for mut server in Server::both() {
        server.client.post("/do?marks=login:alice").await;
        server.time.advance(Duration::from_secs(1200));
        let unlooked = server.client.get("/plain").await;
        assert_eq!(unlooked.cookie(SESSION), None);
        let looked = server.client.get("/whoami").await;
        assert_eq!(looked.body, "alice@1");
        assert!(
            looked.cookie(SESSION).is_some(),
            "stored: {}",
            server.stored
        );
        assert_eq!(
            server.events.take().last(),
            Some(&EventKind::RenewedByPolicy)
        );
    }
}

/// R77, A01: what is marked without a look is settled by what came.
#[tokio::test]
async fn a_mark_needs_no_load() {
    for mut server in Server::both() {
        server.client.post("/do?marks=put:v:old").await;
        assert!(server.client.jar.contains_key(GUEST));
        server.client.post("/do?marks=login:alice,put:v:old").await;
        let planted = server.client.jar.clone();
        server.events.take();

        server.client.post("/unlooked/put").await;
        assert_eq!(server.client.get("/get?k=v").await.body, "new");
        server.client.post("/unlooked/append").await;
        assert_eq!(server.client.get("/get?k=v").await.body, "new+new");
        server.client.post("/unlooked/login").await;
        assert_eq!(server.client.get("/whoami").await.body, "bob@1");
        assert_eq!(server.events.take(), [EventKind::SubjectSwitched]);
        let jar = std::mem::replace(&mut server.client.jar, planted);
        assert_eq!(server.client.get("/whoami").await.body, "nobody");

        server.client.jar = jar;
        let answer = server.client.post("/unlooked/logout").await;
        assert_eq!(answer.cookie(SESSION).as_deref(), Some(""));
        assert_eq!(server.client.get("/whoami").await.body, "nobody");
    }
}

/// R77: marks from before the load are applied to what is loaded.
#[tokio::test]
async fn what_was_marked_before_the_load_is_seen_after_it() {
    for mut server in Server::both() {
        server.client.post("/do?marks=login:alice,put:v:old").await;
        let answer = server.client.post("/mark-then-look").await;
        assert_eq!(answer.body, "old+new");
        assert_eq!(server.client.get("/get?k=v").await.body, "old+new");
    }
}

/// R75, R77: a list that knows of a token in the node's memory is not asked for it, lazily or not.
#[tokio::test]
async fn a_look_asks_no_list_that_knows_at_once() {
    for lazily in [false, true] {
        let list = Counted {
            has_copy: true,
            ..Counted::default()
        };
        let asked = Arc::clone(&list.asked);
        let layer = SessionLayer::self_contained(keys(), Endings::shared(list));
        let layer = if lazily { layer.lazily() } else { layer };
        let mut client = Browser::of(app().layer(layer));
        client.post("/do?marks=login:alice").await;
        let ended = client.jar.clone();
        assert_eq!(client.get("/whoami").await.body, "alice@1");
        assert_eq!(asked.load(SeqCst), 0, "lazily: {lazily}");
        client.post("/do?marks=logout").await;
        client.jar = ended;
        assert_eq!(client.get("/whoami").await.body, "nobody");
        assert_eq!(asked.load(SeqCst), 1, "what is not at hand is asked");
    }
}

/// R77: it reads as for nobody, and changes nothing.
#[tokio::test]
async fn a_session_that_is_not_loaded_reads_as_for_nobody() {
    for mut server in Server::both() {
        server.client.post("/do?marks=login:alice").await;
        let (asked, status, body) = server.asked_by("GET", "/unlooked/read").await;
        assert_eq!((asked, status, &*body), (0, StatusCode::OK, "nobody"));
        assert_eq!(server.client.get("/whoami").await.body, "alice@1");
    }
}

/// R77: a route that looks is refused while the store is down, and the layer answers; one that never looks works.
#[tokio::test]
async fn a_failed_load_fails_what_looks_and_nothing_else() {
    let store = FaultyStore::new(MemoryStore::new());
    let events = Events::default();
    let layer = SessionLayer::new(keys())
        .with_store(store.clone())
        .lazily()
        .with_observer(events.clone())
        .on_failure(|error| {
            let mut response = Response::new(Body::from("please try again"));
            *response.status_mut() = error.status();
            response
        });
    let swallows = get(async |mut request: Request<Body>| {
        let session = Session::load(&mut request).await;
        format!("went on: {}", session.is_err())
    });
    let app = app().route("/swallows", swallows).layer(layer);
    let mut client = Browser::of(app);
    client.post("/do?marks=login:alice").await;
    store.fail(StoreOperation::Load, 100, 0);
    for path in [
        "/whoami",
        "/user",
        "/maybe",
        "/strong",
        "/guarded",
        "/swallows",
    ] {
        events.take();
        let answer = client.get(path).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert_eq!(answer.body, "please try again", "{path}");
        assert_eq!(answer.cookie(SESSION), None);
        assert_eq!(events.take(), [EventKind::StoreFailedLoad], "{path}");
    }
    for path in ["/csrf", "/unlooked/logout", "/unlooked/login"] {
        let answer = client.post(path).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
    }
    assert_eq!(client.get("/plain").await.body, "plain");
    store.fail(StoreOperation::Load, 0, 0);
    assert_eq!(client.get("/whoami").await.body, "alice@1");
}

/// R77: a logout that was marked without a look takes effect though its client leaves.
#[tokio::test]
async fn a_client_that_leaves_loses_no_unlooked_logout() {
    for mut server in Server::both() {
        server.client.post("/do?marks=login:alice").await;
        let hold = Stop::default();
        let stop = hold.clone();
        let handler = post(async move |request: Request<Body>| {
            request.extensions().get::<Session>().unwrap().logout();
            stop.here().await;
        });
        let app = Router::new().route("/leave", handler);
        let app = app.layer(server.layer.clone());
        let request = server.client.request("POST", "/leave");
        let answer = tokio::spawn(app.oneshot(request));
        hold.reached.notified().await;
        answer.abort();
        let _ = answer.await;
        let drained = server.layer.drain(Duration::from_secs(5)).await;
        assert!(drained.is_complete());
        assert_eq!(server.client.get("/whoami").await.body, "nobody");
    }
}
