//! The site as a router: what `main` serves and the tests call.

mod account;
mod form;
mod live;
mod login;
mod page;
mod transfer;
mod users;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    http::{HeaderName, HeaderValue, header},
    response::Response,
    routing::{get, post},
};
use tower_http::csrf::CsrfLayer as SameOriginLayer;
use tower_session_guard::{
    AtLimit, Clock, ConfigError, DeviceBinding, RequireOrigin, SessionLayer, SessionPolicy,
    Sessions,
};

/// What every handler can get at.
#[derive(Clone)]
pub(crate) struct Site {
    sessions: Sessions,
    clock: Arc<dyn Clock>,
}

/// A day at most and an hour unused, a month where the user asks for it, five sessions each, and all of them bound to
/// their devices where browsers can do that: over HTTPS.
///
/// # Errors
///
/// If the settings do not go together.
pub fn configured(sessions: SessionLayer) -> Result<SessionLayer, ConfigError> {
    let month = Duration::from_secs(30 * 24 * 3600);
    let policy = SessionPolicy::aal2().remember_for(month)?;
    // What needs no session waits for no proof of the device.
    let binding = DeviceBinding::new("/dbsc")
        .exclude("/style.css")
        .exclude("/live.js");
    sessions
        .with_policy(policy)
        .max_sessions(5, AtLimit::EndOldest)?
        .with_device_binding(binding)
}

/// The site: its pages, inside the session layer.
///
/// # Errors
///
/// If the layer and its device endpoints do not go together.
pub fn router(
    sessions: SessionLayer,
    clock: Arc<dyn Clock>,
    origin: RequireOrigin,
) -> Result<Router, ConfigError> {
    let site = Site {
        sessions: sessions.sessions(),
        clock,
    };
    let public = Router::new()
        .route("/", get(account::home))
        .route("/login", get(login::form).post(login::login))
        .route("/logged-in", get(login::logged_in))
        .route("/style.css", get(page::style))
        // A browser opens a WebSocket for any page, cookies and all, so the handshake says whose page it is.
        .route("/live", get(live::live).layer(origin))
        .route("/live.js", get(live::script));
    let members = Router::new()
        .route("/step-up", get(login::step_up_form).post(login::step_up))
        .route("/step-down", post(login::step_down))
        .route("/logout", post(login::logout))
        .route("/sessions", get(account::sessions))
        .layer(login::members());
    let lately = Router::new()
        .route("/sessions/end", post(account::end))
        .route("/sessions/end-others", post(account::end_others))
        .layer(login::proved_in_the_last_ten_minutes());
    let strong = Router::new()
        .route("/transfer", get(transfer::form).post(transfer::transfer))
        .layer(login::step_up_of_the_last_ten_minutes());
    Ok(public
        .merge(members)
        .merge(lately)
        .merge(strong)
        .with_state(site)
        // No other site makes a browser log in here, or do anything else.
        .layer(SameOriginLayer::new())
        // Outside of it: a login that began at another site may send its device's proof from there.
        .layer(sessions.device_endpoints()?)
        .layer(sessions)
        .layer(axum::middleware::map_response(secure)))
}

/// One script of ours, no frame around us, and no copy in the browser's history cache.
async fn secure(mut response: Response) -> Response {
    const CSP: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
                       form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value| {
        headers.insert(name, HeaderValue::from_static(value));
    };
    set(header::CONTENT_SECURITY_POLICY, CSP);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "same-origin");
    set(header::CACHE_CONTROL, "no-store");
    response
}
