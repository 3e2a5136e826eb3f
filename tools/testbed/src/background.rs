//! The routes whose requests are not their user's activity.

use std::sync::Arc;

use axum::{Json, Router, response::Response, routing::get};
use serde_json::{Value, json};
use tower_session_guard::{
    AssuranceLevel, AuthenticatedSession, BackgroundLayer, Session, Subject, Timestamp,
};

use crate::{config::Testbed, routes::whoami};

pub(crate) fn router() -> Router<Arc<Testbed>> {
    Router::new()
        .route("/session", get(session))
        .route("/poll", get(poll))
        .layer(BackgroundLayer::new())
}

async fn poll(session: Session) -> Response {
    whoami(&session)
}

/// What is known of the session; a guest counts as anonymous.
async fn session(user: Option<AuthenticatedSession>) -> Json<Value> {
    let user = user.as_ref();
    let second = |of: fn(&AuthenticatedSession) -> Timestamp| user.map(of).map(unix_seconds);
    Json(json!({
        "subject": user.map(|user| user.subject().as_str()),
        "level": user.map(AuthenticatedSession::level).map(AssuranceLevel::get),
        "created_at": second(AuthenticatedSession::created_at),
        "last_seen_at": second(AuthenticatedSession::last_seen_at),
        "idle_expires_at": user.and_then(AuthenticatedSession::idle_expires_at).map(unix_seconds),
        "expires_at": second(AuthenticatedSession::expires_at),
        "bound": user.is_some_and(|user| user.session().is_bound()),
        "actor": user.and_then(AuthenticatedSession::actor).map(Subject::as_str),
        "methods": user.map_or_else(Vec::new, methods),
    }))
}

fn methods(user: &AuthenticatedSession) -> Vec<Value> {
    let methods = user.methods();
    let shown = |(method, at)| json!({ "method": method, "at": unix_seconds(at) });
    methods.map(shown).collect()
}

fn unix_seconds(at: Timestamp) -> u64 {
    at.as_unix_seconds()
}
