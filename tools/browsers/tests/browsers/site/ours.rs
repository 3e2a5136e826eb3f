//! The protected application: this crate's layer, composed with tower-http's `csrf`.

use std::collections::BTreeMap;

use axum::{
    Extension, Router,
    extract::{Query, Request, State},
    http::StatusCode,
    middleware::{Next, from_fn},
    response::Response,
    routing::{get, post},
};
use tower::ServiceBuilder;
use tower_http::csrf::CsrfLayer;
use tower_session_guard::{AssuranceLevel, DataKey, EmptyFailure, Session, SessionLayer};

use super::{Gate, WHO};

const DATA: DataKey<String> = DataKey::new("data");

type Parameters = Query<BTreeMap<String, String>>;

pub fn app<K: 'static>(sessions: SessionLayer<EmptyFailure, K>, gate: Gate) -> Router {
    // R82: only a request of the application's own pages, or of nobody's, may log in.
    let layers = ServiceBuilder::new()
        .layer(CsrfLayer::new())
        .layer(sessions)
        .layer(from_fn(tell));
    Router::new()
        .route("/whoami", get(|| async {}))
        .route("/login", post(login))
        .route("/elevate", post(elevate))
        .route("/logout", post(logout))
        .route("/put", post(put))
        .route("/get", get(read))
        .layer(layers)
        .with_state(gate)
}

/// Says in a header who the application thinks it answered.
async fn tell(Extension(session): Extension<Session>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let level = session.level().map_or(0, AssuranceLevel::get);
    let who = match session.subject() {
        Some(subject) => format!("{subject}@{level}"),
        None => "nobody".to_owned(),
    };
    response.headers_mut().insert(WHO, who.parse().unwrap());
    response
}

/// `?user=U[&gate]`.
async fn login(
    Extension(session): Extension<Session>,
    State(gate): State<Gate>,
    Query(parameters): Parameters,
) {
    pass(&gate, &parameters).await;
    session.login(&*parameters["user"]);
}

async fn elevate(Extension(session): Extension<Session>) -> StatusCode {
    if !session.is_authenticated() {
        return StatusCode::UNAUTHORIZED;
    }
    session.elevate(AssuranceLevel::AAL2);
    StatusCode::OK
}

async fn logout(Extension(session): Extension<Session>) {
    session.logout();
}

/// `?v=V[&gate]`.
async fn put(
    Extension(session): Extension<Session>,
    State(gate): State<Gate>,
    Query(parameters): Parameters,
) {
    pass(&gate, &parameters).await;
    session.insert(&DATA, &parameters["v"]).unwrap();
}

async fn read(Extension(session): Extension<Session>) -> String {
    session.get(&DATA).unwrap().unwrap_or_default()
}

async fn pass(gate: &Gate, parameters: &BTreeMap<String, String>) {
    if parameters.contains_key("gate") {
        gate.wait().await;
    }
}
