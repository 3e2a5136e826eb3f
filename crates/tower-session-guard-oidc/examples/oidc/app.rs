//! The application: sends the browser to the provider and takes it back in.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Form, Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{AppendHeaders, Html, IntoResponse, Redirect, Response},
    routing::get,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::{TryRng, rngs::SysRng};
use serde::{Deserialize, Serialize};
use tower_http::csrf::CsrfLayer as SameOriginLayer;
use tower_session_guard::{
    AssuranceLevel, Clock, ConfigError, KeyRing, Login, ReturnPath, Session, SessionLayer,
    TransactionCookie,
};

use crate::provider::{AuthorizationRequest, Claims, Provider, challenge};

/// What the application remembers while the browser is at the provider.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Pending {
    state: String,
    nonce: String,
    verifier: String,
    next: String,
}

#[derive(Clone)]
struct Site {
    provider: Provider,
    clock: Arc<dyn Clock>,
    own_url: String,
    /// Comes back with a redirect.
    by_query: TransactionCookie<Pending>,
    /// Comes back with a form that the provider's site posts. Of another name, so that the one with
    /// `SameSite=None` is there only where it is needed.
    by_form: TransactionCookie<Pending>,
}

pub(crate) fn router(
    keys: &KeyRing,
    sessions: SessionLayer,
    clock: Arc<dyn Clock>,
    provider: Provider,
    own_url: &str,
) -> Result<Router, ConfigError> {
    let site = Site {
        provider,
        clock,
        own_url: own_url.to_owned(),
        by_query: TransactionCookie::new(keys, "oidc")?,
        by_form: TransactionCookie::new(keys, "oidc-form")?.for_form_post(),
    };
    // The provider's form comes from another site. It is let in at the callback alone, which the state in
    // the transaction cookie guards.
    let same_origin =
        SameOriginLayer::new().with_insecure_bypass(|_, uri| uri.path() == "/callback");
    Ok(Router::new()
        .route("/", get(home))
        .route("/login", get(begin))
        .route("/callback", get(by_query).post(by_form))
        .with_state(site)
        .layer(sessions)
        .layer(same_origin))
}

async fn home(session: Session) -> Html<String> {
    let who = match session.authenticated() {
        // What the provider calls its users is text, not HTML.
        Some(user) => format!(
            "{} at level {}, proved at {}",
            user.subject()
                .as_str()
                .replace('&', "&amp;")
                .replace('<', "&lt;"),
            user.level(),
            user.authenticated_at().as_unix_seconds()
        ),
        None => "nobody".to_owned(),
    };
    Html(format!(
        r#"<!doctype html><title>Application</title><h1>Application</h1><p id="who">{who}</p>
<p><a href="/login">Log in</a>, <a href="/login?mode=form_post">log in by form_post</a></p>"#
    ))
}

#[derive(Deserialize)]
struct Begin {
    #[serde(default)]
    mode: String,
    #[serde(default)]
    next: String,
}

async fn begin(
    State(site): State<Site>,
    Query(wanted): Query<Begin>,
) -> Result<Response, StatusCode> {
    let pending = Pending {
        state: random()?,
        nonce: random()?,
        verifier: random()?,
        next: ReturnPath::parse(&wanted.next).to_string(),
    };
    let by_form = wanted.mode == "form_post";
    let cookie = if by_form {
        &site.by_form
    } else {
        &site.by_query
    };
    let request = AuthorizationRequest {
        redirect_uri: format!("{}/callback", site.own_url),
        response_mode: if by_form { "form_post" } else { "query" }.to_owned(),
        state: pending.state.clone(),
        nonce: pending.nonce.clone(),
        code_challenge: challenge(&pending.verifier),
    };
    let query = serde_urlencoded::to_string(request);
    let query = query.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let set = cookie.begin(&pending, site.clock.now());
    let set = set.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let provider = Redirect::to(&format!("{}/authorize?{query}", site.provider.url));
    Ok(([(header::SET_COOKIE, set)], provider).into_response())
}

#[derive(Deserialize)]
struct Callback {
    code: String,
    state: String,
}

async fn by_query(
    State(site): State<Site>,
    session: Session,
    headers: HeaderMap,
    Query(callback): Query<Callback>,
) -> Result<Response, StatusCode> {
    finish(&site, &site.by_query, &session, &headers, &callback).await
}

async fn by_form(
    State(site): State<Site>,
    session: Session,
    headers: HeaderMap,
    Form(callback): Form<Callback>,
) -> Result<Response, StatusCode> {
    finish(&site, &site.by_form, &session, &headers, &callback).await
}

async fn finish(
    site: &Site,
    cookie: &TransactionCookie<Pending>,
    session: &Session,
    headers: &HeaderMap,
    callback: &Callback,
) -> Result<Response, StatusCode> {
    // Only the browser that began this login may end it: otherwise somebody could log a victim in to an
    // account of their own.
    let pending = cookie.read(headers, site.clock.now());
    let pending = pending.filter(|pending| pending.state == callback.state);
    let pending = pending.ok_or(StatusCode::BAD_REQUEST)?;
    let claims = site
        .provider
        .redeem(&callback.code, &pending.verifier)
        .await;
    let claims = claims.filter(|claims| claims.nonce == pending.nonce);
    let claims = claims.ok_or(StatusCode::BAD_REQUEST)?;
    session.login(login_of(&claims));
    let forget = AppendHeaders([(header::SET_COOKIE, cookie.removal())]);
    Ok((forget, Redirect::to(&pending.next)).into_response())
}

/// The login that the provider vouches for: no stronger than what happened there, and no later.
fn login_of(claims: &Claims) -> Login {
    let level = match &*claims.acr {
        "urn:example:passkey" => AssuranceLevel::AAL2,
        // What we do not know is worth one factor.
        _ => AssuranceLevel::AAL1,
    };
    Login::new(&*claims.sub)
        .at_level(level)
        .authenticated_at(claims.auth_time)
}

/// 256 random bits as text.
pub(crate) fn random() -> Result<String, StatusCode> {
    let mut bytes = [0; 32];
    SysRng
        .try_fill_bytes(&mut bytes)
        .map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
