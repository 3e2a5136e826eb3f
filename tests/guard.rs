//! Routes behind a guard: who is let through, and what the others are told.

#![cfg(all(feature = "axum", feature = "testing"))]

mod common;

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    http::{Request, Response, StatusCode, header, request::Parts},
    middleware::{Next, from_fn},
    routing::{any, get},
};
use common::{Answer, Client, SESSION, app, both_modes, clock, keys, request};
use tower::{Layer, ServiceExt, service_fn};
use tower_session_guard::{
    AssuranceLevel, AuthenticatedAt, AuthenticatedSession, Refusal, RequireAuthentication,
    ReturnPath, Session, SessionLayer, testing::ManualClock,
};

const TEN_MINUTES: Duration = Duration::from_secs(600);

/// Routes for members, for level 2, and for level 2 of the last ten minutes; in both modes.
fn clients(clock: &ManualClock) -> [Client; 2] {
    both_modes().map(|layer| {
        let layer = layer.with_clock(clock.clone());
        let welcome = || get(|| async { "welcome" });
        let strong = || RequireAuthentication::at_least(AssuranceLevel::AAL2);
        let member = |user: AuthenticatedSession| async move { user.subject().to_string() };
        let at_two = |user: AuthenticatedAt<2>| async move { user.level().to_string() };
        let guarded = Router::new()
            .route("/members", welcome().layer(RequireAuthentication::new()))
            .route("/strong", welcome().layer(strong()))
            .route("/fresh", welcome().layer(strong().within(TEN_MINUTES)))
            .route(
                "/lately",
                welcome().layer(RequireAuthentication::new().within(TEN_MINUTES)),
            )
            .route("/extract", get(member))
            .route("/extract-2", get(at_two));
        Client::around(app(common::Stop::default()).merge(guarded).layer(layer))
    })
}

#[track_caller]
fn refused(answer: &Answer, status: StatusCode, challenge: &str) {
    assert_eq!(answer.status, status);
    assert_eq!(answer.headers[header::WWW_AUTHENTICATE], challenge);
    assert_eq!(answer.body, "");
}

const TOO_LOW: &str = "Cookie error=\"insufficient_user_authentication\", acr_values=\"2\"";
const TOO_OLD: &str = "Cookie error=\"insufficient_user_authentication\", max_age=\"600\"";

#[tokio::test]
async fn nobody_is_let_through_and_told_to_log_in() {
    for client in clients(&clock()) {
        for path in ["/members", "/strong", "/fresh", "/extract", "/extract-2"] {
            let answer = client.get(path, &[]).await;
            refused(&answer, StatusCode::UNAUTHORIZED, "Cookie");
            let guest = client.guest().await;
            let answer = client.get(path, &[(common::GUEST, &guest)]).await;
            refused(&answer, StatusCode::UNAUTHORIZED, "Cookie");
            assert_eq!(answer.headers[header::VARY], "Cookie", "R44");
        }
    }
}

/// R64, A19.
#[tokio::test]
async fn a_level_that_falls_short_is_challenged() {
    for client in clients(&clock()) {
        let token = client.login("alice").await;
        let session = [(SESSION, &*token)];
        assert_eq!(client.get("/members", &session).await.body, "welcome");
        assert_eq!(client.get("/extract", &session).await.body, "alice");
        for path in ["/strong", "/fresh", "/extract-2"] {
            refused(
                &client.get(path, &session).await,
                StatusCode::FORBIDDEN,
                TOO_LOW,
            );
        }
        let answer = client.mark("elevate", &session).await;
        let elevated = answer.cookie(SESSION).unwrap();
        for path in ["/strong", "/fresh"] {
            let answer = client.get(path, &[(SESSION, &elevated)]).await;
            assert_eq!(answer.body, "welcome", "{path}");
        }
        let answer = client.get("/extract-2", &[(SESSION, &elevated)]).await;
        assert_eq!(answer.body, "2");
    }
}

#[tokio::test]
async fn a_proof_is_fresh_up_to_its_last_millisecond() {
    let clock = clock();
    for client in clients(&clock) {
        let token = client.login("alice").await;
        let session = [(SESSION, &*token)];
        clock.advance(TEN_MINUTES);
        let answer = client.get("/lately", &session).await;
        assert_eq!(answer.body, "welcome");
        clock.advance(Duration::from_millis(1));
        let token = answer.cookie(SESSION).unwrap_or(token);
        let answer = client.get("/lately", &[(SESSION, &token)]).await;
        refused(&answer, StatusCode::FORBIDDEN, TOO_OLD);
    }
}

