//! What counts as a look at the session: only a look or a mark writes, and only a look is activity.

#![cfg(all(feature = "axum", feature = "testing"))]

mod common;

use std::time::Duration;

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode, header, request::Parts},
    response::IntoResponse,
    routing::{get, post},
};
use common::{
    Answer, AnyLayer, Client, Events, GUEST, SESSION, Stop, both_modes, both_modes_under, clock,
    whoami,
};
use tower_session_guard::{
    AuthenticatedSession, BackgroundLayer, CsrfLayer, DataKey, EventKind, KeyRing, Login,
    RequireAuthentication, Session, SessionPolicy, testing::ManualClock,
};

const V: DataKey<String> = DataKey::new("v");

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// The common application, and routes that look in each of the ways there are, or not at all.
fn app(stop: &Stop) -> Router {
    let slow_read = {
        let stop = stop.clone();
        async move |session: Session| {
            let before = session.get(&V).unwrap();
            stop.here().await;
            before.unwrap_or_default()
        }
    };
    let slow_stylesheet = {
        let stop = stop.clone();
        async move || {
            stop.here().await;
            ([(header::CACHE_CONTROL, STYLESHEET)], "body {}")
        }
    };
    let guarded = get(async || "guarded");
    let background = Router::new()
        .route("/poll", get(async |session: Session| whoami(&session)))
        .route("/poll/put", post(put))
        .route(
            "/poll/renew",
            post(async |session: Session| session.renew()),
        )
        .route("/time-left", get(time_left))
        .layer(BackgroundLayer::new());
    Router::new()
        .route("/slow-read", get(slow_read))
        .route("/slow-style.css", get(slow_stylesheet))
        .route("/put", post(put))
        .route(
            "/style.css",
            get(async || ([(header::CACHE_CONTROL, STYLESHEET)], "body {}")),
        )
        .route("/plain", get(async || "plain"))
        .route("/in-passing", get(in_passing))
        .route("/extracted", get(async |_: Session| "extracted"))
        .route("/user", get(async |_: AuthenticatedSession| "user"))
        .route(
            "/guarded",
            guarded.clone().layer(RequireAuthentication::new()),
        )
        .route("/csrf", post(async || "checked").layer(CsrfLayer::new()))
        .route("/marked", get(marked_in_background))
        .route(
            "/not-modified",
            get(async |_: Session| StatusCode::NOT_MODIFIED),
        )
        .route(
            "/upgrade",
            get(async |_: Session| StatusCode::SWITCHING_PROTOCOLS),
        )
        .route(
            "/upgrade/put",
            get(async |session: Session| {
                session.insert(&V, &"new".to_owned()).unwrap();
                StatusCode::SWITCHING_PROTOCOLS
            }),
        )
        .merge(background)
        .merge(common::app(stop.clone()))
}

const STYLESHEET: &str = "public, max-age=31536000, immutable";

async fn put(session: Session) -> &'static str {
    session.insert(&V, &"new".to_owned()).unwrap();
    "ok"
}

/// Without an extractor, so that nothing else looks.
async fn in_passing(request: Request<Body>) -> String {
    let session = request.extensions().get::<Session>().unwrap();
    let second = |at: tower_session_guard::Timestamp| at.as_unix_seconds();
    let ends = session.expires_at().map(second);
    format!("{ends:?} {:?}", session.idle_expires_at().map(second))
}

async fn time_left(session: Session) -> String {
    format!("{:?} {:?}", session.expires_at(), session.idle_expires_at())
}

async fn marked_in_background(session: Session) -> String {
    let who = whoami(&session);
    session.mark_background();
    who
}

/// One server, its clock and its keys.
struct Server {
    client: Client,
    time: ManualClock,
    keys: KeyRing,
    events: Events,
    stored: bool,
}

const FIRST: [u8; 32] = *b"an unguessable key of 32 bytes!!";
const SECOND: [u8; 32] = *b"another, unguessable, of 32 byte";

