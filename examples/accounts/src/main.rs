//! Run with `cargo run -p accounts` and open the address that it prints. Log in as alice, bob or the administrator admin: the password is
//! demo, the code 123456.
//!
//! It has the cookies of production on plain HTTP at localhost. Safari keeps no such cookie without HTTPS: take another browser. Behind
//! HTTPS it binds sessions to their devices, in browsers that can.
//!
//! | variable | is | unless set |
//! |---|---|---|
//! | `ADDR` | where it listens | `127.0.0.1:3000` |
//! | `ORIGIN` | what stands in the address bar, as `https://bank.example` behind a proxy | `http://localhost:` and the port |
//! | `DATABASE` | the file with users and sessions | `accounts.db` |
//! | `SESSION_KEYS` | keys that outlast a restart (`openssl rand -hex 32`) | new ones: a restart logs everybody out |
//! | `RUST_LOG` | what the log tells | `info` |

use std::{env, error::Error, net::SocketAddr, sync::Arc, time::Duration};

use accounts::{database, demo, users::Users};
use axum::extract::ConnectInfo;
use tokio::net::TcpListener;
use tower_session_guard::{
    ClientBinding, Clock, KeyRing, RequireOrigin, SessionLayer, SystemClock,
};
use tower_session_guard_sqlx::SqliteStore;
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let told = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(told).init();

    let pool = database::open(variable("DATABASE", "accounts.db")).await?;
    let users = Users::new(pool.clone());
    demo::seed(&users).await?;
    let store = SqliteStore::new(pool);
    store.migrate().await?;
    tokio::spawn(keep_clean(store.clone()));

    let keys = match env::var_os("SESSION_KEYS") {
        Some(_) => KeyRing::from_env("SESSION_KEYS")?,
        None => KeyRing::generate()?,
    };
    // Tells of a session that comes from another kind of browser or another network; logs nobody out.
    let binding = ClientBinding::recommended().peer(|extensions| {
        let ConnectInfo(peer) = extensions.get::<ConnectInfo<SocketAddr>>()?;
        Some(peer.ip())
    });
    let sessions = SessionLayer::new(keys.clone()).with_store(store);
    let sessions = accounts::configured(sessions)?.with_binding(binding);

    let listener = TcpListener::bind(variable("ADDR", "127.0.0.1:3000")).await?;
    let address = format!("http://localhost:{}", listener.local_addr()?.port());
    let origin = RequireOrigin::new(variable("ORIGIN", &address))?;
    let app = accounts::router(
        sessions.clone(),
        &keys,
        users,
        Arc::new(SystemClock),
        origin,
    )?;
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    println!("open {address}");
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

fn variable(name: &str, unless_set: &str) -> String {
    env::var(name).unwrap_or_else(|_| unless_set.to_owned())
}

/// Deletes what has expired, once a minute.
async fn keep_clean(store: SqliteStore) {
    let mut minutes = tokio::time::interval(Duration::from_secs(60));
    loop {
        minutes.tick().await;
        while let Ok(1000) = store.sweep(SystemClock.now(), 1000).await {}
    }
}

/// Done once Ctrl-C was pressed.
async fn stopped() {
    if tokio::signal::ctrl_c().await.is_err() {
        // It cannot be noticed here: serve on.
        std::future::pending::<()>().await;
    }
}
