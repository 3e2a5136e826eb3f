//! What a developer sees of each usual mistake: a sentence that says what to write instead, in the log, and in debug
//! builds as the answer's body.

#![cfg(all(feature = "axum", feature = "testing"))]

mod common;
#[path = "mistakes/compiler.rs"]
mod compiler;
#[path = "mistakes/log.rs"]
mod log;

use std::{convert::Infallible, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{HeaderValue, Request, Response, StatusCode, header, request::Parts},
    response::{Html, IntoResponse, Redirect},
    routing::{any, get, post},
};
use common::{Answer, Client, Events, SESSION, both_modes, clock, keys, request, self_contained};
use log::Log;
use tower::{Layer, ServiceExt, service_fn};
use tower_http::cors::CorsLayer;
use tower_session_guard::{
    Answer as GuardAnswer, AtLimit, AuthenticatedAt, AuthenticatedSession, BackgroundLayer,
    CookiePolicy, CsrfLayer, DataError, DataKey, EventKind, KeyRing, MemoryStore, Refusal,
    RefusalResponse, RequireAuthentication, ReturnPath, Session, SessionLayer, SessionPolicy,
    SessionStore, Subject, Timestamp,
    testing::{FaultyStore, ManualClock, StoreOperation},
};

/// Where a session layer has to stand.
const WHERE: &str = "write `.layer(sessions)` after the route and after its guards";

/// The answer of a mistake: 500 without a cookie, and in debug builds the sentence.
#[track_caller]
fn answered(answer: &Answer, sentence: &str) {
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(answer.sets_nothing());
    if cfg!(debug_assertions) {
        assert!(answer.body.contains(sentence), "{}", answer.body);
    } else {
        assert_eq!(answer.body, "");
    }
}

/// A route for each extractor.
fn extracting() -> Router {
    Router::new()
        .route("/session", any(async |_: Session| ()))
        .route("/user", any(async |_: AuthenticatedSession| ()))
        .route("/perhaps", any(async |_: Option<AuthenticatedSession>| ()))
        .route("/two", any(async |_: AuthenticatedAt<2>| ()))
}

const EXTRACTORS: [(&str, &str); 4] = [
    ("/session", "`Session` needs a `SessionLayer` around it"),
    (
        "/user",
        "`AuthenticatedSession` needs a `SessionLayer` around it",
    ),
    (
        "/perhaps",
        "`Option<AuthenticatedSession>` needs a `SessionLayer` around it",
    ),
    (
        "/two",
        "`AuthenticatedAt<2>` needs a `SessionLayer` around it",
    ),
];

/// S19: without any layer, and with one that was added before the routes.
#[tokio::test]
async fn a_missing_or_misplaced_layer_is_said_once_an_answer() {
    let misplaced = Router::new()
        .route("/earlier", get(async |_: Session| "earlier"))
        .layer(SessionLayer::new(keys()))
        .merge(extracting());
    for app in [extracting(), misplaced] {
        let client = Client::around(app);
        for (path, needing) in EXTRACTORS {
            let log = Log::start();
            let answer = client.get(path, &[]).await;
            answered(&answer, needing);
            log.is_one_line(&["ERROR tower_session_guard", needing, WHERE]);
        }
    }
    let within = Client::around(extracting().layer(SessionLayer::new(keys())));
    let log = Log::start();
    assert_eq!(within.get("/session", &[]).await.status, StatusCode::OK);
    assert_eq!(within.get("/perhaps", &[]).await.status, StatusCode::OK);
    log.is_empty();
}

/// S19: a handler that keeps the rejection sees the sentence too.
#[tokio::test]
async fn a_rejection_says_it_to_whoever_prints_it() {
    use axum::extract::FromRequestParts;
    let (mut parts, ()) = Request::new(()).into_parts();
    let _log = Log::start();
    let missing = Session::from_request_parts(&mut parts, &()).await;
    let missing = missing.unwrap_err().to_string();
    assert!(
        missing.contains("`Session`") && missing.contains(WHERE),
        "{missing}"
    );
    let rejected = AuthenticatedSession::from_request_parts(&mut parts, &()).await;
    let rejected = rejected.unwrap_err();
    assert_eq!(rejected.refusal(), Refusal::MissingSessionLayer);
    let rejected = rejected.to_string();
    assert!(
        rejected.contains("`AuthenticatedSession`") && rejected.contains(WHERE),
        "{rejected}"
    );
}