impl Server {
    /// Self-contained, then in a store.
    fn both(policy: &SessionPolicy) -> Vec<Self> {
        let mut servers = Vec::new();
        for stored in [false, true] {
            let (time, events) = (clock(), Events::default());
            let keys = KeyRing::from_bytes([FIRST]).unwrap();
            let [tokens, store] = both_modes_under(&keys);
            let layer: AnyLayer = if stored { store } else { tokens };
            let layer = layer
                .with_policy(policy.clone())
                .with_clock(time.clone())
                .with_observer(events.clone());
            let stop = Stop::default();
            let mut client = Client::around(app(&stop).layer(layer));
            client.stop = stop;
            servers.push(Self {
                client,
                time,
                keys,
                events,
                stored,
            });
        }
        servers
    }

    fn replace_key(&self) {
        let ring = KeyRing::from_bytes([SECOND, FIRST]).unwrap();
        self.keys.replace(&ring);
    }

    async fn login(&self) -> String {
        self.client.login("alice").await
    }

    async fn get(&self, path: &str, token: &str) -> Answer {
        self.client.get(path, &[(SESSION, token)]).await
    }

    async fn value(&self, token: &str) -> String {
        self.get("/get?k=v", token).await.body
    }
}

/// What is due though nobody asked for it.
#[derive(Clone, Copy, Debug)]
enum Due {
    Touch,
    NewSignature,
    Renewal,
}

impl Due {
    const ALL: [Self; 3] = [Self::Touch, Self::NewSignature, Self::Renewal];

    fn policy(self) -> SessionPolicy {
        match self {
            Self::Renewal => SessionPolicy::aal2().renew_every(seconds(61)).unwrap(),
            Self::Touch | Self::NewSignature => SessionPolicy::aal2(),
        }
    }

    fn bring_about(self, server: &Server) {
        match self {
            Self::NewSignature => server.replace_key(),
            Self::Touch | Self::Renewal => drop(server.time.advance(seconds(61))),
        }
    }
}

/// R77: a read that was under way while another request wrote carries nothing over it.
#[tokio::test]
async fn a_slow_read_does_not_undo_a_write() {
    for due in Due::ALL {
        for server in Server::both(&due.policy()) {
            let token = server.login().await;
            due.bring_about(&server);
            let client = server.client.clone();
            let slow = {
                let (client, token) = (client.clone(), token.clone());
                tokio::spawn(async move { client.get("/slow-read", &[(SESSION, &token)]).await })
            };
            client.stop.reached.notified().await;
            let wrote = client.post("/put", &[(SESSION, &token)]).await;
            assert_eq!(wrote.status, StatusCode::OK);
            let mut jar = wrote.cookie(SESSION).unwrap_or(token);
            client.stop.go_on.notify_one();
            let read = slow.await.unwrap();
            assert_eq!(read.status, StatusCode::OK);
            jar = read.cookie(SESSION).unwrap_or(jar);
            assert_eq!(server.value(&jar).await, "new", "{due:?} {}", server.stored);
        }
    }
}

/// R77: what is due comes with the first look at the session, and with no other request.
#[tokio::test]
async fn only_a_look_brings_what_is_due() {
    for due in Due::ALL {
        for server in Server::both(&due.policy()) {
            let token = server.login().await;
            due.bring_about(&server);
            server.events.take();
            for path in [
                "/plain",
                "/style.css",
                "/in-passing",
                "/poll",
                "/time-left",
                "/marked",
                "/upgrade",
            ] {
                let answer = server.get(path, &token).await;
                assert!(answer.sets_nothing(), "{due:?} {path}");
                assert_eq!(server.events.take(), [], "{due:?} {path}");
            }
            let silent = server.get("/not-modified", &token).await;
            assert!(silent.sets_nothing() && !silent.headers.contains_key(header::VARY));
            assert_eq!(silent.headers[header::CACHE_CONTROL], "private");
            let answer = server.get("/extracted", &token).await;
            // A touch is a new cookie without a store only.
            let issues = !server.stored || !matches!(due, Due::Touch);
            assert_eq!(answer.cookie(SESSION).is_some(), issues, "{due:?}");
        }
    }
}

