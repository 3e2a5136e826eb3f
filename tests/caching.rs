//! What caches are told of a response that depended on a session.

#![cfg(all(feature = "axum", feature = "testing"))]

mod common;

use std::time::Duration;

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use common::{AnyLayer, Client, Events, GUEST, SESSION, both_modes, clock, whoami};
use tower_session_guard::{AuthenticatedSession, Caching, EventKind, Session, SessionPolicy};

/// `/read` reads the session and says of caches what the query says, as `name=value;name=value`.
fn app(layer: AnyLayer) -> Client {
    async fn read(session: Session, request: Request<Body>) -> Response {
        let mut response = whoami(&session).into_response();
        let fields = request.uri().query().unwrap_or_default();
        for field in fields.split(';').filter(|field| !field.is_empty()) {
            let (name, value) = field.split_once('=').unwrap();
            let name = header::HeaderName::try_from(name).unwrap();
            response.headers_mut().append(name, value.parse().unwrap());
        }
        response
    }
    async fn lies_there(request: Request<Body>) -> impl IntoResponse {
        let found = request.extensions().get::<AuthenticatedSession>().is_some();
        (
            [(header::CACHE_CONTROL, "public, max-age=60")],
            found.to_string(),
        )
    }
    let own = Router::new()
        .route("/read", get(read))
        .route("/read/again", get(read))
        .route("/lies-there", get(lies_there))
        .route(
            "/not-modified",
            get(async |_: Session| StatusCode::NOT_MODIFIED),
        )
        .merge(common::app(common::Stop::default()));
    Client::around(own.layer(layer))
}

/// R78: of a user and of a guest; an anonymous answer has `Vary` alone.
#[tokio::test]
async fn what_depended_on_a_live_session_is_private_unless_its_handler_says_otherwise() {
    for layer in both_modes() {
        let client = app(layer);
        let token = client.login("alice").await;
        let guest = client.guest().await;
        let (alice, visitor) = ([(SESSION, &*token)], [(GUEST, &*guest)]);
        for (path, cookies, expected) in [
            ("/read", &alice[..], Some("private")),
            ("/read", &visitor, Some("private")),
            ("/read", &[], None),
            ("/read", &[(SESSION, "forged")], None),
            ("/not-modified", &alice, Some("private")),
            ("/not-modified", &[], None),
            ("/read?cache-control=max-age=60", &alice, Some("max-age=60")),
            ("/read?cache-control=no-cache", &alice, Some("no-cache")),
            ("/read?cache-control=public", &alice, Some("public")),
            ("/public", &alice, Some("private")),
            ("/public", &visitor, None),
            ("/lies-there", &alice, Some("public, max-age=60")),
        ] {
            let answer = client.get(path, cookies).await;
            let told = answer.headers.get(header::CACHE_CONTROL);
            assert_eq!(
                told.map(|value| value.to_str().unwrap()),
                expected,
                "{path}"
            );
            let reads = path.starts_with("/read");
            assert!(!reads || answer.headers[header::VARY] == "Cookie", "{path}");
            assert!(answer.sets_nothing());
        }
    }
}

/// R78.
#[tokio::test]
async fn what_caches_are_told_can_be_set() {
    for (caching, expected) in [
        (Caching::Private, Some("private")),
        (Caching::NoStore, Some("no-store")),
        (Caching::Unset, None),
    ] {
        for layer in both_modes() {
            let client = app(layer.with_caching(caching));
            let token = client.login("alice").await;
            for path in ["/read", "/not-modified"] {
                let answer = client.get(path, &[(SESSION, &token)]).await;
                let told = answer.headers.get(header::CACHE_CONTROL);
                assert_eq!(told.map(|value| value.to_str().unwrap()), expected);
            }
            // R43: it says nothing of answers that write a cookie.
            let login = client.mark("login:alice", &[]).await;
            assert_eq!(login.headers[header::CACHE_CONTROL], "no-store");
        }
    }
}

/// R78: a handler that lets shared caches keep what is a user's own is told of, once a minute for each path.
#[tokio::test]
async fn a_page_of_a_session_that_shared_caches_may_keep_is_told_of_once_a_minute() {
    for layer in both_modes() {
        let (time, events) = (clock(), Events::default());
        // Without an idle timer no cookie leaves with an answer, which would be `no-store`.
        let layer = layer.with_policy(SessionPolicy::aal1());
        let layer = layer.with_clock(time.clone()).with_observer(events.clone());
        let client = app(layer);
        let token = client.login("alice").await;
        let told = [EventKind::SharedCacheAllowed];
        for (path, logged_in, expected) in [
            ("/read?cache-control=public", true, &told[..]),
            ("/read?cache-control=public", true, &[]),
            ("/read/again?surrogate-control=max-age=60", true, &told),
            ("/read/again?cdn-cache-control=max-age=60", true, &[]),
            // Nobody's page, and one that never looked at whose it is.
            ("/read?cache-control=public", false, &[]),
            ("/lies-there", true, &[]),
            ("/read?cache-control=max-age=60", true, &[]),
            ("/read", true, &[]),
        ] {
            events.take();
            let cookies = [(SESSION, &*token)];
            let cookies = cookies.get(..usize::from(logged_in)).unwrap();
            let answer = client.get(path, cookies).await;
            assert_eq!(answer.status, StatusCode::OK);
            assert_eq!(events.take(), expected, "{path}");
        }
        for minute in 0..2 {
            time.advance(Duration::from_secs(59));
            events.take();
            let cookies = [(SESSION, &*token)];
            client
                .get("/read?cache-control=s-maxage=60", &cookies)
                .await;
            let expected: &[_] = if minute == 0 { &[] } else { &told };
            assert_eq!(events.take(), expected);
        }
    }
}
