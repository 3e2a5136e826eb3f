//! The application under its layer, and what is done to it.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, Response, StatusCode, header},
};
use metrics::{app, counts::EventCounts, prometheus};
use tower::ServiceExt;
use tower_session_guard::{
    KeyRing, MemoryStore, Observer, SessionEvent, SessionLayer, testing::FaultyStore,
};

/// A subject that stands out.
pub(crate) const SUBJECT: &str = "alice@example.org";

/// Counts, and keeps the events for the test.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watched {
    pub(crate) counts: EventCounts,
    pub(crate) events: Arc<Mutex<Vec<SessionEvent>>>,
}

impl Observer for Watched {
    fn observe(&self, event: &SessionEvent) {
        self.counts.observe(event);
        self.events.lock().unwrap().push(event.clone());
    }
}

/// The application and its metrics.
pub(crate) struct Site {
    app: Router,
    metrics: Router,
    store: FaultyStore<MemoryStore>,
    pub(crate) watched: Watched,
}

impl Site {
    pub(crate) fn new() -> Self {
        let watched = Watched::default();
        let store = FaultyStore::new(MemoryStore::new());
        let sessions = SessionLayer::new(KeyRing::generate().unwrap())
            .with_store(store.clone())
            .with_observer(watched.clone());
        let registry = prometheus::registry(watched.counts.clone());
        Self {
            app: app::router(sessions),
            metrics: prometheus::router(registry, store.clone()),
            store,
            watched,
        }
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        cookie: &str,
        form: &str,
    ) -> Response<Body> {
        let request = Request::builder().method(method).uri(path);
        let request = request.header(header::COOKIE, cookie);
        let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let request = request.body(Body::from(form.to_owned())).unwrap();
        self.app.clone().oneshot(request).await.unwrap()
    }

    pub(crate) async fn get(&self, cookie: &str) -> StatusCode {
        self.send("GET", "/", cookie, "").await.status()
    }

    pub(crate) async fn login(&self, cookie: &str, password: &str) -> Option<String> {
        let form = format!("name={SUBJECT}&password={password}");
        let answer = self.send("POST", "/login", cookie, &form).await;
        let cookie = answer.headers().get(header::SET_COOKIE)?.to_str().unwrap();
        cookie.split(';').next().map(ToOwned::to_owned)
    }

    /// Logins, a wrong password, a logout, forged and dead tokens, and a store that fails.
    pub(crate) async fn is_used_and_attacked(&self) {
        assert_eq!(self.login("", "wrong").await, None);
        let first = self.login("", "demo").await.unwrap();
        let second = self.login(&first, "demo").await.unwrap();
        assert_eq!(self.get(&first).await, StatusCode::UNAUTHORIZED);
        assert_eq!(self.get(&second).await, StatusCode::OK);

        let (name, _) = second.split_once('=').unwrap();
        let made_up = format!("{name}=made-up");
        assert_eq!(self.get(&made_up).await, StatusCode::UNAUTHORIZED);
        // Another letter in the middle of the token, where each counts.
        let mut forged = second.clone().into_bytes();
        let middle = name.len() + 12;
        forged[middle] = if forged[middle] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(forged).unwrap();
        assert_eq!(self.get(&forged).await, StatusCode::UNAUTHORIZED);

        self.store.fail("load".parse().unwrap(), 2, 0);
        for _ in 0..2 {
            let failed = self.get(&second).await;
            assert_eq!(failed, StatusCode::SERVICE_UNAVAILABLE);
        }
        let ended = self.send("POST", "/logout", &second, "").await;
        assert_eq!(ended.status(), StatusCode::NO_CONTENT);
        self.login("", "demo").await.unwrap();
    }

    pub(crate) async fn page(&self) -> String {
        page(&self.metrics).await
    }
}

pub(crate) async fn page(metrics: &Router) -> String {
    let request = Request::get("/metrics").body(Body::empty()).unwrap();
    let answer = metrics.clone().oneshot(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let media_type = answer.headers()[header::CONTENT_TYPE].to_str().unwrap();
    assert!(media_type.starts_with("application/openmetrics-text; version=1.0.0"));
    let bytes = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}
