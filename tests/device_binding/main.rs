//! Device binding from outside: a browser that keeps a key, and everybody who does not have it. Row by row as the state machine of a
//! session in DESIGN.md has it.

#![cfg(all(feature = "axum", feature = "dbsc", feature = "testing"))]

mod at_arrival;
mod browser;
mod capabilities;
#[path = "../common/mod.rs"]
mod common;
mod crossing;
mod demand;
mod interplay;
mod list;
mod moves;
mod races;
mod refresh;
mod registration;
mod self_contained;
mod thief;

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Router,
    extract::RawQuery,
    http::{Method, StatusCode},
    routing::{any, get, post},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use browser::{Browser, From};
use common::{AnyLayer, Events, SESSION, Stop, app, clock, gated::Gated, keys, whoami};
use list::Watched;
use tower_session_guard::{
    AnyBackend, AuthenticatedSession, DeviceBinding, Endings, KeyRing, Login, MemoryStore,
    RequireAuthentication, Session, SessionId, SessionLayer, SessionStore, Sessions,
    store::Stored,
    testing::{FaultyStore, ManualClock, claim_for},
};

const BOUND: &str = "__Host-session-bound";
const REGISTER: &str = "/dbsc/register";
const REFRESH: &str = "/dbsc/refresh";

/// An application that binds devices.
struct Node {
    app: Router,
    events: Events,
    store: Arc<FaultyStore<MemoryStore>>,
    clock: ManualClock,
    keys: KeyRing,
    is_lazy: bool,
    /// Where handlers stop that were asked to.
    stop: Stop,
    sessions: Sessions<AnyBackend>,
}

/// Where the application stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    Root,
    /// In a router nested under `/shop`.
    Nested,
}

impl Node {
    fn new() -> Self {
        Self::with(false, At::Root)
    }

    /// Once with a layer that loads before the handler, once with one that loads when somebody looks.
    fn both() -> [Self; 2] {
        [Self::new(), Self::lazy()]
    }

    /// In every mode, and however the layer loads.
    fn all() -> Vec<Self> {
        let mut all = Vec::from(Self::both());
        all.extend(Self::self_contained());
        all
    }

    /// With self-contained tokens: a list in this process, one that answers later, and one that is asked when somebody looks.
    fn self_contained() -> [Self; 3] {
        let shared = || Endings::shared(Watched::default());
        [
            Self::ending_with(Endings::this_process(), false),
            Self::ending_with(shared(), false),
            Self::ending_with(shared(), true),
        ]
    }

    fn ending_with(endings: Endings, is_lazy: bool) -> Self {
        let keys = keys();
        let layer = SessionLayer::self_contained(keys.clone(), endings);
        Self::without_store(keys, layer.into_any(), is_lazy)
    }

    fn without_store(keys: KeyRing, layer: AnyLayer, is_lazy: bool) -> Self {
        // Nothing is kept there.
        let store = Arc::new(FaultyStore::new(MemoryStore::new()));
        Self::around(store, (clock(), keys), layer, is_lazy, At::Root)
    }

    /// With self-contained tokens and a list of which a test holds a call up.
    fn watched(is_lazy: bool) -> (Self, Watched) {
        let list = Watched::default();
        (
            Self::ending_with(Endings::shared(list.clone()), is_lazy),
            list,
        )
    }

    fn lazy() -> Self {
        Self::with(true, At::Root)
    }

    fn with(is_lazy: bool, at: At) -> Self {
        Self::on(FaultyStore::new(MemoryStore::new()), None, is_lazy, at)
    }

    /// On a store of which a test holds a call up.
    fn gated() -> (Self, Gated) {
        let store = Gated::default();
        let faulty = FaultyStore::new(MemoryStore::new());
        let node = Self::on(faulty, Some(store.clone()), false, At::Root);
        (node, store)
    }

    /// With other settings of the layer.
    fn set(is_lazy: bool, settings: impl FnOnce(SessionLayer) -> SessionLayer) -> Self {
        let store = Arc::new(FaultyStore::new(MemoryStore::new()));
        let kept = Arc::clone(&store) as _;
        Self::of(store, kept, (clock(), keys()), is_lazy, At::Root, settings)
    }

    /// Another node that shares store, keys and clock, with other settings of the layer.
    fn beside(&self, settings: impl FnOnce(SessionLayer) -> SessionLayer) -> Self {
        let (store, kept) = (Arc::clone(&self.store), Arc::clone(&self.store) as _);
        let shared = (self.clock.clone(), self.keys.clone());
        Self::of(store, kept, shared, self.is_lazy, At::Root, settings)
    }

