//! An application that reads its signing keys again on SIGHUP, so that they roll over without a restart. Unix only.
//!
//! Run with
//! `(umask 077; openssl rand -hex 32 > session.keys)` and
//! `RUST_LOG=info SESSION_KEYS_FILE=session.keys cargo run --example key_reload`;
//! log in with `curl -i -X POST http://127.0.0.1:3000/login`, and say hello with the cookie that it set:
//! `curl -b '__Host-Http-session=…' http://127.0.0.1:3000/`. `ADDR` sets another address.
//!
//! To roll over, edit a copy of the file, move it into place and send `kill -HUP PID`. The log says which key signs, by its
//! id, and nobody is logged out:
//!
//! 1. On every node the new key becomes the second line, with `next:` before it: `echo "next:$(openssl rand -hex 32)"`.
//!    Every node can read it then, and none signs with it.
//! 2. Once all nodes say so, it becomes the first line, without `next:`, one node after the other. It signs from then on.
//!    Tokens under the key that is second now are signed again when they are used.
//! 3. Once the sessions that nobody used since have expired (a day with the default policy), the old key leaves the file.
//!
//! After a leak do not wait: make a new key the only line, on every node. Everybody logs in again.

#[path = "key_reload/app.rs"]
mod app;
#[path = "key_reload/reload.rs"]
mod reload;

use std::{env, error::Error, time::Duration};

use tokio::net::TcpListener;
use tower_session_guard::{KeyRing, SessionLayer};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt::init();
    let file = env::var("SESSION_KEYS_FILE").unwrap_or_else(|_| "session.keys".to_owned());
    // What is wrong at the start ends the process, and says what to write instead.
    let ring = KeyRing::from_file(&file)?;
    reload::tell(&ring);
    // The layer has a clone, which is the same ring.
    let sessions = SessionLayer::new(ring.clone());
    let app = app::router(sessions.clone());
    #[cfg(unix)]
    tokio::spawn(reload::at_each(reload::hangups()?, ring, file.into()));

    let address = env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(&address).await?;
    println!("listening on http://{}", listener.local_addr()?);
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
