//! A stub of an identity provider: it asks for a click instead of a proof.
//!
//! The application redeems a code by calling [`Provider::redeem`]. With a real provider that is a `POST`
//! to its token endpoint, and an ID token whose signature, issuer and audience a library checks.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Json, Router,
    extract::{Form, Query, State},
    http::StatusCode,
    response::{Html, IntoResponse, Redirect, Response},
    routing::get,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tower::BoxError;
use tower_session_guard::Clock;

use crate::{
    client::Http,
    provider_logout,
    tokens::{Claims, SigningKey},
};

#[derive(Clone)]
pub(crate) struct Provider {
    pub(crate) url: String,
    pub(crate) client: Client,
    pub(crate) key: SigningKey,
    pub(crate) clock: Arc<dyn Clock>,
    state: Arc<Mutex<ProviderState>>,
}

/// The application, as it is registered here.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) backchannel_logout_uri: String,
    pub(crate) post_logout_redirect_uri: String,
}

#[derive(Default)]
pub(crate) struct ProviderState {
    codes: HashMap<String, Granted>,
    /// Who is logged in, by the session's id.
    pub(crate) sessions: HashMap<String, String>,
}

/// What the application asks for (OpenID Connect Core, section 3.1.2.1).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct AuthorizationRequest {
    pub(crate) redirect_uri: String,
    pub(crate) response_mode: String,
    pub(crate) state: String,
    pub(crate) nonce: String,
    pub(crate) code_challenge: String,
}

/// What a code is worth.
pub(crate) struct Granted {
    pub(crate) claims: Claims,
    pub(crate) id_token: String,
    code_challenge: String,
}

impl Client {
    pub(crate) fn at(url: &str) -> Self {
        Self {
            id: "example-app".to_owned(),
            backchannel_logout_uri: format!("{url}/backchannel-logout"),
            post_logout_redirect_uri: format!("{url}/"),
        }
    }
}

impl Provider {
    pub(crate) fn new(url: &str, client: Client, clock: Arc<dyn Clock>) -> Result<Self, BoxError> {
        Ok(Self {
            url: url.to_owned(),
            client,
            key: SigningKey::generate()?,
            clock,
            state: Arc::default(),
        })
    }

    /// Takes a code in, once, from whoever knows the verifier of its challenge (RFC 7636).
    pub(crate) async fn redeem(&self, code: &str, verifier: &str) -> Option<Granted> {
        let granted = self.with(|state| state.codes.remove(code))?;
        (challenge(verifier) == granted.code_challenge).then_some(granted)
    }

    /// Logs `user` in here, and makes the code by which the application learns it.
    fn grant(&self, granting: Granting) -> Result<String, BoxError> {
        let (code, sid) = (random()?, random()?);
        let now = self.clock.now().as_unix_seconds();
        let amr: &[&str] = match &*granting.acr {
            "urn:example:passkey" => &["hwk", "user"],
            _ => &["pwd"],
        };
        let claims = Claims {
            iss: self.url.clone(),
            aud: self.client.id.clone(),
            iat: now,
            exp: now + 300,
            sub: granting.user.clone(),
            sid: sid.clone(),
            nonce: granting.request.nonce,
            auth_time: now,
            acr: granting.acr,
            amr: amr.iter().map(ToString::to_string).collect(),
        };
        let granted = Granted {
            id_token: self.key.id_token(&claims)?,
            claims,
            code_challenge: granting.request.code_challenge,
        };
        self.with(|state| {
            state.sessions.insert(sid, granting.user);
            state.codes.insert(code.clone(), granted);
        });
        Ok(code)
    }

    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut ProviderState) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

pub(crate) fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

/// 256 random bits as text.
pub(crate) fn random() -> Result<String, BoxError> {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// What users and applications write is text, not HTML.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;")
}

/// `http` calls the applications.
pub(crate) fn router(provider: Provider, http: Http) -> Router {
    let jwks = Json(provider.key.jwks());
    Router::new()
        .route("/jwks", get(async || jwks))
        .route("/authorize", get(ask).post(grant))
        .with_state(provider.clone())
        .merge(provider_logout::router(provider, http))
}

/// The provider's login page.
async fn ask(Query(request): Query<AuthorizationRequest>) -> Html<String> {
    let fields = [
        ("redirect_uri", &request.redirect_uri),
        ("response_mode", &request.response_mode),
        ("state", &request.state),
        ("nonce", &request.nonce),
        ("code_challenge", &request.code_challenge),
    ];
    let hidden = fields.map(|(name, value)| {
        let value = escape(value);
        format!(r#"<input type="hidden" name="{name}" value="{value}">"#)
    });
    let hidden = hidden.concat();
    Html(format!(
        r#"<!doctype html><title>Identity provider</title><h1>Identity provider</h1>
<form method="post" action="/authorize">{hidden}<input name="user" value="alice">
<button name="acr" value="urn:example:password">With a password</button>
<button name="acr" value="urn:example:passkey">With a passkey</button></form>"#
    ))
}

#[derive(Deserialize)]
struct Granting {
    user: String,
    acr: String,
    #[serde(flatten)]
    request: AuthorizationRequest,
}

async fn grant(
    State(provider): State<Provider>,
    Form(granting): Form<Granting>,
) -> Result<Response, StatusCode> {
    let AuthorizationRequest {
        redirect_uri: uri,
        response_mode,
        state,
        ..
    } = granting.request.clone();
    let code = provider.grant(granting);
    let code = code.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    if response_mode == "form_post" {
        // Without a script the user presses the button; providers press it with one.
        return Ok(Html(format!(
            r#"<!doctype html><title>Back</title><form method="post" action="{uri}">
<input type="hidden" name="code" value="{code}"><input type="hidden" name="state" value="{state}">
<button>Back to the application</button></form>"#,
            uri = escape(&uri),
            state = escape(&state),
        ))
        .into_response());
    }
    Ok(Redirect::to(&format!("{uri}?code={code}&state={state}")).into_response())
}
