//! Data for one use, data that expires, and what clears a session.

#![cfg(all(feature = "axum", feature = "testing"))]

mod common;

use std::time::Duration;

use axum::{
    Router,
    extract::Path,
    routing::{get, post},
};
use common::{
    Answer, AnyLayer, Client, Events, GUEST, SESSION, Stop, app, both_modes, clock, keys,
};
use tower_session_guard::{DataKey, EventKind, Session, SessionLayer, testing::ManualClock};

const ONCE: DataKey<String> = DataKey::new("once").once();
const MINUTE: DataKey<String> = DataKey::new("minute").expiring(Duration::from_secs(60));
const BOTH: DataKey<String> = DataKey::new("both")
    .expiring(Duration::from_secs(60))
    .once();
const ORDINARY: DataKey<String> = DataKey::new("ordinary");

fn key(name: &str) -> DataKey<String> {
    let keys = [ONCE, MINUTE, BOTH, ORDINARY];
    keys.into_iter().find(|key| key.name() == name).unwrap()
}

async fn put(Path((name, value)): Path<(String, String)>, session: Session) {
    session.insert(&key(&name), &*value).unwrap();
}

async fn read(Path(name): Path<String>, session: Session) -> String {
    session.get(&key(&name)).unwrap().unwrap_or_default()
}

async fn take(Path(name): Path<String>, session: Session) -> String {
    session.take(&key(&name)).unwrap().unwrap_or_default()
}

async fn append(Path(name): Path<String>, session: Session) {
    session
        .update(&key(&name), |text| Some(text.unwrap_or_default() + "+"))
        .unwrap();
}

/// An application, and a browser with one session in it.
struct Browser {
    client: Client,
    clock: ManualClock,
    events: Events,
    cookie: Option<(&'static str, String)>,
}

impl Browser {
    fn of(layer: AnyLayer) -> Self {
        let (stop, clock, events) = (Stop::default(), clock(), Events::default());
        let slow = stop.clone();
        let take_slowly = async move |name: Path<String>, session: Session| {
            let taken = take(name, session).await;
            slow.here().await;
            taken
        };
        let routes = app(stop.clone())
            .route("/put/{name}/{value}", post(put))
            .route("/read/{name}", get(read))
            .route("/take/{name}", post(take))
            .route("/take-slowly/{name}", post(take_slowly))
            .route("/append/{name}", post(append))
            .route("/clear", post(async |session: Session| session.clear()))
            .route(
                "/empty",
                get(async |session: Session| session.is_empty().to_string()),
            );
        let layer = layer
            .with_clock(clock.clone())
            .with_observer(events.clone());
        Self {
            client: Client::around(Router::layer(routes, layer)).stopping_at(&stop),
            clock,
            events,
            cookie: None,
        }
    }

    fn each() -> [Self; 2] {
        both_modes().map(Self::of)
    }

    fn cookies(&self) -> Vec<(&'static str, &str)> {
        let cookie = self.cookie.as_ref();
        cookie
            .map(|(name, value)| (*name, &**value))
            .into_iter()
            .collect()
    }

    fn hear(&mut self, answer: Answer) -> String {
        for name in [SESSION, GUEST] {
            match answer.cookie(name) {
                Some(value) if value.is_empty() => {
                    self.cookie.take_if(|(kept, _)| *kept == name);
                }
                Some(value) => self.cookie = Some((name, value)),
                None => {}
            }
        }
        assert_eq!(answer.status, 200);
        answer.body
    }

    async fn post(&mut self, path: &str) -> String {
        let answer = self.client.post(path, &self.cookies()).await;
        self.hear(answer)
    }

    async fn get(&mut self, path: &str) -> String {
        let answer = self.client.get(path, &self.cookies()).await;
        self.hear(answer)
    }