    fn on(faulty: FaultyStore<MemoryStore>, gated: Option<Gated>, is_lazy: bool, at: At) -> Self {
        let store = Arc::new(faulty);
        let kept: Arc<dyn SessionStore> = match gated {
            Some(gated) => Arc::new(gated),
            None => Arc::clone(&store) as _,
        };
        Self::of(store, kept, (clock(), keys()), is_lazy, at, |layer| layer)
    }

    fn of(
        store: Arc<FaultyStore<MemoryStore>>,
        kept: Arc<dyn SessionStore>,
        shared: (ManualClock, KeyRing),
        is_lazy: bool,
        at: At,
        settings: impl FnOnce(SessionLayer) -> SessionLayer,
    ) -> Self {
        let layer = SessionLayer::new(shared.1.clone()).with_shared_store(kept);
        Self::around(store, shared, settings(layer).into_any(), is_lazy, at)
    }

    fn around(
        store: Arc<FaultyStore<MemoryStore>>,
        (clock, keys): (ManualClock, KeyRing),
        layer: AnyLayer,
        is_lazy: bool,
        at: At,
    ) -> Self {
        let (events, stop) = (Events::default(), Stop::default());
        let layer = layer
            .with_clock(clock.clone())
            .with_observer(events.clone())
            .with_device_binding(DeviceBinding::new("/dbsc"))
            .unwrap();
        let layer = if is_lazy { layer.lazily() } else { layer };
        let bound = |session: Session| async move {
            let bound = if session.is_bound() { " bound" } else { "" };
            format!("{}{bound}", whoami(&session))
        };
        let guard = RequireAuthentication::new().bound();
        let lately = RequireAuthentication::new().bound_within(Duration::from_secs(120));
        let sessions = layer.sessions();
        let others = sessions.clone();
        let end_others = |user: AuthenticatedSession| async move {
            let ended = others.in_store().unwrap().end_others(&user).await;
            format!("{:?}", ended.unwrap())
        };
        let mut app = app(stop.clone())
            .route("/end-others", post(end_others))
            .route("/bound", get(bound))
            .route("/wait", get(wait))
            .route("/guarded", get(|| async { "welcome" }).layer(guard))
            .route(
                "/lately",
                any(|method: Method| async move { format!("{method}") }).layer(lately),
            )
            .route("/login-unlooked", post(login_unlooked))
            .route("/login-expecting", post(login_expecting))
            .route("/login-remembered", post(login_remembered));
        if at == At::Nested {
            app = app.fallback(|| async { StatusCode::NOT_FOUND });
        }
        let mut app = app.layer(layer.device_endpoints().unwrap()).layer(layer);
        if at == At::Nested {
            app = Router::new().nest("/shop", app);
        }
        Self {
            app,
            events,
            store,
            clock,
            keys,
            is_lazy,
            stop,
            sessions,
        }
    }

    fn nested_as_a_service() -> Self {
        let node = Self::new();
        let app = Router::new().nest_service("/shop", node.app.clone());
        Self { app, ..node }
    }

    fn browser(&self) -> Browser {
        Browser::new(self.app.clone(), &self.clock)
    }

    /// A browser that has logged alice in and registered its key.
    async fn bound(&self) -> Browser {
        let mut browser = self.browser();
        browser.mark("login:alice").await;
        assert_eq!(browser.register().await, [200]);
        browser
    }

    fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// The id of the session that the last login began.
    fn last_login(&self) -> SessionId {
        let events = self.events.all();
        let began = events.iter().rev().find(|event| {
            ["logged_in", "reauthenticated", "subject_switched"].contains(&event.kind.as_str())
        });
        let began = began.unwrap();
        began.successor.or(began.session).unwrap()
    }

    async fn stored(&self, id: &SessionId) -> Option<Stored> {
        let claim = claim_for(id, [0; 16]);
        self.store
            .load((&claim).into(), common::now(&self.clock))
            .await
            .unwrap()
    }
}

/// Answers once the session has ended, with the cause.
async fn wait(session: AuthenticatedSession) -> String {
    format!("{:?}", session.ended().await)
}

/// Logs alice in on the device whose key has the thumbprint that the query is.
async fn login_expecting(session: Session, RawQuery(thumbprint): RawQuery) {
    let thumbprint = URL_SAFE_NO_PAD.decode(thumbprint.unwrap()).unwrap();
    session.login(Login::new("alice").bound_to(thumbprint.try_into().unwrap()));
}

/// Logs alice in without a look at what came.
async fn login_unlooked(Extension(session): Extension<Session>) {
    session.login("alice");
}

async fn login_remembered(session: Session) {
    session.login(Login::new("alice").remembered());
}

/// Asks with these cookies and nothing else.
async fn replayed(node: &Node, cookies: &[(&str, &str)]) -> String {
    common::Client::around(node.app.clone())
        .get("/bound", cookies)
        .await
        .body
}
