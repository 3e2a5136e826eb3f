//! CORS preflights, which a guard refuses as it refuses every request without a user.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use http::{Method, header, request::Parts};

/// Whether the process has been told of a refused preflight.
static TOLD: AtomicBool = AtomicBool::new(false);

/// Says once a process that preflights are refused, if this request is one: the layer that answers them is further in,
/// or there is none.
///
/// They stay refused, since a handler for every method would otherwise run for anybody.
#[cold]
pub(super) fn tell_once(request: &Parts) {
    if is_preflight(request) && !TOLD.swap(true, Relaxed) {
        tracing::warn!(
            target: "tower_session_guard",
            "`RequireAuthentication` refused a CORS preflight, which browsers send without cookies: \
             put the CORS layer outside of the guard (with axum, after it)"
        );
    }
}

fn is_preflight(request: &Parts) -> bool {
    let headers = &request.headers;
    request.method == Method::OPTIONS
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}