/// R64: sudo mode ends by itself, also for a session that stays in use.
#[tokio::test]
async fn a_passing_elevation_stops_counting_when_it_has_passed() {
    let clock = clock();
    for client in clients(&clock) {
        let token = client.login("alice").await;
        let answer = client.mark("elevate:30", &[(SESSION, &token)]).await;
        let elevated = answer.cookie(SESSION).unwrap();
        let session = [(SESSION, &*elevated)];
        clock.advance(Duration::from_secs(29));
        assert_eq!(client.get("/strong", &session).await.body, "welcome");
        clock.advance(Duration::from_secs(1));
        refused(
            &client.get("/strong", &session).await,
            StatusCode::FORBIDDEN,
            TOO_LOW,
        );
        assert_eq!(client.get("/members", &session).await.body, "welcome");
    }
}

/// Fails closed.
#[tokio::test]
async fn without_a_session_layer_nobody_is_let_through() {
    let guarded = Router::new()
        .route("/", get(|| async { "welcome" }))
        .layer(RequireAuthentication::new());
    let answer = Client::around(guarded).get("/", &[]).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_ne!(answer.body, "welcome");
    let extracted: Router = Router::new().route("/", get(|_: AuthenticatedAt<1>| async { "" }));
    let answer = Client::around(extracted).get("/", &[]).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
}

/// What was marked on the way to the guard counts only where it takes away.
#[tokio::test]
async fn a_mark_before_the_guard_never_opens_it() {
    async fn marking(request: Request<Body>, next: Next) -> Response<Body> {
        let marks = request.uri().query().unwrap_or_default().to_owned();
        common::apply(request.extensions().get::<Session>().unwrap(), &marks);
        next.run(request).await
    }
    let strong = RequireAuthentication::at_least(AssuranceLevel::AAL2);
    let guarded = Router::new()
        .route("/guarded", any(|| async { "welcome" }))
        .layer(strong)
        .layer(from_fn(marking))
        .merge(app(common::Stop::default()))
        .layer(SessionLayer::new(keys()));
    let client = Client::around(guarded);
    let status = async |marks: &str, token: &str| {
        let path = format!("/guarded?{marks}");
        client.get(&path, &[(SESSION, token)]).await.status
    };
    let low = client.login("alice").await;
    assert_eq!(status("login:mallory", "").await, StatusCode::UNAUTHORIZED);
    assert_eq!(status("", &low).await, StatusCode::FORBIDDEN);
    let high = async || {
        let token = client.login("alice").await;
        let answer = client.mark("elevate", &[(SESSION, &token)]).await;
        answer.cookie(SESSION).unwrap()
    };
    assert_eq!(status("", &high().await).await, StatusCode::OK);
    assert_eq!(
        status("step-down", &high().await).await,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        status("logout", &high().await).await,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(status("elevate", &low).await, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn the_hook_redirects_with_a_safe_return_path_and_the_handler_never_runs() {
    fn to_login(refusal: &Refusal, request: &Parts) -> Response<Body> {
        let back = ReturnPath::of_request(request).in_query();
        Response::builder()
            .status(StatusCode::SEE_OTHER)
            .header(header::LOCATION, format!("/login?next={back}"))
            .header("x-why", refusal.to_string())
            .body(Body::empty())
            .unwrap()
    }
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let handler = move || {
        counted.fetch_add(1, SeqCst);
        async {}
    };
    let guarded = Router::new()
        .fallback(handler)
        .layer(RequireAuthentication::new().on_refusal(to_login))
        .layer(SessionLayer::new(keys()));
    let client = Client::around(guarded);
    for (asked, back) in [
        (
            "/transfer?to=bob&amount=5",
            "%2Ftransfer%3Fto%3Dbob%26amount%3D5",
        ),
        ("/%5c%5cevil.example", "%2F"),
        ("//evil.example/x", "%2F"),
    ] {
        let answer = client.send(request("GET", asked, &[])).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        assert_eq!(
            answer.headers[header::LOCATION],
            format!("/login?next={back}")
        );
        assert_eq!(answer.headers["x-why"], "nobody is logged in");
    }
    assert_eq!(calls.load(SeqCst), 0);
}

/// Neither body needs to be axum's, and the response's needs no default if the hook makes one.
#[tokio::test]
async fn any_body_will_do() {
    #[derive(Debug, PartialEq)]
    struct Odd(u8);
    let inner = service_fn(|_: Request<Odd>| async { Ok::<_, Infallible>(Response::new(Odd(1))) });
    let refusal = |_: &Refusal, _: &Parts| Response::new(Odd(2));
    let service = RequireAuthentication::new()
        .on_refusal(refusal)
        .layer(inner);
    let answer = service.oneshot(Request::new(Odd(0))).await.unwrap();
    assert_eq!(*answer.body(), Odd(2));
}