/// S19: guards that stand outside of the layer, as after `.layer(guard)` behind `.layer(sessions)`.
#[tokio::test]
async fn a_guard_outside_of_the_layer_is_said() {
    let inner = || {
        Router::new()
            .route("/", any(async || "welcome"))
            .layer(SessionLayer::new(keys()))
    };
    let guards = [
        (
            "`RequireAuthentication` needs a `SessionLayer` around it",
            inner().layer(RequireAuthentication::new()),
        ),
        (
            "`CsrfLayer` needs a `SessionLayer` around it",
            inner().layer(CsrfLayer::new()),
        ),
        (
            "`BackgroundLayer` needs a `SessionLayer` around it",
            inner().layer(BackgroundLayer::new()),
        ),
    ];
    for (needing, guarded) in guards {
        let log = Log::start();
        let answer = Client::around(guarded).post("/", &[]).await;
        answered(&answer, WHERE);
        log.is_one_line(&["ERROR tower_session_guard", needing, WHERE]);
    }
    // An answer of the application's own says what it likes, and the log says it all the same.
    let own = inner().layer(RequireAuthentication::new().on_refusal(|_, _| "own".into_response()));
    let log = Log::start();
    assert_eq!(Client::around(own).get("/", &[]).await.body, "own");
    log.is_one_line(&["ERROR tower_session_guard", WHERE]);
}

/// S19: two layers of one cookie.
#[tokio::test]
async fn layers_that_share_a_cookie_are_said_once() {
    let [inner, outer] = [(); 2].map(|()| SessionLayer::new(keys()));
    let app = extracting().layer(inner).layer(outer);
    let log = Log::start();
    let answer = Client::around(app).get("/session", &[]).await;
    let sentence =
        "two session layers use one cookie: clone one layer, or name their cookies apart";
    answered(&answer, sentence);
    log.of_level(
        "ERROR",
        &["session event kind=\"layers_share_cookie\"", sentence],
    );
}

/// S19: what the layer answers with 500 says what to write instead; what may pass says nothing to the developer.
#[tokio::test]
async fn an_impossible_login_is_said() {
    for layer in both_modes() {
        let client = Client::of(layer);
        let log = Log::start();
        let answer = client
            .mark(&format!("login:{}", "x".repeat(256)), &[])
            .await;
        let sentence = "the subject of a login has 1 to 255 bytes: log in the id of an account";
        answered(&answer, sentence);
        log.of_level("ERROR", &[sentence]);
    }
    // Its six bytes of milliseconds cannot hold the time.
    let late = ManualClock::starting_at(Timestamp::from_unix_millis(1 << 48));
    let client = Client::of(self_contained().with_clock(late));
    let log = Log::start();
    let answer = client.mark("login:alice", &[]).await;
    let sentence = "the session does not fit a self-contained token";
    answered(&answer, sentence);
    log.of_level("ERROR", &[sentence]);
}

/// F4: what `fn main() -> Result<(), Box<dyn Error>>` prints of a key.
#[test]
fn a_key_that_is_missing_or_malformed_says_how_to_make_one() {
    for refused in [
        KeyRing::from_env("TOWER_SESSION_GUARD_NOT_SET").unwrap_err(),
        KeyRing::parse("c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3I=").unwrap_err(),
        KeyRing::parse("0123456789abcdef").unwrap_err(),
        KeyRing::parse(&"0".repeat(64)).unwrap_err(),
        KeyRing::parse("").unwrap_err(),
    ] {
        let printed = format!("{:?}", Box::<dyn std::error::Error>::from(refused));
        assert!(printed.contains("openssl rand -hex 32"), "{printed}");
        assert!(!printed.contains('{'), "{printed}");
    }
}

/// F4: the other errors that a start-up passes on.
#[test]
fn the_errors_of_a_start_up_print_their_text() {
    use tower_session_guard::{
        DataKey, SessionId,
        store::{StoreError, StoreErrorKind},
    };
    let refused = std::io::Error::other("connection refused");
    assert_eq!(
        format!(
            "{:?}",
            StoreError::with_source(StoreErrorKind::Unavailable, refused)
        ),
        "the session store cannot be reached: connection refused"
    );
    assert_eq!(
        format!("{:?}", DataKey::<u8>::named("").unwrap_err()),
        "a data key's name has 1 to 255 bytes"
    );
    assert_eq!(
        format!("{:?}", "?".parse::<SessionId>().unwrap_err()),
        "a session id is 22 characters of base64url"
    );
    assert_eq!(
        format!(
            "{:?}",
            CookiePolicy::builder().name("a b").build().unwrap_err()
        ),
        CookiePolicy::builder()
            .name("a b")
            .build()
            .unwrap_err()
            .to_string()
    );
}

