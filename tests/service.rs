//! The layer as a tower citizen: readiness, errors, bodies of any kind, the failure hook, extractors.

#![cfg(all(feature = "axum", feature = "testing"))]

mod common;

use std::{
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll},
};

use axum::{Json, Router, body::Body, routing::get};
use common::{Client, Events, SESSION, both_modes, clock, collect, keys, request};
use http::{HeaderMap, Request, Response, StatusCode, header};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_session_guard::{
    AuthenticatedSession, EventKind, MemoryStore, Session, SessionError, SessionLayer,
    testing::{FaultyStore, StoreOperation},
};

/// A service that only answers the instance that said it was ready, and whose clones are not.
#[derive(Debug, Default)]
struct Strict {
    ready: bool,
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self { ready: false }
    }
}

impl Service<Request<Body>> for Strict {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        assert!(
            std::mem::take(&mut self.ready),
            "called before it was ready"
        );
        ready(Ok(Response::default()))
    }
}

#[tokio::test]
async fn the_instance_that_is_ready_is_the_one_that_is_called() {
    for layer in both_modes() {
        let layer = layer.with_clock(clock());
        let token = Client::of(layer.clone()).login("alice").await;
        let mut service = layer.layer(Strict::default());
        for _ in 0..3 {
            for cookies in [&[][..], &[(SESSION, &*token)]] {
                let request = request("GET", "/", cookies);
                let response = service.ready().await.unwrap().call(request).await.unwrap();
                assert_eq!(response.status(), 200);
            }
        }
    }
}

/// An inner error passes through; what the handler marked before counts as after a disconnect.
#[tokio::test]
async fn an_inner_error_passes_through_and_keeps_what_lowers() {
    for layer in both_modes() {
        let layer = layer.with_clock(clock());
        let client = Client::of(layer.clone());
        let failing = layer.layer(service_fn(|request: Request<Body>| async move {
            let session = request.extensions().get::<Session>().unwrap();
            common::apply(session, &request.uri().path()[1..]);
            Err::<Response<Body>, _>("the inner service failed")
        }));
        for (marks, who) in [("login:bob", "alice@1"), ("logout", "nobody")] {
            let token = client.login("alice").await;
            let request = request("POST", &format!("/{marks}"), &[(SESSION, &token)]);
            let error = failing.clone().oneshot(request).await.unwrap_err();
            assert_eq!(error, "the inner service failed");
            assert_eq!(client.whoami(&[(SESSION, &token)]).await, who);
        }
    }
}

/// The body's type is the application's: it needs no default where a hook makes the reply.
#[tokio::test]
async fn a_hook_replies_to_failures_and_cannot_let_a_cookie_out() {
    struct NoDefault(String);
    let store = FaultyStore::new(MemoryStore::new());
    let layer = SessionLayer::new(keys())
        .with_clock(clock())
        .with_store(store.clone());
    let token = Client::of(layer.clone()).login("alice").await;
    let layer = layer.on_failure(|error: &SessionError| {
        let mut response = Response::new(NoDefault(error.to_string()));
        *response.status_mut() = StatusCode::BAD_GATEWAY;
        let intruder = format!("{SESSION}=intruder");
        response
            .headers_mut()
            .insert(header::SET_COOKIE, intruder.parse().unwrap());
        response
    });
    let service = layer.layer(service_fn(|_: Request<Body>| async {
        Ok::<_, Infallible>(Response::new(NoDefault("home".to_owned())))
    }));
    let ask = || request("GET", "/", &[(SESSION, &token)]);
    let answer = service.clone().oneshot(ask()).await.unwrap();
    assert_eq!(answer.body().0, "home");
    store.fail(StoreOperation::Load, 1, 0);
    let answer = service.oneshot(ask()).await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &*answer.body().0),
        (502, "the session store failed")
    );
    assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store");
    assert!(!answer.headers().contains_key(header::SET_COOKIE));
}

