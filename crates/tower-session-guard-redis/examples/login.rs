//! Sessions in Redis or Valkey, which survive a restart of the application.
//!
//! Run with `cargo run -p tower-session-guard-redis --example login`; `REDIS_URL` names another server than
//! `redis://127.0.0.1:6379/0`, and `SESSION_KEYS` keeps logins over a restart. Then
//! `curl -i -X POST http://127.0.0.1:3000/login`, and with the cookie that it set
//! `curl -b '__Host-Http-session=…' http://127.0.0.1:3000/`.

use std::{env, error::Error};

use axum::{
    Router,
    routing::{get, post},
};
use tokio::net::TcpListener;
use tower_session_guard::{AuthenticatedSession, KeyRing, Session, SessionLayer};
use tower_session_guard_redis::RedisStore;

async fn home(user: AuthenticatedSession) -> String {
    format!("hello {}\n", user.subject())
}

async fn login(session: Session) -> &'static str {
    // A real application verifies a password or a passkey first.
    session.login("42");
    "welcome\n"
}

async fn logout(session: Session) -> &'static str {
    session.logout();
    "bye\n"
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt::init();
    let url = env::var("REDIS_URL").unwrap_or_else(|_| "redis://127.0.0.1:6379/0".to_owned());
    let keys = match env::var_os("SESSION_KEYS") {
        Some(_) => KeyRing::from_env("SESSION_KEYS")?,
        None => KeyRing::generate()?,
    };
    let store = RedisStore::connect(url).await?.with_namespace("example:");
    let app = Router::new()
        .route("/", get(home))
        .route("/login", post(login))
        .route("/logout", post(logout))
        .layer(SessionLayer::new(keys).with_store(store));

    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}