    async fn login(&mut self, user: &str) {
        self.post(&format!("/do?marks=login:{user}")).await;
    }
}

#[tokio::test]
async fn a_value_for_one_use_is_taken_once() {
    for mut browser in Browser::each() {
        for user in [None, Some("alice")] {
            if let Some(user) = user {
                browser.login(user).await;
            }
            browser.post("/put/once/v").await;
            browser.post("/put/ordinary/w").await;
            assert_eq!(browser.get("/read/once").await, "v", "a look leaves it");
            assert_eq!(browser.post("/take/once").await, "v");
            assert_eq!(browser.post("/take/once").await, "");
            assert_eq!(browser.get("/read/ordinary").await, "w");
            // Any value may be taken, and what is not there leaves no session behind.
            assert_eq!(browser.post("/take/ordinary").await, "w");
        }
        browser.post("/do?marks=logout").await;
        assert_eq!(browser.post("/take/once").await, "");
        assert!(browser.cookie.is_none());
    }
}

#[tokio::test]
async fn a_guests_session_ends_with_the_last_value_that_is_taken() {
    for mut browser in Browser::each() {
        browser.post("/put/once/v").await;
        browser.events.take();
        assert_eq!(browser.post("/take/once").await, "v");
        assert_eq!(browser.events.take(), [EventKind::GuestEnded]);
        assert!(browser.cookie.is_none());
    }
}

#[tokio::test]
async fn an_expiring_value_is_there_for_its_time() {
    for mut browser in Browser::each() {
        browser.login("alice").await;
        for name in ["minute", "both"] {
            browser.post(&format!("/put/{name}/v")).await;
            browser.clock.advance(Duration::from_millis(59_999));
            assert_eq!(browser.get(&format!("/read/{name}")).await, "v");
            assert_eq!(browser.get("/empty").await, "false");
            browser.clock.advance(Duration::from_millis(1));
            assert_eq!(browser.get(&format!("/read/{name}")).await, "");
            assert_eq!(browser.post(&format!("/take/{name}")).await, "");
            assert_eq!(browser.get("/empty").await, "true");
            // An update finds nothing, and what it puts in has its own time.
            browser.post(&format!("/append/{name}")).await;
            browser.clock.advance(Duration::from_secs(59));
            browser.post(&format!("/append/{name}")).await;
            browser.clock.advance(Duration::from_secs(59));
            assert_eq!(browser.post(&format!("/take/{name}")).await, "++");
        }
        assert_eq!(browser.get("/empty").await, "true");
    }
}

/// R04, A18: whatever a planted session brought for one use, or for a time, is gone after the login.
#[tokio::test]
async fn no_login_leaves_short_lived_data() {
    for mut browser in Browser::each() {
        for user in ["alice", "alice", "bob"] {
            for name in ["once", "minute", "both"] {
                browser.post(&format!("/put/{name}/v")).await;
            }
            browser.login(user).await;
            for name in ["once", "minute", "both"] {
                assert_eq!(browser.get(&format!("/read/{name}")).await, "", "{user}");
            }
        }
        // An elevation and a renewal keep it.
        browser.post("/put/once/v").await;
        browser.post("/do?marks=elevate").await;
        browser.post("/do?marks=renew").await;
        assert_eq!(browser.post("/take/once").await, "v");
    }
}

/// Of two that take a value at the same time, one gets it; the other's answer is withheld.
#[tokio::test]
async fn with_a_store_one_of_parallel_requests_takes_the_value() {
    for meanwhile in ["/take/once", "/put/once/w", "/append/once"] {
        let mut browser = Browser::of(SessionLayer::new(keys()).into_any());
        browser.login("alice").await;
        browser.post("/put/once/v").await;
        let cookies = browser.cookies();
        let slow = browser.client.post("/take-slowly/once", &cookies);
        let rest = async {
            browser.client.stop.reached.notified().await;
            let answer = browser.client.post(meanwhile, &cookies).await;
            browser.client.stop.go_on.notify_one();
            answer
        };
        let (late, first) = tokio::join!(slow, rest);
        assert_eq!((first.status.as_u16(), late.status.as_u16()), (200, 503));
        assert_eq!(late.body, "");
        assert!(browser.events.take().contains(&EventKind::UpdateFailed));
    }
}

#[tokio::test]
async fn a_session_can_be_cleared() {
    for mut browser in Browser::each() {
        assert_eq!(browser.get("/empty").await, "true");
        for user in [None, Some("alice")] {
            if let Some(user) = user {
                browser.login(user).await;
            }
            for name in ["once", "minute", "ordinary"] {
                browser.post(&format!("/put/{name}/v")).await;
            }
            assert_eq!(browser.get("/empty").await, "false");
            browser.post("/clear").await;
            assert_eq!(browser.get("/empty").await, "true");
            assert_eq!(browser.cookie.is_some(), user.is_some());
        }
        assert_eq!(browser.client.whoami(&browser.cookies()).await, "alice@1");
    }
}
