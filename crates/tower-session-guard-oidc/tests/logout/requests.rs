//! Which requests bring a token, and what every answer has; over a real server too.

use std::io;

use axum::{body::Body, http::Request};
use bytes::Bytes;
use futures_util::{Stream, stream};
use http_body_util::Full;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::net::TcpListener;

use crate::world::{SID, World, form};

/// R57: a form of a `POST`, with one token, and nothing in the URL.
#[tokio::test]
async fn only_a_form_with_one_token_is_read() {
    let world = World::new();
    let session = world.login("alice", SID).await;
    let token = world.token();
    let typed = |content_type: &str| {
        Request::post("/backchannel-logout")
            .header("content-type", content_type)
            .body(Body::from(format!("logout_token={token}")))
            .unwrap()
    };
    let mut twice = typed("application/x-www-form-urlencoded");
    let again = twice.headers()["content-type"].clone();
    twice.headers_mut().append("content-type", again);
    let untyped =
        Request::post("/backchannel-logout").body(Body::from(format!("logout_token={token}")));
    let query = Request::post(format!("/backchannel-logout?logout_token={token}"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::empty());
    for request in [
        typed("application/json"),
        typed("text/plain"),
        typed("multipart/form-data; boundary=x"),
        typed("application/x-www-form-urlencoded2"),
        twice,
        untyped.unwrap(),
        query.unwrap(),
        form(""),
        form(token.clone()),
        form(format!("token={token}")),
        form(format!("Logout_Token={token}")),
        form(format!("logout_token={token}&logout_token={token}")),
        form(format!("logout_token={token}&logout_token=")),
        form(format!("logout%5Ftoken={token}&logout_token={token}")),
        form(format!("logout_token={token}&a={}", "x".repeat(65_536))),
        form(Body::from_stream(endless(&token))),
    ] {
        let answer = world.send(request).await;
        assert_eq!(answer.status, 400);
        assert_eq!(answer.headers["cache-control"], "no-store");
    }
    assert_eq!(world.who(&session).await, "alice");
    for request in [
        typed("Application/X-WWW-Form-Urlencoded; charset=UTF-8"),
        form(format!("a=1&logout_token={}&b=2", world.token())),
        form(format!(
            "logout_token={}",
            world.token().replace('.', "%2E")
        )),
    ] {
        assert_eq!(world.send(request).await.status, 200);
    }
    assert_eq!(world.who(&session).await, "nobody");
}

/// A body of unknown length that never ends.
fn endless(token: &str) -> impl Stream<Item = Result<String, io::Error>> + use<> {
    let start = format!("logout_token={token}&a=");
    stream::unfold(Some(start), |next| async move {
        let next = next.unwrap_or_else(|| "x".repeat(1024));
        Some((Ok(next), None))
    })
}

#[tokio::test]
async fn another_method_is_told_which_one_it_is() {
    let world = World::new();
    for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"] {
        let request = Request::builder()
            .method(method)
            .uri(format!(
                "/backchannel-logout?logout_token={}",
                world.token()
            ))
            .body(Body::empty());
        let answer = world.send(request.unwrap()).await;
        assert_eq!(answer.status, 405, "{method}");
        assert_eq!(answer.headers["allow"], "POST");
        assert_eq!(answer.headers["cache-control"], "no-store");
    }
}

#[tokio::test]
async fn a_logout_is_answered_with_an_empty_200_that_is_not_stored() {
    let world = World::new();
    let answer = world.log_out(&world.token()).await;
    assert_eq!((answer.status.as_u16(), &*answer.body), (200, ""));
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert!(!answer.headers.contains_key("set-cookie"));
}

/// R57: over HTTP/1 and a real socket, as a provider sends it.
#[tokio::test]
async fn a_provider_logs_out_over_http() {
    let world = World::new();
    let session = world.login("alice", SID).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "http://{}/backchannel-logout",
        listener.local_addr().unwrap()
    );
    let server = tokio::spawn(axum::serve(listener, world.app()).into_future());
    let client = Client::builder(TokioExecutor::new()).build_http();
    let mut statuses = Vec::new();
    for token in ["junk".to_owned(), world.token()] {
        let body = Full::new(Bytes::from(format!("logout_token={token}")));
        let request = Request::post(&url)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body);
        let answer = client.request(request.unwrap()).await.unwrap();
        assert_eq!(answer.headers()["cache-control"], "no-store");
        statuses.push(answer.status().as_u16());
    }
    assert_eq!(statuses, [400, 200]);
    assert_eq!(world.who(&session).await, "nobody");
    server.abort();
}
