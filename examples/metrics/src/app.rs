//! What is served: a login, a page for users, a logout.

use axum::{
    Form, Router,
    http::StatusCode,
    routing::{get, post},
};
use tower_session_guard::{AuthenticatedSession, Session, SessionLayer};

/// The application under its layer.
pub fn router(sessions: SessionLayer) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/login", post(login))
        .route("/logout", post(logout))
        .layer(sessions)
}

async fn home(user: AuthenticatedSession) -> String {
    format!("hello {}\n", user.subject())
}

/// Any name goes with the password `demo`. A real application asks its accounts.
async fn login(session: Session, Form(form): Form<Vec<(String, String)>>) -> StatusCode {
    let field = |name: &str| {
        let found = form.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value)
    };
    if field("password") != "demo" {
        return StatusCode::FORBIDDEN;
    }
    session.login(field("name"));
    StatusCode::NO_CONTENT
}

async fn logout(session: Session) -> StatusCode {
    session.logout();
    StatusCode::NO_CONTENT
}