/// R45: a mark counts until the head has left, and the body may take its time.
#[tokio::test]
async fn a_streaming_answer_carries_the_cookie_in_its_head() {
    use http_body_util::{BodyExt, StreamBody};
    use tokio_stream::{StreamExt, wrappers::ReceiverStream};

    let events = Events::default();
    let (send, receive) = tokio::sync::mpsc::channel::<String>(1);
    let receive = std::sync::Arc::new(std::sync::Mutex::new(Some((send.clone(), receive))));
    let handler = get(move |session: Session| async move {
        session.login("alice");
        let (_, receive) = receive.lock().unwrap().take().unwrap();
        let late = session.clone();
        let frames = ReceiverStream::new(receive).map(move |chunk| {
            late.login("mallory");
            Ok::<_, Infallible>(hyper::body::Frame::data(bytes::Bytes::from(chunk)))
        });
        Body::new(StreamBody::new(frames))
    });
    let layer = SessionLayer::new(keys())
        .with_clock(clock())
        .with_observer(events.clone());
    let app = Router::new().route("/", handler).layer(layer.clone());
    let mut response = app.oneshot(request("GET", "/", &[])).await.unwrap();
    let cookie = response.headers()[header::SET_COOKIE].to_str().unwrap();
    let token = cookie.split([';', '=']).nth(1).unwrap().to_owned();
    assert_eq!(
        Client::of(layer).whoami(&[(SESSION, &token)]).await,
        "alice@1"
    );
    events.take();
    send.send("data: 1\n\n".to_owned()).await.unwrap();
    let frame = response.body_mut().frame().await.unwrap().unwrap();
    assert_eq!(frame.into_data().unwrap(), "data: 1\n\n");
    assert_eq!(events.take(), [EventKind::LateMark]);
}

/// R45: switching protocols takes the cookie along.
#[tokio::test]
async fn a_switch_of_protocols_carries_the_cookie() {
    let handler = get(|session: Session| async move {
        session.login("alice");
        (
            StatusCode::SWITCHING_PROTOCOLS,
            [(header::UPGRADE, "websocket")],
        )
    });
    let app = Router::new()
        .route("/", handler)
        .layer(SessionLayer::new(keys()));
    let response = app.oneshot(request("GET", "/", &[])).await.unwrap();
    assert_eq!(response.status(), 101);
    assert!(response.headers().contains_key(header::SET_COOKIE));
}

/// Named rejections, with and without the layer.
#[tokio::test]
async fn extractors_say_what_is_missing() {
    let router = || {
        Router::new()
            .route("/session", get(|_: Session| async {}))
            .route("/user", get(|_: AuthenticatedSession| async {}))
            .route(
                "/maybe",
                get(|user: Option<AuthenticatedSession>| async move {
                    Json(user.map(|user| user.subject().to_string()))
                }),
            )
    };
    let layer = SessionLayer::new(keys()).with_clock(clock());
    let token = Client::of(layer.clone()).login("alice").await;
    let alice = [(SESSION, &*token)];
    for (path, cookies, within, status, body) in [
        ("/session", &[][..], true, 200, ""),
        ("/session", &[], false, 500, ""),
        ("/user", &[], true, 401, ""),
        ("/user", &alice, true, 200, ""),
        ("/user", &alice, false, 500, ""),
        ("/maybe", &[], true, 200, "null"),
        ("/maybe", &alice, true, 200, "\"alice\""),
        ("/maybe", &alice, false, 500, ""),
    ] {
        let app = if within {
            router().layer(layer.clone())
        } else {
            router()
        };
        let answer = collect(app.oneshot(request("GET", path, cookies)).await.unwrap()).await;
        assert_eq!(answer.status.as_u16(), status, "{path} {within}");
        // `tests/mistakes.rs` has what a 500 says in debug builds.
        if status != 500 {
            assert_eq!(answer.body, body, "{path} {within}");
        }
        // R77: the extractor itself is a look.
        assert_eq!(
            answer.headers.contains_key(header::VARY),
            within,
            "{path} {within}"
        );
    }
}

/// A header map is all that the layer needs to know of a request: no axum, no body.
#[tokio::test]
async fn any_request_body_will_do() {
    struct Anything;
    let layer = SessionLayer::new(keys());
    let service = layer.layer(service_fn(|request: Request<Anything>| async move {
        let Anything = request.into_body();
        Ok::<_, Infallible>(Response::new(()))
    }));
    let answer = service.oneshot(Request::new(Anything)).await.unwrap();
    assert_eq!(answer.headers(), &HeaderMap::new());
}
