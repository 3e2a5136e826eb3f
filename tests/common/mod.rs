//! An application with a route for every mark, and a client that keeps what it is given.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test binary uses its own part"
)]

pub mod gated;
pub mod list;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Body,
    extract::{Query, State},
    http::{HeaderMap, Request, Response, StatusCode, header},
    routing::{get, post},
};
use http_body_util::BodyExt;
use tower::ServiceExt;
use tower_session_guard::{
    AnyBackend, AssuranceLevel, Clock, DataError, DataKey, EmptyFailure, Endings, EventKind,
    KeyRing, Observer, SelfContained, Session, SessionEvent, SessionLayer, Timestamp,
    testing::ManualClock,
};

pub const SESSION: &str = "__Host-Http-session";
pub const GUEST: &str = "__Host-Http-session-guest";

pub type Parameters = BTreeMap<String, String>;

/// Keeps events for a test to look at.
#[derive(Clone, Debug, Default)]
pub struct Events(Arc<Mutex<Vec<SessionEvent>>>);

impl Observer for Events {
    fn observe(&self, event: &SessionEvent) {
        self.0.lock().unwrap().push(event.clone());
    }
}

impl Events {
    /// The kinds told since the last call.
    pub fn take(&self) -> Vec<EventKind> {
        let events = std::mem::take(&mut *self.0.lock().unwrap());
        events.iter().map(|event| event.kind).collect()
    }

    pub fn all(&self) -> Vec<SessionEvent> {
        self.0.lock().unwrap().clone()
    }
}

/// The same key ring whenever a test asks for one.
pub fn keys() -> KeyRing {
    KeyRing::from_bytes([*b"an unguessable key of 32 bytes!!"]).unwrap()
}

/// A layer of any backend: what holds in both modes is tested with it.
pub type AnyLayer = SessionLayer<EmptyFailure, AnyBackend>;

/// A layer of self-contained tokens whose endings this process remembers.
pub fn self_contained() -> SessionLayer<EmptyFailure, SelfContained> {
    SessionLayer::self_contained(keys(), Endings::this_process())
}

/// A layer of self-contained tokens, then one of sessions in a store.
pub fn both_modes() -> [AnyLayer; 2] {
    both_modes_under(&keys())
}

/// The same under these keys.
pub fn both_modes_under(keys: &KeyRing) -> [AnyLayer; 2] {
    let self_contained = SessionLayer::self_contained(keys.clone(), Endings::this_process());
    let stored = SessionLayer::new(keys.clone());
    [self_contained.into_any(), stored.into_any()]
}

pub fn clock() -> ManualClock {
    ManualClock::starting_at(Timestamp::from_unix_seconds(1_800_000_000))
}

/// A stop in a handler: the test waits until the handler has reached it, and then lets it go on.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    pub reached: Arc<tokio::sync::Notify>,
    pub go_on: Arc<tokio::sync::Notify>,
}

impl Stop {
    pub async fn here(&self) {
        self.reached.notify_one();
        self.go_on.notified().await;
    }
}

/// `POST /do?marks=…[&stop=before|after][&status=N]` carries out marks as the testbed's `/marks` does.
pub fn app(stop: Stop) -> Router {
    Router::new()
        .route("/public", get(|| async { "public" }))
        .route(
            "/whoami",
            get(|session: Session| async move { whoami(&session) }),
        )
        .route("/get", get(read))
        .route("/do", post(carry_out))
        .with_state(stop)
}

async fn read(session: Session, Query(parameters): Query<Parameters>) -> String {
    let key = DataKey::<String>::named(&*parameters["k"]).unwrap();
    session.get(&key).unwrap().unwrap_or_default()
}

async fn carry_out(
    session: Session,
    State(stop): State<Stop>,
    Query(parameters): Query<Parameters>,
) -> (StatusCode, String) {
    let at = parameters.get("stop").map(String::as_str);
    if at == Some("before") {
        stop.here().await;
    }
    apply(&session, &parameters["marks"]);
    if at == Some("after") {
        stop.here().await;
    }
    assert_ne!(at, Some("panic"), "asked to");
    let status = parameters
        .get("status")
        .map_or(200, |status| status.parse().unwrap());
    (StatusCode::from_u16(status).unwrap(), whoami(&session))
}

pub fn whoami(session: &Session) -> String {
    let level = session.level().map_or(0, AssuranceLevel::get);
    match session.subject() {
        Some(subject) => format!("{subject}@{level}"),
        None => "nobody".to_owned(),
    }
}