/// R77: each of the ways to look is one.
#[tokio::test]
async fn extractors_guards_and_reads_are_looks() {
    for path in ["/extracted", "/user", "/guarded", "/csrf", "/whoami"] {
        for server in Server::both(&SessionPolicy::aal2()) {
            let token = server.login().await;
            server.replace_key();
            let method = if path == "/csrf" { "POST" } else { "GET" };
            let request = common::request(method, path, &[(SESSION, &token)]);
            let answer = server.client.send(request).await;
            assert!(answer.cookie(SESSION).is_some(), "{path}");
            assert_eq!(answer.headers[header::VARY], "Cookie", "{path}");
        }
    }
}

/// R77: a stylesheet leaves as its handler made it.
#[tokio::test]
async fn a_public_answer_that_never_looked_is_left_alone() {
    for due in Due::ALL {
        for server in Server::both(&due.policy()) {
            let token = server.login().await;
            due.bring_about(&server);
            let answer = server.get("/style.css", &token).await;
            assert!(answer.sets_nothing());
            assert!(!answer.headers.contains_key(header::VARY));
            assert_eq!(answer.headers[header::CACHE_CONTROL], STYLESHEET);
            // Neither does a slow one that was under way while the session was written.
            let client = server.client.clone();
            let slow = {
                let (client, token) = (client.clone(), token.clone());
                tokio::spawn(
                    async move { client.get("/slow-style.css", &[(SESSION, &token)]).await },
                )
            };
            client.stop.reached.notified().await;
            client.post("/put", &[(SESSION, &token)]).await;
            client.stop.go_on.notify_one();
            let answer = slow.await.unwrap();
            assert!(answer.sets_nothing());
            assert_eq!(answer.headers[header::CACHE_CONTROL], STYLESHEET);
        }
    }
}

/// R59: a page that polls does not keep its session alive.
#[tokio::test]
async fn a_polling_page_does_not_keep_its_session_alive() {
    let policy = SessionPolicy::aal2()
        .idle(seconds(300))
        .unwrap()
        .renew_every(seconds(100))
        .unwrap();
    for path in ["/poll", "/marked"] {
        for server in Server::both(&policy) {
            let token = server.login().await;
            for _ in 0..9 {
                server.time.advance(seconds(30));
                let answer = server.get(path, &token).await;
                assert_eq!(answer.body, "alice@1");
                assert!(answer.sets_nothing());
                assert_eq!(answer.headers[header::VARY], "Cookie");
                assert_eq!(answer.headers[header::CACHE_CONTROL], "private");
            }
            server.time.advance(seconds(30));
            assert_eq!(server.get(path, &token).await.body, "nobody");
            // A user who is there is seen.
            let mut token = server.login().await;
            for _ in 0..20 {
                server.time.advance(seconds(30));
                server.get(path, &token).await;
                let answer = server.get("/whoami", &token).await;
                assert_eq!(answer.body, "alice@1");
                token = answer.cookie(SESSION).unwrap_or(token);
            }
        }
    }
}

/// R59: what a background request marks is written all the same, and is no activity unless it replaces the token.
#[tokio::test]
async fn a_mark_in_a_background_request_takes_effect() {
    let policy = SessionPolicy::aal2().idle(seconds(300)).unwrap();
    for server in Server::both(&policy) {
        let token = server.login().await;
        server.time.advance(seconds(200));
        let answer = server.client.post("/poll/put", &[(SESSION, &token)]).await;
        assert_eq!(answer.cookie(SESSION).is_some(), !server.stored);
        let token = answer.cookie(SESSION).unwrap_or(token);
        server.time.advance(seconds(99));
        let left = server.get("/in-passing", &token).await.body;
        let now = common::now(&server.time).as_unix_seconds();
        assert!(left.ends_with(&format!("Some({})", now + 1)), "{left}");
        assert_eq!(server.value(&token).await, "new");

        let token = server.login().await;
        server.time.advance(seconds(200));
        let answer = server
            .client
            .post("/poll/renew", &[(SESSION, &token)])
            .await;
        let token = answer.cookie(SESSION).unwrap();
        server.time.advance(seconds(299));
        assert_eq!(server.get("/poll", &token).await.body, "alice@1");
    }
}

