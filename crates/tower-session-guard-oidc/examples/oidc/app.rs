//! The application: sends the browser to the provider and takes it back in, and ends sessions with the provider.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Form, Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{AppendHeaders, Html, IntoResponse, Redirect, Response},
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use tower::BoxError;
use tower_http::csrf::CsrfLayer as SameOriginLayer;
use tower_session_guard::{
    AssuranceLevel, AuthenticatedSession, Clock, DataKey, KeyRing, Login, ReturnPath, Session,
    SessionLayer, Timestamp, TransactionCookie,
};
use tower_session_guard_oidc::{BackchannelLogout, EndSessionUrl, ProviderKeys, session_tag};

use crate::{
    provider::{AuthorizationRequest, Provider, challenge, escape, random},
    tokens::Claims,
};

/// The ID token of the login: the provider knows by it whose session a logout ends.
const ID_TOKEN: DataKey<String> = DataKey::new("id-token");

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
    end_session: EndSessionUrl,
    /// Comes back with a redirect.
    by_query: TransactionCookie<Pending>,
    /// Comes back with a form that the provider's site posts. Of another name, so that the one with
    /// `SameSite=None` is there only where it is needed.
    by_form: TransactionCookie<Pending>,
}

pub(crate) fn router(
    keys: &KeyRing,
    sessions: SessionLayer,
    clock: impl Clock + Clone,
    provider: Provider,
    provider_keys: ProviderKeys,
    own_url: &str,
) -> Result<Router, BoxError> {
    let (issuer, client) = (provider.url.clone(), &provider.client);
    let backchannel =
        BackchannelLogout::new(issuer, &client.id, provider_keys, sessions.sessions())?
            .with_clock(clock.clone());
    let site = Site {
        end_session: EndSessionUrl::new(format!("{}/logout", provider.url))?
            .post_logout_redirect_uri(&client.post_logout_redirect_uri),
        provider,
        clock: Arc::new(clock),
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
        .route("/logout", post(log_out))
        .with_state(site)
        .layer(sessions)
        .layer(same_origin)
        // The provider calls it, without a browser.
        .route_service("/backchannel-logout", backchannel))
}

async fn home(session: Session) -> Html<String> {
    let who = match session.authenticated() {
        Some(user) => escape(&describe(&user)),
        None => "nobody".to_owned(),
    };
    Html(format!(
        r#"<!doctype html><title>Application</title><h1>Application</h1><p id="who">{who}</p>
<p><a href="/login">Log in</a>, <a href="/login?mode=form_post">log in by form_post</a></p>
<form method="post" action="/logout"><button>Log out, here and at the provider</button></form>"#
    ))
}

fn describe(user: &AuthenticatedSession) -> String {
    let methods: Vec<_> = user.methods().map(|(method, _)| method).collect();
    format!(
        "{} at level {}, proved at {} by {} ({})",
        user.subject(),
        user.level(),
        user.authenticated_at().as_unix_seconds(),
        methods.join(" and "),
        user.acr().unwrap_or_default()
    )
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
    let random = || random().map_err(|_| StatusCode::SERVICE_UNAVAILABLE);
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
    let granted = site.provider.redeem(&callback.code, &pending.verifier);
    let granted = granted.await;
    let granted = granted.filter(|granted| granted.claims.nonce == pending.nonce);
    let granted = granted.ok_or(StatusCode::BAD_REQUEST)?;
    session.login(login_of(&granted.claims));
    let kept = session.insert(&ID_TOKEN, &granted.id_token);
    kept.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
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
    let login = Login::new(&*claims.sub)
        .at_level(level)
        .acr(&claims.acr)
        .authenticated_at(Timestamp::from_unix_seconds(claims.auth_time))
        // By which the provider ends it.
        .tagged(session_tag(&claims.iss, &claims.sid));
    claims.amr.iter().fold(login, Login::by)
}

/// Ends the session here at once, and sends the browser to the provider, which ends its own.
async fn log_out(State(site): State<Site>, session: Session) -> Result<Redirect, StatusCode> {
    let id_token = session.get(&ID_TOKEN);
    let id_token = id_token.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    session.logout();
    Ok(match id_token {
        Some(token) => Redirect::to(&site.end_session.id_token_hint(token).to_string()),
        None => Redirect::to("/"),
    })
}