async fn ends_alice(sessions: &tower_session_guard::Sessions, client: &Client) -> bool {
    let token = client.login("alice").await;
    let ended = sessions.end_all(&Subject::from("alice")).await.unwrap();
    assert!(ended.is_some());
    client.whoami(&[(SESSION, &token)]).await == "nobody"
}

/// F5: a handle that was taken early follows its layer, setting for setting.
#[tokio::test]
async fn a_handle_that_was_taken_early_acts_on_what_its_layer_became() {
    let early = || {
        let layer = SessionLayer::new(keys()).with_clock(clock());
        (layer.sessions(), layer)
    };
    let (sessions, layer) = early();
    let store = MemoryStore::new();
    let layer = layer.with_store(store.clone());
    assert!(ends_alice(&sessions, &Client::of(layer)).await);
    assert_eq!(
        store.live_records(common::now(&clock())).await.unwrap(),
        Some(0)
    );

    let (sessions, layer) = early();
    assert!(ends_alice(&sessions, &Client::of(layer.with_audience("shop"))).await);

    let (sessions, layer) = early();
    let later = clock();
    let layer = layer.with_clock(later.clone());
    later.advance(Duration::from_secs(24 * 3600));
    assert!(ends_alice(&sessions, &Client::of(layer)).await);

    let (sessions, layer) = early();
    let events = Events::default();
    let layer = layer.with_observer(events.clone());
    assert!(ends_alice(&sessions, &Client::of(layer)).await);
    assert!(events.take().contains(&EventKind::SubjectRevoked));

    // The policy says what is alive.
    let (sessions, layer) = early();
    let (time, alice) = (clock(), Subject::from("alice"));
    let policy = SessionPolicy::default()
        .idle(Duration::from_secs(600))
        .unwrap();
    let layer = layer.with_clock(time.clone()).with_policy(policy);
    Client::of(layer).login("alice").await;
    let id = sessions.list(&alice).await.unwrap()[0].id;
    assert!(sessions.is_live(&alice, &id).await.unwrap());
    time.advance(Duration::from_secs(601));
    assert!(!sessions.is_live(&alice, &id).await.unwrap());

    let (sessions, layer) = early();
    let layer = layer.max_sessions(1, AtLimit::EndOldest).unwrap();
    let layer = layer.with_cookies(CookiePolicy::plain_http_for_development());
    let client = Client::of(layer);
    client.mark("login:alice", &[]).await;
    client.mark("login:alice", &[]).await;
    assert_eq!(sessions.list(&alice).await.unwrap().len(), 1);
    assert_eq!(sessions.end_all(&alice).await.unwrap(), Some(1));

    // The kind may become unknown; what it is stays.
    let (sessions, layer) = early();
    let layer = layer.into_any();
    let store = layer.sessions().in_store().unwrap();
    let layer = layer.with_audience("shop");
    let client = Client::of(layer);
    assert!(ends_alice(&store, &client).await);
    assert!(ends_alice(&sessions, &client).await);
}

/// F5: a clone that is given other settings is another layer.
#[tokio::test]
async fn a_handle_does_not_follow_a_clone_of_its_layer() {
    let layer = SessionLayer::new(keys()).with_clock(clock());
    let (sessions, copy) = (layer.sessions(), layer.clone());
    let copied = copy.sessions();
    let other = Client::of(copy.with_store(MemoryStore::new()));
    let client = Client::of(layer);
    assert!(!ends_alice(&sessions, &other).await);
    assert!(ends_alice(&copied, &other).await);
    assert!(!ends_alice(&copied, &client).await);
    assert!(ends_alice(&sessions, &client).await);
}

const CHROMIUM: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";
const SAFARI: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15";

/// A form that a browser sends from a page of `origin`.
fn form(path: &str, origin: &str, agent: &str) -> Request<Body> {
    let mut request = request("POST", path, &[]);
    let headers = request.headers_mut();
    headers.insert(header::ORIGIN, origin.parse().unwrap());
    headers.insert(header::USER_AGENT, agent.parse().unwrap());
    request
}

