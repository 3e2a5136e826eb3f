//! The routes that begin with `/_`: time, faults and what can be counted.

use std::{collections::HashMap, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{Query, State},
    http::StatusCode,
    routing::{get, post},
};
use serde_json::{Value, json};
use tower_session_guard::testing::StoreOperation;

use crate::{config::Testbed, routes::number};

type Parameters = Query<HashMap<String, String>>;

pub(crate) fn router(testbed: Arc<Testbed>) -> Router {
    Router::new()
        .route("/_waiting", get(waiting))
        .route("/_gate", post(open))
        .route("/_clock", post(advance))
        .route("/_stats", get(stats))
        .route("/_store", post(fail_store))
        .route("/_events", get(events))
        .with_state(testbed)
}

async fn waiting(
    State(testbed): State<Arc<Testbed>>,
    Query(parameters): Parameters,
) -> Result<Json<Value>, StatusCode> {
    let gate = parameters.get("gate").ok_or(StatusCode::BAD_REQUEST)?;
    Ok(Json(json!({ "waiting": testbed.gates.waiting(gate) })))
}

async fn open(
    State(testbed): State<Arc<Testbed>>,
    Query(parameters): Parameters,
) -> Result<&'static str, StatusCode> {
    let gate = parameters.get("gate").ok_or(StatusCode::BAD_REQUEST)?;
    testbed.gates.open(gate);
    Ok("open")
}

async fn advance(
    State(testbed): State<Arc<Testbed>>,
    Query(parameters): Parameters,
) -> Result<Json<Value>, StatusCode> {
    let seconds = number(&parameters, "advance")?.ok_or(StatusCode::BAD_REQUEST)?;
    let clock = testbed.manual_clock.as_ref().ok_or(StatusCode::CONFLICT)?;
    let now = clock.advance(Duration::from_secs(seconds));
    Ok(Json(json!({ "now": now.as_unix_seconds() })))
}

async fn stats(State(testbed): State<Arc<Testbed>>) -> Result<Json<Value>, StatusCode> {
    let Some(store) = &testbed.store else {
        return Ok(Json(json!({ "calls": {}, "records": null })));
    };
    let calls: HashMap<_, _> = StoreOperation::EACH
        .iter()
        .map(|operation| (operation.name(), store.calls(*operation)))
        .collect();
    let records = store.live_records(testbed.clock.now()).await;
    let records = records.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    Ok(Json(json!({ "calls": calls, "records": records })))
}

async fn fail_store(
    State(testbed): State<Arc<Testbed>>,
    Query(parameters): Parameters,
) -> Result<&'static str, StatusCode> {
    let times = number(&parameters, "times")?.ok_or(StatusCode::BAD_REQUEST)?;
    let after = number(&parameters, "after")?.unwrap_or(0);
    let store = testbed.store.as_ref().ok_or(StatusCode::CONFLICT)?;
    let operation = parameters.get("fail").and_then(|name| name.parse().ok());
    store.fail(operation.ok_or(StatusCode::BAD_REQUEST)?, times, after);
    Ok("ok")
}

async fn events(
    State(testbed): State<Arc<Testbed>>,
    Query(parameters): Parameters,
) -> Result<Json<Vec<Value>>, StatusCode> {
    let since = number(&parameters, "since")?.unwrap_or(0);
    Ok(Json(testbed.events.since(since)))
}
