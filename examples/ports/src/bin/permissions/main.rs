//! Permissions of groups in SQLite, after the example `permissions` of axum-login 0.18.
//!
//! Run with `cargo run -p ports --bin permissions`, and open http://localhost:3000: ferris or admin, hunter42.

#[cfg(test)]
mod tests;

use axum::{Router, extract::FromRef, routing::get};
use maud::Markup;
use ports::{User, database, login_routes, own_page};
use sqlx::SqlitePool;
use tower_http::csrf::CsrfLayer;
use tower_session_guard::{KeyRing, SessionLayer};
use tower_session_guard_axum::{
    CurrentUser, Flash, FlashCookie, HasPermission, LoginPage, RequireUser,
};

const SCHEMA: &str = include_str!("schema.sql");

/// What a group of users may do, by the name that the table has.
struct Permission(&'static str);

impl HasPermission<Permission> for User {
    async fn has_permission(
        &self,
        permission: &Permission,
        db: &SqlitePool,
    ) -> Result<bool, sqlx::Error> {
        let query = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM members JOIN grants USING (team) WHERE user = ? AND permission = ?)",
        );
        query.bind(self.id).bind(permission.0).fetch_one(db).await
    }
}

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
        db: database(SCHEMA, &["ferris", "admin"]).await?,
        flash: FlashCookie::new(&keys),
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    Ok(axum::serve(listener, router(app, SessionLayer::new(keys))).await?)
}

fn router(app: App, sessions: SessionLayer) -> Router {
    let members = RequireUser::<User>::with_state(&app).on_refusal_with(LoginPage::at("/login"));
    let may = |permission| members.clone().with_permission(Permission(permission));
    Router::new()
        .route("/restricted", get(restricted).layer(may("restricted.read")))
        .route("/", get(protected).layer(may("protected.read")))
        .merge(login_routes())
        .with_state(app)
        .layer(sessions)
        .layer(CsrfLayer::new())
}

async fn protected(user: CurrentUser<User>, flash: Flash) -> (Flash, Markup) {
    let may = format!("{} may read what is protected.", user.name);
    own_page("Protected", flash, &may)
}

async fn restricted(user: CurrentUser<User>, flash: Flash) -> (Flash, Markup) {
    let may = format!("{} may read what is restricted.", user.name);
    own_page("Restricted", flash, &may)
}