/// F6: the browser drops the cookie without a word; the log has one.
#[tokio::test]
async fn a_login_over_plain_http_on_another_host_is_said() {
    const LOGIN: &str = "/do?marks=login:alice";
    const REMEDY: &str = "CookiePolicy::plain_http_for_development()";
    for layer in both_modes() {
        let (events, clock) = (Events::default(), clock());
        let layer = layer
            .with_observer(events.clone())
            .with_clock(clock.clone());
        let plain = layer
            .clone()
            .with_cookies(CookiePolicy::plain_http_for_development());
        let (client, plain) = (Client::of(layer), Client::of(plain));
        let told = async |client: &Client, request| {
            events.take();
            let log = Log::start();
            let answer = client.send(request).await;
            assert_eq!(answer.status, StatusCode::OK);
            let told = events.take().contains(&EventKind::CookieNotKept);
            if told {
                log.is_one_line(&["WARN tower_session_guard", "plain HTTP", REMEDY]);
            } else {
                log.is_empty();
            }
            told
        };
        for (origin, agent, dropped) in [
            ("http://192.0.2.2:3010", CHROMIUM, true),
            ("http://devbox:3000", CHROMIUM, true),
            ("http://localhost:3000", CHROMIUM, false),
            ("http://127.0.0.1:3000", CHROMIUM, false),
            ("http://[::1]:3000", CHROMIUM, false),
            ("http://app.localhost", CHROMIUM, false),
            ("http://localhost:3000", SAFARI, true),
            ("https://192.0.2.2", SAFARI, false),
            ("https://shop.example", CHROMIUM, false),
        ] {
            clock.advance(Duration::from_secs(60));
            let login = || form(LOGIN, origin, agent);
            assert_eq!(told(&client, login()).await, dropped, "{origin}, {agent}");
            assert!(!told(&client, login()).await, "once a minute: {origin}");
            assert!(!told(&plain, login()).await, "not `Secure`: {origin}");
        }
        clock.advance(Duration::from_secs(60));
        let away = |path: &str| form(path, "http://192.0.2.2:3010", CHROMIUM);
        assert!(!told(&client, away("/do?marks=")).await, "no cookie");
        assert!(!told(&client, away("/do?marks=logout")).await, "no cookie");
        assert!(told(&client, away("/do?marks=put:k:v")).await, "a guest's");
        clock.advance(Duration::from_secs(60));
        let mut trusted = away(LOGIN);
        let cross = HeaderValue::from_static("cross-site");
        trusted.headers_mut().insert("sec-fetch-site", cross);
        assert!(
            !told(&client, trusted).await,
            "HTTPS, from a page without it"
        );
    }
}

/// Class 11: a preflight is refused, since a handler for every method would run for anybody, and the log says once where the
/// CORS layer goes. Around the guard, it answers.
#[tokio::test]
async fn a_refused_preflight_says_where_the_cors_layer_goes() {
    let preflight = || {
        Request::builder()
            .method("OPTIONS")
            .uri("/")
            .header(header::ORIGIN, "https://app.example")
            .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST")
            .body(Body::empty())
            .unwrap()
    };
    let origin = || HeaderValue::from_static("https://app.example");
    let cors = || {
        CorsLayer::new()
            .allow_origin(origin())
            .allow_credentials(true)
    };
    let route = || Router::new().route("/", any(async || "ran"));
    let inside = route()
        .layer(cors())
        .layer(RequireAuthentication::new())
        .layer(SessionLayer::new(keys()));
    let log = Log::start();
    let inside = Client::around(inside);
    // An OPTIONS request that is no preflight says nothing.
    let options = request("OPTIONS", "/", &[]);
    assert_eq!(inside.send(options).await.status, StatusCode::UNAUTHORIZED);
    log.is_empty();
    for _ in 0..3 {
        let answer = inside.send(preflight()).await;
        assert_eq!(
            (answer.status, &*answer.body),
            (StatusCode::UNAUTHORIZED, "")
        );
    }
    log.is_one_line(&[
        "WARN tower_session_guard",
        "`RequireAuthentication` refused a CORS preflight",
        "put the CORS layer outside of the guard",
    ]);
    let outside = route()
        .layer(RequireAuthentication::new())
        .layer(SessionLayer::new(keys()))
        .layer(cors());
    let answer = Client::around(outside).send(preflight()).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(
        answer.headers[header::ACCESS_CONTROL_ALLOW_ORIGIN],
        "https://app.example"
    );
    assert_eq!(answer.body, "");
}

