//! Two nodes with the session layer around one service, and copies that are behind.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use http::{Request, Response, header};
use tokio::time::sleep;
use tower::{ServiceExt, service_fn};
use tower_session_guard::{
    AssuranceLevel, EventKind, KeyRing, Observer, Session, SessionEvent, SessionLayer,
    testing::{FaultyStore, StoreOperation},
};

use super::{LEASE, MILLISECOND, bounded};
use crate::{
    cached::Cached,
    clock::SteadyClock,
    fake::{Node, Path, Server},
    options::CacheOptions,
};

#[derive(Clone, Debug, Default)]
struct Events(Arc<Mutex<Vec<EventKind>>>);

impl Observer for Events {
    fn observe(&self, event: &SessionEvent) {
        self.0.lock().unwrap().push(event.kind);
    }
}

/// A node of an application: the cache outside, the store that counts inside.
struct App {
    cache: Cached<FaultyStore<Node>>,
    node: Node,
    layer: SessionLayer,
    events: Events,
}

impl App {
    async fn new(server: &Server) -> Self {
        let (node, events) = (server.node(), Events::default());
        let clock = SteadyClock::Tokio(tokio::time::Instant::now());
        let store = FaultyStore::new(node.clone());
        let cache = Cached::start_by(clock, store, bounded(), CacheOptions::new());
        let keys = KeyRing::from_bytes([*b"an unguessable key of 32 bytes!!"]).unwrap();
        let layer = SessionLayer::new(keys)
            .with_store(cache.clone())
            .with_observer(events.clone());
        while !cache.stats().is_live() {
            sleep(MILLISECOND).await;
        }
        Self {
            cache,
            node,
            layer,
            events,
        }
    }
}

impl App {
    /// Sends a request with this cookie, whose handler does `marks`. Tells whose it was, and its new cookie.
    async fn send(
        &self,
        cookie: &str,
        marks: impl Fn(&Session) + Clone + Send + 'static,
    ) -> (Option<String>, Option<String>) {
        let handler = service_fn(move |request: Request<()>| {
            let session = request.extensions().get::<Session>().cloned().unwrap();
            let who = session.subject().map(|subject| subject.to_string());
            marks(&session);
            async move { Ok::<_, Infallible>(Response::new(who.unwrap_or_default())) }
        });
        let request = Request::builder().header(header::COOKIE, cookie);
        let service = tower::Layer::layer(&self.layer, handler);
        let answer = service.oneshot(request.body(()).unwrap()).await.unwrap();
        let set = answer.headers().get(header::SET_COOKIE);
        let set = set.map(|set| set.to_str().unwrap().split(';').next().unwrap().to_owned());
        (Some(answer.into_body()).filter(|who| !who.is_empty()), set)
    }

    fn loads(&self) -> u64 {
        self.cache.store().calls(StoreOperation::Load)
    }
}

const NOTHING: fn(&Session) = |_| {};

/// A request whose session has a copy asks the server nothing.
#[tokio::test(start_paused = true)]
async fn a_request_with_a_copy_costs_no_load() {
    let server = Server::new();
    let app = App::new(&server).await;
    let (_, token) = app.send("", |session| session.login("alice")).await;
    let token = token.unwrap();
    sleep(MILLISECOND).await;
    let (who, _) = app.send(&token, NOTHING).await;
    assert_eq!(who.as_deref(), Some("alice"));
    let before = app.loads();
    for _ in 0..10 {
        assert_eq!(app.send(&token, NOTHING).await.0, who);
    }
    assert_eq!(app.loads(), before);
}

/// R03, A27: a copy that is behind knows neither a newer token nor that one was replaced. It refuses nothing, ends
/// nothing and tells of no reuse; the server decides.
#[tokio::test(start_paused = true)]
async fn a_copy_that_is_behind_never_refuses_and_is_never_told_of_as_reuse() {
    let server = Server::new();
    let (a, b) = (App::new(&server).await, App::new(&server).await);
    let marks: [fn(&Session); 2] = [
        |session| session.elevate(AssuranceLevel::AAL2),
        Session::renew,
    ];
    for mark in marks {
        let (_, token) = a.send("", |session| session.login("alice")).await;
        let token = token.unwrap();
        assert_eq!(b.send(&token, NOTHING).await.0.as_deref(), Some("alice"));
        // What b is told comes later than the client does.
        b.node.set_path(Path::Slow(LEASE / 4));
        let (_, newer) = a.send(&token, mark).await;
        let newer = newer.unwrap();
        let hits = b.cache.stats().hits();
        assert_eq!(b.send(&token, NOTHING).await.0.as_deref(), Some("alice"));
        assert_eq!(b.cache.stats().hits(), hits + 1);
        for _ in 0..2 {
            assert_eq!(b.send(&newer, NOTHING).await.0.as_deref(), Some("alice"));
        }
        assert_eq!(a.send(&newer, NOTHING).await.0.as_deref(), Some("alice"));
        b.node.set_path(Path::Open);
        sleep(LEASE).await;
        assert_eq!(b.send(&newer, NOTHING).await.0.as_deref(), Some("alice"));
    }
    let events = b.events.0.lock().unwrap().clone();
    let bad = |kind: &&EventKind| format!("{kind:?}").contains("Reuse");
    assert_eq!(events.iter().find(bad), None, "{events:?}");
}

/// R05, R66: a logout on one node holds on the other.
#[tokio::test(start_paused = true)]
async fn a_logout_on_one_node_ends_the_session_on_the_other() {
    let server = Server::new();
    let (a, b) = (App::new(&server).await, App::new(&server).await);
    let (_, token) = a.send("", |session| session.login("alice")).await;
    let token = token.unwrap();
    for _ in 0..2 {
        assert_eq!(b.send(&token, NOTHING).await.0.as_deref(), Some("alice"));
    }
    let _bye = a.send(&token, Session::logout).await;
    sleep(MILLISECOND).await;
    assert_eq!(b.send(&token, NOTHING).await.0, None);
    assert_eq!(a.send(&token, NOTHING).await.0, None);
}

/// What a test counts and fails stands inside of the cache: reads over the feed too.
#[tokio::test(start_paused = true)]
async fn loads_over_a_feed_are_counted_and_fail_on_demand() {
    let server = Server::new();
    let app = App::new(&server).await;
    let (_, token) = app.send("", |session| session.login("alice")).await;
    let token = token.unwrap();
    sleep(MILLISECOND).await;
    let before = app.loads();
    // The load over the feed fails, the one of the store does not.
    app.cache.store().fail(StoreOperation::Load, 1, 0);
    assert_eq!(app.send(&token, NOTHING).await.0.as_deref(), Some("alice"));
    assert_eq!(app.loads(), before + 2);
    assert_eq!(app.cache.stats().entries(), 0);
}