/// R74: to ask for the time left extends nothing, and makes the answer the session's own.
#[tokio::test]
async fn the_time_left_can_be_asked_without_extending_it() {
    let policy = SessionPolicy::aal2().idle(seconds(300)).unwrap();
    for server in Server::both(&policy) {
        let began = common::now(&server.time).as_unix_seconds();
        let token = server.login().await;
        let expected = format!("Some({}) Some({})", began + 24 * 3600, began + 300);
        for _ in 0..3 {
            server.time.advance(seconds(99));
            let answer = server.get("/in-passing", &token).await;
            assert_eq!(answer.body, expected);
            assert!(answer.sets_nothing());
            assert_eq!(answer.headers[header::VARY], "Cookie");
            assert_eq!(answer.headers[header::CACHE_CONTROL], "private");
        }
        server.time.advance(seconds(3));
        assert_eq!(server.get("/in-passing", &token).await.body, "None None");
        let anonymous = server.client.get("/in-passing", &[]).await;
        assert_eq!(anonymous.body, "None None");
        assert!(!anonymous.headers.contains_key(header::CACHE_CONTROL));
    }
}

/// R74: the least of the login's, the session's and the policy's limits, counted from its beginning.
#[tokio::test]
async fn the_limits_that_a_session_tells_are_those_that_hold() {
    async fn login(session: Session) {
        let login = Login::new("alice").remembered();
        session.login(login.idle(seconds(120)).absolute(seconds(1000)));
    }
    async fn limits(user: AuthenticatedSession) -> String {
        let second = |at: tower_session_guard::Timestamp| at.as_unix_seconds();
        let idle = user.idle_expires_at().map(second);
        format!("{} {idle:?}", second(user.expires_at()))
    }
    let remembering = SessionPolicy::aal2()
        .remember_for(seconds(30 * 86_400))
        .unwrap();
    let strict = SessionPolicy::aal2().absolute(seconds(500)).unwrap();
    for (policy, absolute, idle) in [
        (SessionPolicy::aal2(), 1000, 120),
        (remembering, 1000, 120),
        (strict.clone(), 500, 120),
        (strict.idle(seconds(60)).unwrap(), 500, 60),
    ] {
        for layer in both_modes() {
            let time = clock();
            let layer = layer.with_clock(time.clone()).with_policy(policy.clone());
            let app = Router::new()
                .route("/login", post(login))
                .route("/limits", get(limits))
                .layer(layer);
            let client = Client::around(app);
            let began = common::now(&time).as_unix_seconds();
            let answer = client.post("/login", &[]).await;
            // R46: the browser does not keep the cookie for longer than the session can last.
            let cookie = answer.headers[header::SET_COOKIE].to_str().unwrap();
            assert!(
                cookie.ends_with(&format!("; Max-Age={absolute}")),
                "{cookie}"
            );
            let token = answer.cookie(SESSION).unwrap();
            time.advance(seconds(1));
            let told = client.get("/limits", &[(SESSION, &token)]).await.body;
            assert_eq!(told, format!("{} Some({})", began + absolute, began + idle));
        }
    }
}

/// R77: on a 101 only what was marked is written.
#[tokio::test]
async fn an_upgrade_writes_what_was_marked_and_nothing_else() {
    let renews = SessionPolicy::aal2().renew_every(seconds(61)).unwrap();
    for server in Server::both(&renews) {
        let token = server.login().await;
        server.time.advance(seconds(61));
        server.events.take();
        let answer = server.get("/upgrade/put", &token).await;
        assert_eq!(answer.status, StatusCode::SWITCHING_PROTOCOLS);
        assert_eq!(server.events.take(), []);
        let token = answer.cookie(SESSION).unwrap_or(token);
        assert_eq!(server.value(&token).await, "new");
    }
}