/// F8: axum takes the prefix off the URI within a nested router.
#[tokio::test]
async fn the_return_path_of_a_nested_router_keeps_its_prefix() {
    let guard = || {
        RequireAuthentication::new().on_refusal(|_, request| {
            let back = ReturnPath::of_request(request).in_query();
            Redirect::to(&format!("/login?next={back}"))
        })
    };
    let users = || {
        Router::new()
            .route("/users", get(async || "users"))
            .layer(guard())
    };
    let app = Router::new()
        .nest("/admin", users())
        .nest("/a", Router::new().nest("/b", users()))
        .merge(users())
        .layer(SessionLayer::new(keys()));
    let client = Client::around(app);
    for (asked, next) in [
        ("/admin/users?page=2", "%2Fadmin%2Fusers%3Fpage%3D2"),
        ("/a/b/users", "%2Fa%2Fb%2Fusers"),
        ("/users?page=2", "%2Fusers%3Fpage%3D2"),
    ] {
        let answer = client.get(asked, &[]).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        assert_eq!(
            answer.headers[header::LOCATION],
            format!("/login?next={next}")
        );
    }
    // Without a router around it, it is the URI.
    let (request, ()) = Request::get("/x?y").body(()).unwrap().into_parts();
    assert_eq!(ReturnPath::of_request(&request).as_str(), "/x?y");
}

/// F13: closures need no types, and may be asynchronous.
#[tokio::test]
async fn closures_for_refusals_and_failures_infer() {
    let route = || Router::new().route("/", any(async || "welcome"));
    let sessions = || SessionLayer::new(keys());
    let redirecting = RequireAuthentication::new().on_refusal(|_, _| Redirect::to("/login"));
    let asking = RequireAuthentication::new().on_refusal_async(|refusal, request| async move {
        tokio::task::yield_now().await;
        let page = Html(format!("{} {}", request.method, request.uri));
        (refusal.status(), page)
    });
    let at_once = Client::around(route().layer(redirecting).layer(sessions()));
    let answer = at_once.get("/", &[]).await;
    assert_eq!(answer.headers[header::LOCATION], "/login");
    let later = Client::around(route().layer(asking).layer(sessions()));
    let answer = later.get("/", &[]).await;
    assert_eq!(
        (answer.status, &*answer.body),
        (StatusCode::UNAUTHORIZED, "GET /")
    );

    let csrf = CsrfLayer::new().on_refusal(|refusal, _| refusal.to_string().into_response());
    let page = Router::new()
        .route("/", any(async || "welcome"))
        .layer(RequireAuthentication::new().on_refusal(|_, _| Html("a page")))
        .layer(sessions());
    assert_eq!(Client::around(page).get("/", &[]).await.body, "a page");
    let status = Router::new()
        .route("/", any(async || "welcome"))
        .layer(RequireAuthentication::new().on_refusal(|_, _| StatusCode::NOT_FOUND))
        .layer(sessions());
    let answer = Client::around(status).get("/", &[]).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    let csrf_later = CsrfLayer::new()
        .on_refusal_async(|refusal, _| async move { refusal.to_string().into_response() });
    let apps = [
        common::app(common::Stop::default()).layer(csrf),
        common::app(common::Stop::default()).layer(csrf_later),
    ];
    for app in apps {
        let layer = sessions().with_clock(clock());
        let open = Client::of(layer.clone());
        let token = open.login("alice").await;
        let client = Client::around(app.layer(layer));
        let answer = client.mark("logout", &[(SESSION, &token)]).await;
        assert_eq!(
            answer.body,
            "the request carries no CSRF token of its session"
        );
        assert_eq!(open.whoami(&[(SESSION, &token)]).await, "alice@1");
    }

    let failing = sessions().on_failure(|error| error.status().into_response());
    let answer = Client::around(common::app(common::Stop::default()).layer(failing));
    let answer = answer.mark("login:", &[]).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
}

/// F13: an answer that is waited for goes where the request goes: dropped with it, and done before the inner service is asked.
#[tokio::test]
async fn a_refusal_that_takes_its_time_never_reaches_the_inner_service() {
    let inner = service_fn(|_: Request<()>| async {
        unreachable!("it is guarded");
        #[expect(unreachable_code, reason = "says the type")]
        Ok::<_, Infallible>(Response::new(0_u8))
    });
    let stop = common::Stop::default();
    let waiting = stop.clone();
    let guard = RequireAuthentication::new().on_refusal_async(move |refusal, _| {
        let waiting = waiting.clone();
        async move {
            waiting.here().await;
            let mut response = Response::new(7);
            *response.status_mut() = refusal.status();
            response
        }
    });
    let service = SessionLayer::new(keys())
        .on_failure(|_| Response::new(0))
        .layer(guard.layer(inner));
    let answer = tokio::spawn(service.oneshot(Request::new(())));
    stop.reached.notified().await;
    stop.go_on.notify_one();
    let answer = answer.await.unwrap().unwrap();
    assert_eq!(
        (answer.status(), answer.body()),
        (StatusCode::UNAUTHORIZED, &7)
    );
}

