//! The routes around a session: the guard, the sessions of an account, CSRF tokens.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Json, Router,
    body::Body,
    extract::{Query, Request, State},
    http::{Response, StatusCode},
    response::IntoResponse,
    routing::{get, post},
};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};
use tower_session_guard::{
    AssuranceLevel, AuthenticatedSession, CsrfRejected, RequireAuthentication, Session,
    SessionError, SessionId, Subject,
};

use crate::{
    config::Testbed,
    routes::{Parameters, level, number, text},
};

pub(crate) fn router() -> Router<Arc<Testbed>> {
    Router::new()
        .route("/guarded", get(guarded))
        .route("/sessions", get(sessions))
        .route("/revoke-others", post(revoke_others))
        .route("/revoke", post(revoke))
        .route("/revoke-tag", post(revoke_tag))
        .route("/revoke-user", post(revoke_user))
        .route("/csrf", get(csrf))
        .route("/csrf-check", post(csrf_check))
}

/// A guard made for this request, since its requirement comes with the request.
async fn guarded(
    Query(parameters): Query<Parameters>,
    request: Request,
) -> Result<Response<Body>, StatusCode> {
    let level = level(&parameters, AssuranceLevel::AAL1)?;
    let mut guard = RequireAuthentication::at_least(level);
    if let Some(seconds) = number(&parameters, "within")? {
        guard = guard.within(Duration::from_secs(seconds));
    }
    if let Some(method) = parameters.get("method") {
        guard = guard.by(kept(method));
    }
    match parameters.get("bound").map(String::as_str) {
        None => {}
        Some("1") => guard = guard.bound(),
        Some(_) => return Err(StatusCode::BAD_REQUEST),
    }
    let welcome = service_fn(async |_: Request| Ok("welcome".into_response()));
    guard.layer(welcome).oneshot(request).await
}

/// A method's name for as long as the process lives, as a guard wants it: each name is kept once.
fn kept(name: &str) -> &'static str {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.get(name) {
        return known;
    }
    let name: &'static str = name.to_owned().leak();
    names.insert(name);
    name
}

async fn sessions(
    user: AuthenticatedSession,
    State(testbed): State<Arc<Testbed>>,
) -> Result<Json<Value>, StatusCode> {
    let Some(control) = testbed.control.in_store() else {
        // Nobody knows of the others.
        let own = json!([{
            "id": user.id().to_string(),
            "current": true,
            "created_at": user.created_at().as_unix_seconds(),
            "last_seen_at": user.last_seen_at().as_unix_seconds(),
        }]);
        return Ok(Json(own));
    };
    let list = control.list(user.subject()).await;
    let list = list.map_err(|error| error.status())?;
    let list = list.into_iter().map(|session| {
        let details = session.details.as_ref();
        json!({
            "id": session.id.to_string(),
            "current": session.id == user.id(),
            "created_at": details.map(|one| one.created_at.as_unix_seconds()),
            "last_seen_at": details.map(|one| one.last_seen_at.as_unix_seconds()),
            "level": details.and_then(|one| one.level).map_or(0, AssuranceLevel::get),
            "label": details.and_then(|one| one.label.as_deref()),
        })
    });
    Ok(Json(list.collect()))
}

async fn revoke_others(
    user: AuthenticatedSession,
    State(testbed): State<Arc<Testbed>>,
) -> Result<Json<Value>, StatusCode> {
    revoked(testbed.control.end_others(&user).await)
}

async fn revoke(
    user: AuthenticatedSession,
    State(testbed): State<Arc<Testbed>>,
    Query(parameters): Query<Parameters>,
) -> Result<Json<Value>, StatusCode> {
    let id: SessionId = text(&parameters, "id")?
        .parse()
        .map_err(|_| StatusCode::NOT_FOUND)?;
    let ended = match testbed.control.in_store() {
        Some(control) => {
            let ended = control.end(user.subject(), &id).await;
            ended.map_err(|error| error.status())?
        }
        None if id == user.id() => {
            user.session().logout();
            true
        }
        None => false,
    };
    if ended {
        Ok(Json(json!({ "revoked": 1 })))
    } else {
        Err(StatusCode::NOT_FOUND)
    }
}

async fn revoke_tag(
    State(testbed): State<Arc<Testbed>>,
    Query(parameters): Query<Parameters>,
) -> Result<Json<Value>, StatusCode> {
    let tag = text(&parameters, "tag")?;
    revoked(testbed.control.end_tagged(tag).await)
}

async fn revoke_user(
    State(testbed): State<Arc<Testbed>>,
    Query(parameters): Query<Parameters>,
) -> Result<Json<Value>, StatusCode> {
    let user = Subject::from(text(&parameters, "user")?);
    revoked(testbed.control.end_all(&user).await)
}

/// With self-contained tokens nobody can count; the number is 0 then.
fn revoked(ended: Result<Option<usize>, SessionError>) -> Result<Json<Value>, StatusCode> {
    let ended = ended.map_err(|error| error.status())?;
    Ok(Json(json!({ "revoked": ended.unwrap_or(0) })))
}

async fn csrf(session: Session) -> Json<Value> {
    let token = session.csrf_token().map(|token| token.to_string());
    Json(json!({ "token": token }))
}

async fn csrf_check(
    session: Session,
    Query(parameters): Query<Parameters>,
) -> Result<&'static str, CsrfRejected> {
    session.check_csrf(parameters.get("token").map_or("", String::as_str))?;
    Ok("ok")
}
