//! What is served: a login, a page for users, a logout.

use axum::{
    Router,
    routing::{get, post},
};
use tower_session_guard::{AuthenticatedSession, Session, SessionLayer};

pub(crate) fn router(sessions: SessionLayer) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/login", post(login))
        .route("/logout", post(logout))
        .layer(sessions)
}

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
