//! Acting as another user, and the return.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::Query,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
};
use serde_json::json;
use tower_session_guard::{AuthenticatedSession, Impersonation, Session, Subject};

use crate::{
    config::Testbed,
    routes::{Parameters, number, seen, text},
};

pub(crate) fn router() -> Router<Arc<Testbed>> {
    Router::new()
        .route("/impersonate", post(impersonate))
        .route("/impersonate-end", post(end))
}

/// A real application asks first whether this user may act as that one.
async fn impersonate(
    user: AuthenticatedSession,
    Query(parameters): Query<Parameters>,
) -> Result<Response, StatusCode> {
    let mut impersonation = Impersonation::of(text(&parameters, "user")?);
    if let Some(seconds) = number(&parameters, "for")? {
        impersonation = impersonation.lasting(Duration::from_secs(seconds));
    }
    let session = user.session();
    if session.actor().is_some() {
        return Err(StatusCode::FORBIDDEN);
    }
    session.impersonate(impersonation);
    match session.actor() {
        Some(_) => Ok(with_actor(session)),
        None => Err(StatusCode::FORBIDDEN),
    }
}

async fn end(user: AuthenticatedSession) -> Result<Response, StatusCode> {
    let session = user.session();
    if session.actor().is_none() {
        return Err(StatusCode::CONFLICT);
    }
    session.end_impersonation();
    Ok(with_actor(session))
}

/// What `/whoami` tells, and who acts.
fn with_actor(session: &Session) -> Response {
    let mut seen = seen(session);
    seen["actor"] = json!(session.actor().as_ref().map(Subject::as_str));
    Json(seen).into_response()
}