/// R59, R74: a background layer outside a session layer is a mistake that shows.
#[tokio::test]
async fn a_background_layer_needs_a_session_layer_around_it() {
    let inside = Router::new().route("/", get(async || "here"));
    let client = Client::around(inside.clone().layer(BackgroundLayer::new()));
    assert_eq!(client.get("/", &[]).await.status, 500);
    let own =
        BackgroundLayer::new().on_refusal(|refusal: &tower_session_guard::Refusal, _: &Parts| {
            (StatusCode::IM_A_TEAPOT, refusal.to_string()).into_response()
        });
    let client = Client::around(inside.layer(own));
    let answer = client.get("/", &[]).await;
    assert_eq!(answer.status, StatusCode::IM_A_TEAPOT);
    assert!(answer.body.contains("SessionLayer"), "{}", answer.body);
}

/// R61, R77: a session that ends by a limit while its handler runs, alike in both modes.
#[tokio::test]
async fn an_expiry_during_the_handler_means_the_same_in_both_modes() {
    let policies = [
        SessionPolicy::aal2().idle(seconds(300)).unwrap(),
        SessionPolicy::aal2()
            .absolute(seconds(300))
            .unwrap()
            .without_idle(),
    ];
    for policy in policies {
        for (marks, status, told, who) in [
            (
                "put:v:late",
                200,
                Some(EventKind::ResurrectionBlocked),
                None,
            ),
            ("elevate", 401, Some(EventKind::ElevationRefused), None),
            ("renew", 200, Some(EventKind::ResurrectionBlocked), None),
            ("logout", 200, Some(EventKind::LoggedOut), None),
            (
                "login:bob",
                200,
                Some(EventKind::SubjectSwitched),
                Some("bob@1"),
            ),
            (
                "login:alice",
                200,
                Some(EventKind::Reauthenticated),
                Some("alice@1"),
            ),
        ] {
            for server in Server::both(&policy) {
                let token = server.login().await;
                server.time.advance(seconds(299));
                server.events.take();
                let slow = {
                    let (client, token) = (server.client.clone(), token.clone());
                    let path = format!("/do?stop=before&marks={marks}");
                    tokio::spawn(async move { client.post(&path, &[(SESSION, &token)]).await })
                };
                server.client.stop.reached.notified().await;
                server.time.advance(seconds(2));
                server.client.stop.go_on.notify_one();
                let answer = slow.await.unwrap();
                let at = format!("{marks} stored {}", server.stored);
                assert_eq!(answer.status, status, "{at}");
                assert_eq!(server.events.take(), told.as_slice(), "{at}");
                let issued = answer.cookie(SESSION).filter(|token| !token.is_empty());
                assert_eq!(issued.is_some(), who.is_some(), "{at}");
                assert_eq!(server.get("/whoami", &token).await.body, "nobody", "{at}");
                if let (Some(who), Some(token)) = (who, issued) {
                    assert_eq!(server.get("/whoami", &token).await.body, who, "{at}");
                }
            }
        }
    }
}

/// R17, R77: what an anonymous visitor does not look at leaves no trace, whatever the handler says of caches.
#[tokio::test]
async fn a_guest_that_nobody_looked_at_is_left_alone() {
    for server in Server::both(&SessionPolicy::aal2()) {
        let guest = server.client.guest().await;
        server.time.advance(seconds(61));
        let cookies = [(GUEST, &*guest)];
        let plain = server.client.get("/plain", &cookies).await;
        assert!(plain.sets_nothing() && !plain.headers.contains_key(header::VARY));
        let looked = server.client.get("/whoami", &cookies).await;
        assert_eq!(looked.cookie(GUEST).is_some(), !server.stored);
        assert_eq!(looked.headers[header::VARY], "Cookie");
    }
}