pub fn apply(session: &Session, marks: &str) {
    for mark in marks.split(',').filter(|mark| !mark.is_empty()) {
        let words: Vec<_> = mark.split(':').collect();
        let key = |name: &str| DataKey::<String>::named(name).unwrap();
        match words[..] {
            ["login", user] => session.login(user),
            ["elevate"] => session.elevate(AssuranceLevel::AAL2),
            ["elevate", seconds] => {
                let time = std::time::Duration::from_secs(seconds.parse().unwrap());
                session.elevate_for(AssuranceLevel::AAL2, time);
            }
            ["act", user] => session.impersonate(user),
            ["return"] => session.end_impersonation(),
            ["step-down"] => session.step_down(),
            ["renew"] => session.renew(),
            ["logout"] => session.logout(),
            ["put", k, v] => session.insert(&key(k), &v.to_owned()).unwrap(),
            ["carried", k, v] => session.insert(&key(k).carried(), &v.to_owned()).unwrap(),
            ["remove", k] => session.remove(&key(k)),
            ["append", k, v] => append(session, &key(k), v).unwrap(),
            ["clear", k] => session.update(&key(k), |_| None).unwrap(),
            _ => panic!("{mark}"),
        }
    }
}

/// Appends to a list by an update.
pub fn append(session: &Session, key: &DataKey<String>, item: &str) -> Result<(), DataError> {
    let item = item.to_owned();
    session.update(key, move |list| {
        Some(match list {
            Some(list) => format!("{list}+{item}"),
            None => item.clone(),
        })
    })
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    /// Our `Set-Cookie` of this name: its value, empty for a removal.
    #[track_caller]
    pub fn cookie(&self, name: &str) -> Option<String> {
        let set = self.headers.get_all(header::SET_COOKIE).iter();
        let ours: Vec<_> = set
            .filter_map(|value| {
                value
                    .to_str()
                    .unwrap()
                    .split(';')
                    .next()
                    .unwrap()
                    .split_once('=')
            })
            .filter(|(given, _)| *given == name)
            .map(|(_, value)| value.to_owned())
            .collect();
        assert!(ours.len() <= 1, "{ours:?}");
        ours.into_iter().next()
    }

    pub fn sets_nothing(&self) -> bool {
        !self.headers.contains_key(header::SET_COOKIE)
    }
}

/// Sends requests with the cookies it is told to send, and nothing else.
#[derive(Clone, Debug)]
pub struct Client {
    app: Router,
    /// Where handlers stop that were asked to.
    pub stop: Stop,
}

impl Client {
    pub fn of<K: 'static>(layer: SessionLayer<EmptyFailure, K>) -> Self {
        Self::with_stop(layer, Stop::default())
    }

    pub fn with_stop<K: 'static>(layer: SessionLayer<EmptyFailure, K>, stop: Stop) -> Self {
        Self {
            app: app(stop.clone()).layer(layer),
            stop,
        }
    }

    /// Sends to another application than [`app`].
    pub fn around(app: Router) -> Self {
        Self {
            app,
            stop: Stop::default(),
        }
    }

    /// The same where the application's handlers stop at `stop`.
    pub fn stopping_at(self, stop: &Stop) -> Self {
        let stop = stop.clone();
        Self { stop, ..self }
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        collect(self.app.clone().oneshot(request).await.unwrap()).await
    }

    pub async fn get(&self, path: &str, cookies: &[(&str, &str)]) -> Answer {
        self.send(request("GET", path, cookies)).await
    }

    pub async fn post(&self, path: &str, cookies: &[(&str, &str)]) -> Answer {
        self.send(request("POST", path, cookies)).await
    }

    pub async fn mark(&self, marks: &str, cookies: &[(&str, &str)]) -> Answer {
        self.post(&format!("/do?marks={marks}"), cookies).await
    }

    pub async fn whoami(&self, cookies: &[(&str, &str)]) -> String {
        self.get("/whoami", cookies).await.body
    }

    /// Logs in without any cookie and tells the token.
    pub async fn login(&self, user: &str) -> String {
        let answer = self.mark(&format!("login:{user}"), &[]).await;
        answer.cookie(SESSION).expect("a login issues a token")
    }

    /// Puts data without any cookie and tells the guest token.
    pub async fn guest(&self) -> String {
        let answer = self.mark("put:k:planted,carried:locale:de", &[]).await;
        answer.cookie(GUEST).expect("data begins a guest session")
    }
}

pub fn request(method: &str, path: &str, cookies: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in cookies {
        request = request.header(header::COOKIE, format!("{name}={value}"));
    }
    request.body(Body::empty()).unwrap()
}

pub async fn collect(response: Response<Body>) -> Answer {
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    }
}

pub fn now(clock: &ManualClock) -> Timestamp {
    clock.now()
}
