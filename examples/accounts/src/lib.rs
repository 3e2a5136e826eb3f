//! A small site with everything around a login: accounts in a database, two factors, roles, sessions, and what ends them.
//!
//! What is about sessions is in few places: [`configured`] and [`router`] here, `guards`, `current`, and a line in a handler where somebody
//! logs in, steps up, acts as another user or logs out.

mod current;
pub mod database;
pub mod demo;
mod failed;
mod form;
mod guards;
mod pages;
pub mod users;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{DefaultBodyLimit, FromRef},
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::{from_fn, from_fn_with_state, map_response},
    response::Response,
    routing::{get, post},
};
use tower_http::{catch_panic::CatchPanicLayer, csrf::CsrfLayer as SameOriginLayer};
use tower_session_guard::{
    AtLimit, BackgroundLayer, Clock, ConfigError, DeviceBinding, KeyRing, RequireOrigin,
    SessionLayer, SessionPolicy, Sessions,
};
use tower_session_guard_axum::FlashCookie;

use pages::{admin, assets, home, live, login, own, sessions, signup, step_up, transfer};
use users::{Tries, Users};

/// No form of this site needs more than this, in bytes.
const LONGEST_FORM: usize = 16 * 1024;

/// What every handler can get at.
#[derive(Clone, Debug, FromRef)]
struct Site {
    users: Users,
    flash: FlashCookie,
    sessions: Sessions,
    tries: Arc<Tries>,
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
    let binding = DeviceBinding::new("/dbsc");
    let binding = assets::PATHS
        .into_iter()
        .fold(binding, DeviceBinding::exclude);
    sessions
        .with_policy(policy)
        .max_sessions(5, AtLimit::EndOldest)?
        .with_device_binding(binding)
}

/// The site: its pages, inside the session layer.
///
/// `keys` are those of the layer: messages that the next page shows are signed under them as well. `origin` is what stands in the
/// address bar of its visitors.
///
/// # Errors
///
/// If the layer and its device endpoints do not go together.
pub fn router(
    sessions: SessionLayer,
    keys: &KeyRing,
    users: Users,
    clock: Arc<dyn Clock>,
    origin: RequireOrigin,
) -> Result<Router, ConfigError> {
    let site = Site {
        users,
        flash: FlashCookie::new(keys),
        sessions: sessions.sessions(),
        tries: Arc::default(),
        clock,
    };
    let public = Router::new()
        .route("/", get(home::home))
        .route("/signup", get(signup::form).post(signup::sign_up))
        .route("/login", get(login::form).post(login::log_in))
        .route("/logged-in", get(login::logged_in))
        // A browser opens a WebSocket for any page, cookies and all, so the handshake says whose page it is.
        .route("/live", get(live::live).layer(origin))
        // A page that asks how long the session lasts does not make it last longer.
        .route(
            "/time-left",
            get(live::time_left).layer(BackgroundLayer::new()),
        );
    let members = Router::new()
        .route("/step-up", get(step_up::form).post(step_up::step_up))
        .route("/step-down", post(step_up::step_down))
        .route("/logout", post(login::log_out))
        .route("/stay", post(login::stay))
        .route("/return", post(admin::come_back))
        .route("/sessions", get(sessions::list))
        .layer(guards::members(&site));
    let own = Router::new()
        .route(
            "/password",
            get(own::password_form).post(own::change_password),
        )
        .route("/sessions/end", post(sessions::end))
        .route("/sessions/end-others", post(sessions::end_others))
        .route("/delete", get(own::delete_form).post(own::delete))
        .layer(guards::proved_lately())
        .layer(guards::themselves(&site));
    let strong = Router::new()
        .route("/transfer", get(transfer::form).post(transfer::transfer))
        .layer(guards::stepped_up_lately())
        .layer(guards::members(&site));
    let administration = Router::new()
        .route("/admin", get(admin::list))
        .route("/admin/act", post(admin::act))
        .route("/admin/disable", post(admin::disable))
        .route("/admin/enable", post(admin::enable))
        .layer(guards::stepped_up())
        .layer(guards::administrators(&site));
    Ok(public
        .merge(members)
        .merge(own)
        .merge(strong)
        .merge(administration)
        .fallback(async || StatusCode::NOT_FOUND)
        .with_state(site.clone())
        .layer(DefaultBodyLimit::max(LONGEST_FORM))
        // No other site makes a browser log in here, or do anything else.
        .layer(SameOriginLayer::new())
        .layer(from_fn_with_state(site, failed::pages))
        // Outside of it: a login that began at another site may send its device's proof from there.
        .layer(sessions.device_endpoints()?)
        .layer(sessions)
        .layer(CatchPanicLayer::new())
        // Outside of all that can fail, so that no answer is a blank page.
        .layer(from_fn(failed::bare_pages))
        .layer(map_response(private))
        .merge(assets::router())
        .layer(map_response(secure)))
}

/// No copy in the browser's history cache: what a page shows is for its user alone.
async fn private(mut response: Response) -> Response {
    let no_store = HeaderValue::from_static("no-store");
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, no_store);
    response
}

/// Our own scripts and styles, and no frame around us.
async fn secure(mut response: Response) -> Response {
    const CSP: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
                       form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value| {
        headers.insert(name, HeaderValue::from_static(value));
    };
    set(header::CONTENT_SECURITY_POLICY, CSP);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "same-origin");
    response
}
