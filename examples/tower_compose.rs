//! The layer among tower-http's, in the right order, and why.
//!
//! Run with `cargo run --example tower_compose`, then
//! `curl -i -X POST http://127.0.0.1:3002/login -H 'Sec-Fetch-Site: same-origin'`.

use std::{env, error::Error, time::Duration};

use axum::{
    Router,
    http::StatusCode,
    routing::{get, post},
};
use tokio::net::TcpListener;
use tower::ServiceBuilder;
use tower_http::{
    catch_panic::CatchPanicLayer, compression::CompressionLayer, csrf::CsrfLayer,
    timeout::TimeoutLayer, trace::TraceLayer,
};
use tower_session_guard::{AuthenticatedSession, KeyRing, Session, SessionLayer};

fn app(sessions: SessionLayer) -> Router {
    let layers = ServiceBuilder::new()
        // Outermost: it sees what really left, our replies to failures included. It logs neither request
        // nor response headers, so no token reaches the log.
        .layer(TraceLayer::new_for_http())
        // Outside the session layer: a panic has to pass through that layer, so that it sees that the
        // handler never answered and drops the login that the handler may have marked.
        .layer(CatchPanicLayer::new())
        // A layer for CORS stands here, outside the session layer and every guard: browsers send a preflight
        // without cookies, so a guard would refuse it.
        //
        // Refuses unsafe requests that another site or a sibling host made the browser send: login CSRF
        // included, which no token of the session can stop. Before the session layer, so that such a
        // request costs no store call.
        .layer(CsrfLayer::new())
        // Compresses outside the session layer: responses that carry secrets beside what an attacker may
        // choose should opt out, see BREACH.
        .layer(CompressionLayer::new())
        .layer(sessions)
        // Inside the session layer: a handler that takes too long is answered here, with a status, and
        // the session is settled by that status. Outside, the whole request would be dropped instead,
        // which carries out logouts and drops logins.
        .layer(TimeoutLayer::with_status_code(
            StatusCode::SERVICE_UNAVAILABLE,
            Duration::from_secs(10),
        ));
    Router::new()
        .route("/", get(home))
        .route("/login", post(login))
        .layer(layers)
}

async fn home(user: AuthenticatedSession) -> String {
    format!("hello {}\n", user.subject())
}

async fn login(session: Session) -> &'static str {
    // A real application verifies a password or a passkey first.
    session.login("42");
    "logged in\n"
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .init();
    let address = env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:3002".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    // In this process's memory: a restart logs everybody out.
    let sessions = SessionLayer::new(KeyRing::generate()?);
    axum::serve(listener, app(sessions.clone()))
        .with_graceful_shutdown(stopped())
        .await?;
    // A logout whose client has left goes on without its request.
    let drained = sessions.drain(Duration::from_secs(5)).await;
    if !drained.is_complete() {
        eprintln!("{} settlements were left", drained.left);
    }
    Ok(())
}

/// Done once Ctrl-C was pressed.
async fn stopped() {
    if tokio::signal::ctrl_c().await.is_err() {
        // It cannot be noticed here: serve on.
        std::future::pending::<()>().await;
    }
}
