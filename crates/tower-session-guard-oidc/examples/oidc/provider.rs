//! A stub of an identity provider: it asks for a click instead of a proof.
//!
//! The application redeems a code by calling [`Provider::redeem`]. With a real provider that is a `POST`
//! to its token endpoint, and an ID token whose signature, issuer and audience a library checks.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    extract::{Form, Query, State},
    http::StatusCode,
    response::{Html, IntoResponse, Redirect, Response},
    routing::get,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tower_session_guard::{Clock, Timestamp};

#[derive(Clone)]
pub(crate) struct Provider {
    pub(crate) url: String,
    codes: Arc<Mutex<HashMap<String, Granted>>>,
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

/// What an ID token says.
#[derive(Clone, Debug)]
pub(crate) struct Claims {
    pub(crate) sub: String,
    pub(crate) nonce: String,
    /// When the user proved who they are, at the provider.
    pub(crate) auth_time: Timestamp,
    /// How strongly.
    pub(crate) acr: String,
}

struct Granted {
    claims: Claims,
    code_challenge: String,
}

impl Provider {
    pub(crate) fn new(url: String) -> Self {
        Self {
            url,
            codes: Arc::default(),
        }
    }

    /// Takes a code in, once, from whoever knows the verifier of its challenge (RFC 7636).
    pub(crate) async fn redeem(&self, code: &str, verifier: &str) -> Option<Claims> {
        let mut codes = self.codes.lock().unwrap_or_else(PoisonError::into_inner);
        let granted = codes.remove(code)?;
        (challenge(verifier) == granted.code_challenge).then_some(granted.claims)
    }

    fn grant(&self, granted: Granted) -> Result<String, StatusCode> {
        let code = crate::app::random()?;
        let mut codes = self.codes.lock().unwrap_or_else(PoisonError::into_inner);
        codes.insert(code.clone(), granted);
        Ok(code)
    }
}

pub(crate) fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

pub(crate) fn router(provider: Provider, clock: Arc<dyn Clock>) -> Router {
    Router::new()
        .route("/authorize", get(ask).post(grant))
        .with_state((provider, clock))
}

/// The provider's login page. Everything shown was made by the application or is base64url.
async fn ask(Query(request): Query<AuthorizationRequest>) -> Html<String> {
    let escape = |text: &str| {
        text.replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('"', "&quot;")
    };
    let fields = [
        ("redirect_uri", &request.redirect_uri),
        ("response_mode", &request.response_mode),
        ("state", &request.state),
        ("nonce", &request.nonce),
        ("code_challenge", &request.code_challenge),
    ];
    let hidden: String = fields
        .map(|(name, value)| {
            format!(
                r#"<input type="hidden" name="{name}" value="{}">"#,
                escape(value)
            )
        })
        .concat();
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
    State((provider, clock)): State<(Provider, Arc<dyn Clock>)>,
    Form(granting): Form<Granting>,
) -> Result<Response, StatusCode> {
    let request = granting.request;
    let code = provider.grant(Granted {
        claims: Claims {
            sub: granting.user,
            nonce: request.nonce,
            auth_time: clock.now(),
            acr: granting.acr,
        },
        code_challenge: request.code_challenge,
    })?;
    let (uri, state) = (request.redirect_uri, request.state);
    if request.response_mode == "form_post" {
        // Without a script the user presses the button; providers press it with one.
        return Ok(Html(format!(
            r#"<!doctype html><title>Back</title><form method="post" action="{uri}">
<input type="hidden" name="code" value="{code}"><input type="hidden" name="state" value="{state}">
<button>Back to the application</button></form>"#
        ))
        .into_response());
    }
    Ok(Redirect::to(&format!("{uri}?code={code}&state={state}")).into_response())
}
