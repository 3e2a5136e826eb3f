//! Serves an application before, during and after its move, each at a port of this machine.
//!
//! Run with `cargo run -p migrate -- axum-login` or `cargo run -p migrate -- tower-sessions`.

use std::{env, error::Error};

use axum::Router;
use migrate::{from_axum_login, from_tower_sessions, users::Users};
use tokio::net::TcpListener;
use tower_session_guard::{CookiePolicy, KeyRing, SessionLayer};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt()
        .with_env_filter("warn,migrate=info,tower_session_guard=info")
        .init();
    let users = Users::demo();
    let sessions = SessionLayer::new(KeyRing::generate()?)
        .with_cookies(CookiePolicy::plain_http_for_development());
    let [before, both, after] = match env::args().nth(1).as_deref() {
        Some("axum-login") => {
            use from_axum_login::{after, before, both};
            let which = both::Adopt::Noted;
            let old = tower_sessions_0_14::MemoryStore::default();
            [
                before::router(users.clone(), old.clone()),
                both::router(users.clone(), old, sessions.clone(), which),
                after::router(users, sessions),
            ]
        }
        Some("tower-sessions") => {
            use from_tower_sessions::{after, before, both};
            let old = tower_sessions::MemoryStore::default();
            [
                before::router(users.clone(), old.clone()),
                both::router(users.clone(), old, sessions.clone()),
                after::router(users, sessions),
            ]
        }
        _ => return Err("say `axum-login` or `tower-sessions`".into()),
    };
    println!(
        "before: http://localhost:3001, both: http://localhost:3002, after: http://localhost:3003"
    );
    tokio::try_join!(serve(before, 3001), serve(both, 3002), serve(after, 3003))?;
    Ok(())
}

async fn serve(app: Router, port: u16) -> Result<(), std::io::Error> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    axum::serve(listener, app).await
}
