//! Over real sockets with hyper: HTTP/1 and HTTP/2, HEAD, error statuses and 304.

#![cfg(all(feature = "axum", feature = "testing"))]

mod common;

use std::{convert::Infallible, net::SocketAddr};

use bytes::Bytes;
use common::{SESSION, keys};
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::net::TcpListener;
use tower::{ServiceBuilder, service_fn};
use tower_session_guard::{Session, SessionLayer};

type HttpClient = Client<HttpConnector, Empty<Bytes>>;

async fn handle(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let session = request.extensions().get::<Session>().unwrap();
    let mut response = Response::new(Full::default());
    match request.uri().path() {
        "/login" => session.login("alice"),
        "/not-modified" => {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response
                .headers_mut()
                .insert(header::ETAG, "\"1\"".parse().unwrap());
        }
        "/not-found" => {
            session.login("alice");
            *response.status_mut() = StatusCode::NOT_FOUND;
        }
        "/see-other" => {
            session.login("alice");
            *response.status_mut() = StatusCode::SEE_OTHER;
            response
                .headers_mut()
                .insert(header::LOCATION, "/".parse().unwrap());
        }
        _ => {
            let who = session
                .subject()
                .map_or("nobody".to_owned(), |who| who.to_string());
            *response.body_mut() = Full::from(who);
        }
    }
    Ok(response)
}

async fn serve() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = ServiceBuilder::new()
        .layer(SessionLayer::new(keys()))
        .service(service_fn(handle));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(async move {
                let connection = auto::Builder::new(TokioExecutor::new());
                let served = connection.serve_connection(TokioIo::new(stream), service);
                served.await.unwrap();
            });
        }
    });
    address
}

fn clients() -> [HttpClient; 2] {
    [false, true].map(|http2_only| {
        let mut builder = Client::builder(TokioExecutor::new());
        builder.http2_only(http2_only).build_http()
    })
}

fn request(method: Method, address: SocketAddr, path: &str) -> Request<Empty<Bytes>> {
    let request = Request::builder().method(method);
    let uri = format!("http://{address}{path}");
    request.uri(uri).body(Empty::new()).unwrap()
}

fn token(response: &Response<Incoming>) -> String {
    let cookie = response.headers()[header::SET_COOKIE].to_str().unwrap();
    let value = cookie
        .strip_prefix(SESSION)
        .unwrap()
        .strip_prefix('=')
        .unwrap();
    value.split(';').next().unwrap().to_owned()
}

/// R50, A15: over HTTP/2 every cookie comes in a field of its own.
#[tokio::test]
async fn a_session_is_found_among_split_cookie_fields() {
    let address = serve().await;
    for client in clients() {
        let login = client
            .request(request(Method::POST, address, "/login"))
            .await
            .unwrap();
        let token = token(&login);
        let mut whoami = request(Method::GET, address, "/");
        for field in ["theme=dark", &format!("{SESSION}={token}"), "lang=de"] {
            whoami
                .headers_mut()
                .append(header::COOKIE, field.parse().unwrap());
        }
        let answer = client.request(whoami).await.unwrap();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, "alice");
    }
}

/// R45.
#[tokio::test]
async fn the_cookie_leaves_with_every_kind_of_answer() {
    let address = serve().await;
    for client in clients() {
        for (method, path, status) in [
            (Method::POST, "/not-found", 404),
            (Method::POST, "/see-other", 303),
            (Method::HEAD, "/login", 200),
        ] {
            let answer = client
                .request(request(method, address, path))
                .await
                .unwrap();
            assert_eq!(answer.status(), status);
            let mut whoami = request(Method::GET, address, "/");
            let cookie = format!("{SESSION}={}", token(&answer));
            whoami
                .headers_mut()
                .insert(header::COOKIE, cookie.parse().unwrap());
            let answer = client.request(whoami).await.unwrap();
            let body = answer.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(body, "alice");
        }
        let answer = client
            .request(request(Method::GET, address, "/not-modified"))
            .await
            .unwrap();
        assert_eq!(answer.status(), 304);
        assert_eq!(answer.headers()[header::ETAG], "\"1\"");
        assert!(!answer.headers().contains_key(header::SET_COOKIE));
    }
}