/// F13: a type of the application's own.
#[tokio::test]
async fn a_type_that_answers_refusals_has_a_way_in() {
    #[derive(Clone)]
    struct Pages(&'static str);
    impl RefusalResponse<Body> for Pages {
        fn respond(&self, _: &Refusal, request: Parts) -> GuardAnswer<Body> {
            let page = format!("{} {}", self.0, request.uri);
            match request.uri.path() {
                "/later" => GuardAnswer::later(async move { page.into_response() }),
                _ => page.into_response().into(),
            }
        }
    }
    impl tower_session_guard::FailureResponse<Body> for Pages {
        fn respond(&self, error: &tower_session_guard::SessionError) -> Response<Body> {
            format!("{} {error}", self.0).into_response()
        }
    }
    let app = Router::new()
        .fallback(async || "welcome")
        .layer(RequireAuthentication::new().on_refusal_with(Pages("refused")))
        .route("/empty", post(async |session: Session| session.login("")))
        .layer(SessionLayer::new(keys()).on_failure_with(Pages("failed")));
    let client = Client::around(app);
    for path in ["/now", "/later"] {
        let answer = client.get(path, &[]).await;
        assert_eq!(answer.body, format!("refused {path}"));
    }
    let failed = client.post("/empty", &[]).await;
    assert!(
        failed.body.starts_with("failed the subject"),
        "{}",
        failed.body
    );
}

/// An operator has to know why a store fails: the log has its error beside the event, which says what was asked for.
#[tokio::test]
async fn why_a_store_fails_is_in_the_log() {
    const CAUSE: &str = "the session store failed error=";
    for lazily in [false, true] {
        let store = FaultyStore::new(MemoryStore::new());
        let layer = SessionLayer::new(keys()).with_store(store.clone());
        let layer = if lazily { layer.lazily() } else { layer };
        let sessions = layer.sessions();
        let client = Client::of(layer);
        let token = client.login("alice").await;

        store.fail(StoreOperation::Load, 1, 0);
        let log = Log::start();
        client.get("/whoami", &[(SESSION, &token)]).await;
        log.of_level("ERROR", &[CAUSE, "store_failed_load"]);
        drop(log);

        store.fail(StoreOperation::Create, 1, 0);
        let log = Log::start();
        client.mark("login:alice", &[]).await;
        log.of_level("ERROR", &[CAUSE, "store_failed_write"]);
        drop(log);

        store.fail(StoreOperation::RaiseCutoff, 1, 0);
        let log = Log::start();
        let failed = sessions.end_all(&Subject::from("alice")).await;
        failed.unwrap_err();
        log.of_level("ERROR", &[CAUSE, "store_failed_control"]);
    }
}

const COUNT: DataKey<u32> = DataKey::new("count");
const AS_TEXT: DataKey<String> = DataKey::new("count");

/// A handler may pass on what goes wrong with `?`: a client sees a status, and the log has the key.
#[tokio::test]
async fn a_handler_may_pass_errors_of_data_and_of_endings_on() {
    let store = FaultyStore::new(MemoryStore::new());
    let layer = SessionLayer::new(keys()).with_store(store.clone());
    let sessions = layer.sessions();
    let end = async move || sessions.end_all(&Subject::from("alice")).await.map(drop);
    let spoilt = async |session: Session| -> Result<String, DataError> {
        session.insert(&AS_TEXT, "many")?;
        let count = session.get(&COUNT)?;
        Ok(format!("{count:?}"))
    };
    let app = Router::new()
        .route("/spoilt", get(spoilt))
        .route("/end", get(end))
        .layer(layer);
    let client = Client::around(app);

    let log = Log::start();
    let answer = client.get("/spoilt", &[]).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(answer.cookie(SESSION), None);
    assert!(
        log.text().contains("session data under \"count\""),
        "{}",
        log.text()
    );
    assert!(!log.text().contains("many"), "the value is not told");
    drop(log);

    assert_eq!(client.get("/end", &[]).await.status, StatusCode::OK);
    store.fail(StoreOperation::RaiseCutoff, 1, 0);
    let failed = client.get("/end", &[]).await;
    assert_eq!(failed.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(failed.body, "");
}
