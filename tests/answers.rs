//! What a handler's answer means for the session, and what caches are told about it.

#![cfg(all(feature = "axum", feature = "testing"))]

mod common;

use axum::{
    Extension, Router,
    body::{Body, Bytes},
    http::{Request, StatusCode, header},
    response::IntoResponse,
    routing::{get, post},
};
use common::{Answer, Client, Events, SESSION, clock, keys};
use tokio_stream::StreamExt;
use tower_session_guard::{
    AnyBackend, AuthenticatedSession, CookiePolicy, EmptyFailure, Endings, EventKind, MemoryStore,
    Session, SessionLayer,
};

type Layer = SessionLayer<EmptyFailure, AnyBackend>;

fn layers(events: &Events) -> [Layer; 2] {
    [
        SessionLayer::new(keys())
            .with_store(MemoryStore::new())
            .into_any(),
        SessionLayer::self_contained(keys(), Endings::this_process()).into_any(),
    ]
    .map(|layer| layer.with_clock(clock()).with_observer(events.clone()))
}

fn varies(answer: &Answer) -> bool {
    answer
        .headers
        .get(header::VARY)
        .is_some_and(|value| value == "Cookie")
}

/// S08: what cut a handler off, or failed under another name, delivers no login.
#[tokio::test]
async fn a_failure_below_500_delivers_no_login() {
    async fn answer(
        session: Session,
        Extension(answer): Extension<Failed>,
    ) -> axum::response::Response {
        session.login("bob");
        let mut response = answer.0.into_response();
        if let Some(code) = answer.1 {
            response
                .headers_mut()
                .insert("grpc-status", code.parse().unwrap());
        }
        response
    }
    #[derive(Clone)]
    struct Failed(StatusCode, Option<&'static str>);

    let events = Events::default();
    for layer in layers(&events) {
        let layer = layer.failed_if(|status, _| status == StatusCode::UNPROCESSABLE_ENTITY);
        for (status, grpc, delivered) in [
            (StatusCode::OK, None, true),
            (StatusCode::BAD_REQUEST, None, true),
            (StatusCode::OK, Some("0"), true),
            (StatusCode::REQUEST_TIMEOUT, None, false),
            (StatusCode::OK, Some("13"), false),
            (StatusCode::UNPROCESSABLE_ENTITY, None, false),
        ] {
            let app = Router::new()
                .route("/", post(answer))
                .layer(Extension(Failed(status, grpc)))
                .layer(layer.clone());
            let client = Client::around(app);
            events.take();
            let answer = client.post("/", &[]).await;
            assert_eq!(answer.status, status);
            assert_eq!(
                answer.cookie(SESSION).is_some(),
                delivered,
                "{status} {grpc:?}"
            );
            let told = if delivered {
                EventKind::LoggedIn
            } else {
                EventKind::LoginDropped
            };
            assert_eq!(events.take(), [told]);
        }
    }
}

/// S11: whoever looks for the extension, or keeps a handle, leaves no other trace.
#[tokio::test]
async fn a_response_varies_by_the_cookie_wherever_it_may_depend_on_it() {
    async fn looks(request: Request<Body>) -> String {
        let found = request.extensions().get::<AuthenticatedSession>();
        found.is_some().to_string()
    }
    async fn streams(session: Session) -> Body {
        let chunk = tokio_stream::iter([()]).map(move |()| common::whoami(&session));
        Body::from_stream(chunk.map(|text| Ok::<_, std::io::Error>(Bytes::from(text))))
    }
    async fn unused() -> impl IntoResponse {
        ([(header::CACHE_CONTROL, "max-age=60, public")], "for all")
    }
    async fn used(session: Session) -> impl IntoResponse {
        (
            [(header::CACHE_CONTROL, "public")],
            common::whoami(&session),
        )
    }

    for layer in layers(&Events::default()) {
        let token = Client::of(layer.clone()).login("alice").await;
        let app = Router::new()
            .route("/looks", get(looks))
            .route("/streams", get(streams))
            .route("/unused", get(unused))
            .route("/used", get(used))
            .layer(layer);
        let client = Client::around(app);
        let alice = [(SESSION, &*token)];
        for (path, body, member, guest) in [
            ("/looks", "true", true, false),
            ("/streams", "alice@1", true, true),
            ("/unused", "for all", false, false),
            ("/used", "alice@1", true, true),
        ] {
            let answer = client.get(path, &alice).await;
            assert_eq!((&*answer.body, varies(&answer)), (body, member), "{path}");
            let answer = client.get(path, &[]).await;
            assert_eq!(varies(&answer), guest, "{path} without a session");
        }
    }
}

/// S29: no older field lets a cache keep what `no-store` forbids.
#[tokio::test]
async fn a_response_with_a_cookie_keeps_no_other_lifetime() {
    async fn logs_in(session: Session) -> impl IntoResponse {
        session.login("alice");
        let fields = [
            ("cache-control", "public, max-age=3600"),
            ("expires", "Thu, 01 Jan 2099 00:00:00 GMT"),
            ("x-accel-expires", "3600"),
        ];
        (StatusCode::NOT_MODIFIED, fields)
    }
    for layer in layers(&Events::default()) {
        let client = Client::around(Router::new().route("/", post(logs_in)).layer(layer));
        let answer = client.post("/", &[]).await;
        assert!(answer.cookie(SESSION).is_some());
        assert_eq!(answer.headers["cache-control"], "no-store");
        for field in ["expires", "x-accel-expires"] {
            assert!(!answer.headers.contains_key(field), "{field}");
        }
    }
}

/// S10: junk ahead of a good cookie, as another host of the domain can set it.
#[tokio::test]
async fn no_number_of_junk_cookies_makes_a_user_anonymous() {
    for layer in layers(&Events::default()) {
        let client = Client::of(layer);
        let token = client.login("alice").await;
        let forged: Vec<_> = (0..200_usize)
            .map(|number| {
                let mut forged = token.clone().into_bytes();
                let at = number % forged.len();
                forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
                String::from_utf8(forged).unwrap()
            })
            .collect();
        let mut cookies: Vec<_> = forged.iter().map(|value| (SESSION, &**value)).collect();
        cookies.push((SESSION, &token));
        assert_eq!(client.whoami(&cookies).await, "alice@1");
    }
}

/// S19: the same layer once more changes nothing, and two that would fight over a cookie are told of at once.
#[tokio::test]
async fn a_layer_that_is_there_twice_passes_through_and_two_of_one_cookie_are_refused() {
    let events = Events::default();
    for layer in layers(&events) {
        let twice = common::app(common::Stop::default())
            .layer(layer.clone())
            .layer(layer.clone());
        let client = Client::around(twice);
        let token = client.login("alice").await;
        assert_eq!(client.whoami(&[(SESSION, &token)]).await, "alice@1");
        let cookies = [(SESSION, &*token)];
        assert_eq!(client.mark("put:k:v", &cookies).await.status, 200);
        assert_eq!(client.mark("logout", &cookies).await.status, 200);
        assert_eq!(client.whoami(&cookies).await, "nobody");

        let other = layer.clone().with_audience("other");
        let fighting = common::app(common::Stop::default())
            .layer(layer.clone())
            .layer(other);
        let client = Client::around(fighting);
        events.take();
        let answer = client.mark("login:alice", &[]).await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(answer.sets_nothing());
        assert_eq!(events.take(), [EventKind::LayersShareCookie]);

        let named = CookiePolicy::builder().name("admin").build().unwrap();
        let realms = common::app(common::Stop::default())
            .layer(layer.clone())
            .layer(layer.with_cookies(named));
        assert_eq!(
            Client::around(realms).mark("login:alice", &[]).await.status,
            200
        );
    }
}
