//! The layer around a plain hyper service, over HTTP/1 and HTTP/2.
//!
//! Run with `cargo run --example hyper`, then
//! `curl -i -X POST 'http://127.0.0.1:3001/login'`, and with the cookie that it set
//! `curl -b '__Host-Http-session=…' http://127.0.0.1:3001/`.

use std::{convert::Infallible, env, error::Error, time::Duration};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::net::TcpListener;
use tower::{ServiceBuilder, service_fn};
use tower_session_guard::{AuthenticatedSession, KeyRing, Session, SessionLayer};

async fn handle(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let extensions = request.extensions();
    let Some(session) = extensions.get::<Session>() else {
        return Ok(answer(
            StatusCode::INTERNAL_SERVER_ERROR,
            "no session layer",
        ));
    };
    Ok(match (request.method(), request.uri().path()) {
        (&Method::GET, "/") => match extensions.get::<AuthenticatedSession>() {
            Some(user) => answer(StatusCode::OK, &format!("hello {}\n", user.subject())),
            None => answer(StatusCode::UNAUTHORIZED, "nobody is logged in\n"),
        },
        (&Method::POST, "/login") => {
            // A real application verifies a password or a passkey first.
            session.login("42");
            answer(StatusCode::OK, "logged in\n")
        }
        (&Method::POST, "/logout") => {
            session.logout();
            answer(StatusCode::OK, "logged out\n")
        }
        _ => answer(StatusCode::NOT_FOUND, "not found\n"),
    })
}

fn answer(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(text.to_owned()));
    *response.status_mut() = status;
    response
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let address = env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:3001".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);

    // Sessions are in this process's memory, so a restart logs everybody out, under whichever keys.
    let keys = match env::var_os("SESSION_KEYS") {
        Some(_) => KeyRing::from_env("SESSION_KEYS")?,
        None => KeyRing::generate()?,
    };
    let sessions = SessionLayer::new(keys);
    let service = ServiceBuilder::new()
        .layer(sessions.clone())
        .service(service_fn(handle));

    let connections = GracefulShutdown::new();
    loop {
        let (stream, _) = tokio::select! {
            accepted = listener.accept() => accepted?,
            _ = tokio::signal::ctrl_c() => break,
        };
        let service = TowerToHyperService::new(service.clone());
        let builder = auto::Builder::new(TokioExecutor::new());
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        let served = connections.watch(connection.into_owned());
        tokio::spawn(async move {
            if let Err(error) = served.await {
                eprintln!("connection: {error}");
            }
        });
    }
    connections.shutdown().await;
    // A logout whose client has left goes on without its request.
    let drained = sessions.drain(Duration::from_secs(5)).await;
    if !drained.is_complete() {
        eprintln!("{} settlements were left", drained.left);
    }
    Ok(())
}
