//! A small site with everything around a login: two factors, sudo mode, a guarded transfer, the page "your sessions", and
//! a WebSocket by which every open page notices that its session has ended. It has the cookies of production on plain
//! HTTP at localhost. Behind HTTPS it binds sessions to their devices, in browsers that can.
//!
//! Run with `cargo run -p accounts` and open the address that it prints; with `RUST_LOG=info` the
//! log tells of logins and logouts. Safari keeps no such cookie without HTTPS: take another browser.
//! `ADDR` sets another one than `127.0.0.1:3000`, and `ORIGIN` says what stands in the address bar then, as
//! `https://bank.example` behind a proxy. Sessions are in this process's memory, so a restart logs
//! everybody out; `SESSION_KEYS` keeps logins where the sessions are in a store that outlasts it.

use std::{env, error::Error, net::SocketAddr, sync::Arc, time::Duration};

use axum::extract::ConnectInfo;
use tokio::net::TcpListener;
use tower_session_guard::{ClientBinding, KeyRing, RequireOrigin, SessionLayer, SystemClock};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt::init();
    let keys = match env::var_os("SESSION_KEYS") {
        Some(_) => KeyRing::from_env("SESSION_KEYS")?,
        None => KeyRing::generate()?,
    };
    // Tells of a session that comes from another kind of browser or another network; logs nobody out.
    let binding = ClientBinding::recommended().peer(|extensions| {
        let ConnectInfo(peer) = extensions.get::<ConnectInfo<SocketAddr>>()?;
        Some(peer.ip())
    });
    let sessions = accounts::configured(SessionLayer::new(keys))?.with_binding(binding);

    let address = env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(&address).await?;
    let own = format!("http://localhost:{}", listener.local_addr()?.port());
    let origin = RequireOrigin::new(env::var("ORIGIN").unwrap_or_else(|_| own.clone()))?;
    println!("open {own}");
    let app = accounts::router(sessions.clone(), Arc::new(SystemClock), origin)?;
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, app)
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
