//! An application behind its session layer, its logout endpoint, and a provider.

use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::Query,
    http::{HeaderMap, Request, StatusCode, header},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::Value;
use test_support::{SESSION, keys};
use tower::ServiceExt;
use tower_session_guard::{
    AnyBackend, Clock, EmptyFailure, Endings, Login, MemoryStore, Session, SessionLayer,
    store::revocation::MemoryRevocations,
    testing::{FaultyStore, ManualClock},
};
use tower_session_guard_oidc::{BackchannelLogout, ProviderKeys, session_tag};

use crate::signer::{Signer, claims, jwks};

pub const ISSUER: &str = "https://idp.example";
pub const CLIENT: &str = "our-client-id";
pub const SID: &str = "session-at-the-provider";

/// What the provider publishes as its keys.
#[derive(Clone, Default)]
pub struct Published {
    document: Arc<Mutex<Option<String>>>,
    asked: Arc<AtomicUsize>,
}

impl Published {
    pub fn set(&self, document: impl Into<String>) {
        *self.document.lock().unwrap() = Some(document.into());
    }

    /// The provider does not answer any more.
    pub fn withdraw(&self) {
        *self.document.lock().unwrap() = None;
    }

    /// How often the provider was asked.
    pub fn asked(&self) -> usize {
        self.asked.load(SeqCst)
    }

    pub fn keys(&self) -> ProviderKeys {
        let published = self.clone();
        ProviderKeys::fetched_by(move || {
            published.asked.fetch_add(1, SeqCst);
            let document = published.document.lock().unwrap().clone();
            async move {
                // Others may run before the answer is there.
                tokio::task::yield_now().await;
                document.ok_or_else(|| io::Error::from(io::ErrorKind::ConnectionRefused))
            }
        })
    }
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

/// An application, and the provider that it trusts.
#[derive(Clone)]
pub struct World {
    pub clock: ManualClock,
    pub provider: Arc<Signer>,
    pub published: Published,
    pub sessions: SessionLayer<EmptyFailure, AnyBackend>,
    pub store: Option<FaultyStore<MemoryStore>>,
    pub logout: BackchannelLogout,
    tokens: Arc<AtomicUsize>,
}

impl World {
    /// One with sessions in a store.
    pub fn new() -> Self {
        Self::signing_with(Signer::es256("one"))
    }

    pub fn signing_with(provider: Signer) -> Self {
        let store = FaultyStore::new(MemoryStore::new());
        let sessions = SessionLayer::new(keys())
            .with_store(store.clone())
            .into_any();
        Self::of(sessions, Some(store), provider)
    }

    /// One with self-contained tokens.
    pub fn self_contained() -> Self {
        let sessions = SessionLayer::self_contained(keys(), Endings::this_process()).into_any();
        Self::of(sessions, None, Signer::es256("one"))
    }

    pub fn both() -> [Self; 2] {
        [Self::new(), Self::self_contained()]
    }

    /// Two nodes with self-contained tokens, which share the list of those that ended.
    pub fn nodes() -> [Self; 2] {
        let list = MemoryRevocations::new();
        let layer = || SessionLayer::self_contained(keys(), Endings::shared(list.clone()));
        let node = Self::of(layer().into_any(), None, Signer::es256("one"));
        let other = Self {
            sessions: layer().into_any().with_clock(node.clock.clone()),
            ..node.clone()
        };
        let keys = other.published.keys();
        [node, other.with_keys(keys)]
    }

    fn of(
        sessions: SessionLayer<EmptyFailure, AnyBackend>,
        store: Option<FaultyStore<MemoryStore>>,
        provider: Signer,
    ) -> Self {
        let clock = test_support::clock();
        let sessions = sessions.with_clock(clock.clone());
        let published = Published::default();
        published.set(jwks([&provider]));
        let logout = BackchannelLogout::new(ISSUER, CLIENT, published.keys(), sessions.sessions());
        Self {
            logout: logout.unwrap().with_clock(clock.clone()),
            clock,
            provider: Arc::new(provider),
            published,
            sessions,
            store,
            tokens: Arc::default(),
        }
    }

    /// Another setting of the endpoint.
    pub fn with(mut self, change: impl FnOnce(BackchannelLogout) -> BackchannelLogout) -> Self {
        self.logout = change(self.logout);
        self
    }

    /// The same endpoint with other keys.
    pub fn with_keys(self, keys: ProviderKeys) -> Self {
        let sessions = self.sessions.sessions();
        let logout = BackchannelLogout::new(ISSUER, CLIENT, keys, sessions).unwrap();
        let clock = self.clock.clone();
        self.with(|_| logout.with_clock(clock))
    }

    pub fn app(&self) -> Router {
        Router::new()
            .route("/login", post(login))
            .route("/whoami", get(whoami))
            .layer(self.sessions.clone())
            .route_service("/backchannel-logout", self.logout.clone())
    }

    pub fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    pub fn now(&self) -> u64 {
        self.clock.now().as_unix_seconds()
    }

    /// Claims that are in order, with a `jti` that no other token has.
    pub fn claims(&self) -> Value {
        let jti = format!("token-{}", self.tokens.fetch_add(1, SeqCst));
        claims(ISSUER, CLIENT, self.now(), &jti)
    }

    /// The same with another value for a claim, or without it.
    pub fn claims_with(&self, name: &str, value: Option<Value>) -> Value {
        let mut claims = self.claims();
        match value {
            Some(value) => claims[name] = value,
            None => drop(claims.as_object_mut().unwrap().remove(name)),
        }
        claims
    }

    /// A token that is in order.
    pub fn token(&self) -> String {
        self.provider.token(&self.claims())
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.app().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    /// The provider sends `token`.
    pub async fn log_out(&self, token: &str) -> Answer {
        self.send(form(format!("logout_token={token}"))).await
    }

    pub async fn status(&self, token: &str) -> u16 {
        self.log_out(token).await.status.as_u16()
    }

    /// A login that came from the provider's session `sid`, as the value of its cookie.
    pub async fn login(&self, user: &str, sid: &str) -> String {
        let path = format!("/login?user={user}&sid={sid}");
        let request = Request::post(path).body(Body::empty()).unwrap();
        let answer = self.send(request).await;
        let set = answer.headers[header::SET_COOKIE].to_str().unwrap();
        set.split(';').next().unwrap().to_owned()
    }

    pub async fn who(&self, cookie: &str) -> String {
        assert!(cookie.starts_with(SESSION));
        let request = Request::get("/whoami").header(header::COOKIE, cookie);
        self.send(request.body(Body::empty()).unwrap()).await.body
    }

    /// Lets the next calls of an operation of the store fail.
    pub fn fail(&self, operation: &str, times: u64) {
        let operation = operation.parse().unwrap();
        self.store.as_ref().unwrap().fail(operation, times, 0);
    }
}

/// A form as a provider sends it.
pub fn form(body: impl Into<Body>) -> Request<Body> {
    Request::post("/backchannel-logout")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(body.into())
        .unwrap()
}

#[derive(Deserialize)]
struct Who {
    user: String,
    sid: String,
}

async fn login(session: Session, Query(who): Query<Who>) {
    session.login(Login::new(who.user).tagged(session_tag(ISSUER, &who.sid)));
}

async fn whoami(session: Session) -> String {
    let user = session.authenticated();
    user.map_or_else(|| "nobody".to_owned(), |user| user.subject().to_string())
}
