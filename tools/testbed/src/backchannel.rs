//! The routes of the contract whose capability is not there: 501, so that a client can tell.

use std::sync::Arc;

use axum::{Router, http::StatusCode, routing::any};

use crate::config::Testbed;

pub(crate) fn router() -> Router<Arc<Testbed>> {
    let not_built = any(async || StatusCode::NOT_IMPLEMENTED);
    Router::new().route("/backchannel-logout", not_built)
}
