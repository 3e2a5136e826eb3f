//! Users and sessions in SQLite, after the example `sqlite` of axum-login 0.18.
//!
//! Run with `cargo run -p ports --bin users`, and open http://localhost:3000: ferris, hunter42.

#[cfg(test)]
mod tests;

use std::time::Duration;

use axum::{Router, extract::FromRef, routing::get};
use maud::Markup;
use ports::{User, database, login_routes, own_page};
use sqlx::SqlitePool;
use tower_http::csrf::CsrfLayer;
use tower_session_guard::{KeyRing, SessionLayer, SessionPolicy, Sweeper};
use tower_session_guard_axum::{CurrentUser, Flash, FlashCookie, LoginPage, RequireUser};
use tower_session_guard_sqlx::SqliteStore;

#[derive(Clone, FromRef)]
struct App {
    db: SqlitePool,
    flash: FlashCookie,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().init();
    let keys = KeyRing::generate()?;
    let app = App {
        db: database("", &["ferris"]).await?,
        flash: FlashCookie::new(&keys),
    };
    let store = SqliteStore::new(app.db.clone());
    store.migrate().await?;
    let sweeping = Sweeper::new(store.clone())
        .with_interval(Duration::from_secs(60))?
        .start();
    let sessions = SessionLayer::new(keys)
        .with_store(store)
        .with_policy(SessionPolicy::default().idle(Duration::from_secs(24 * 60 * 60))?);
    let router = router(app, sessions.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, router)
        .with_graceful_shutdown(stopped())
        .await?;
    let _ = sessions.drain(Duration::from_secs(5)).await;
    sweeping.stop().await;
    Ok(())
}

fn router(app: App, sessions: SessionLayer) -> Router {
    let members = RequireUser::<User>::with_state(&app).on_refusal_with(LoginPage::at("/login"));
    Router::new()
        .route("/", get(home))
        .route_layer(members)
        .merge(login_routes())
        .with_state(app)
        .layer(sessions)
        .layer(CsrfLayer::new())
}

async fn home(user: CurrentUser<User>, flash: Flash) -> (Flash, Markup) {
    own_page("Protected", flash, &format!("Logged in as {}.", user.name))
}

async fn stopped() {
    let _ = tokio::signal::ctrl_c().await;
}
