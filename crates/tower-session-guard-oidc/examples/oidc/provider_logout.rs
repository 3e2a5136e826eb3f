//! How a session at the provider ends: on its own page, or because an application asks.

use axum::{
    Router,
    extract::{Form, Query, State},
    http::StatusCode,
    response::{Html, IntoResponse, Redirect, Response},
    routing::{get, post},
};
use serde::Deserialize;
use tower::BoxError;

use crate::{
    client::{self, Http},
    provider::{Provider, escape, random},
};

type AtProvider = State<(Provider, Http)>;

pub(crate) fn router(provider: Provider, http: Http) -> Router {
    Router::new()
        .route("/", get(sessions))
        .route("/end", post(end_here))
        .route("/logout", get(end_session))
        .with_state((provider, http))
}

/// Who is logged in here. A real provider shows each user their own, behind a login and a CSRF token.
async fn sessions(State((provider, _)): AtProvider) -> Html<String> {
    let rows = provider.with(|state| {
        let rows = state.sessions.iter().map(|(sid, user)| {
            let user = escape(user);
            format!(
                r#"<form method="post" action="/end">{user} <button name="sid" value="{sid}">Log out</button></form>"#
            )
        });
        rows.collect::<String>()
    });
    Html(format!(
        "<!doctype html><title>Identity provider</title><h1>Sessions</h1>{rows}"
    ))
}

#[derive(Deserialize)]
struct End {
    sid: String,
}

async fn end_here(
    State((provider, http)): AtProvider,
    Form(End { sid }): Form<End>,
) -> Result<String, StatusCode> {
    let told = end(&provider, http, &sid).await;
    let told = told.map_err(|_| StatusCode::BAD_GATEWAY)?;
    Ok(format!("The application answered {told}.\n"))
}

/// Ends a session and tells the application. A real provider tells every application that the user logged in to, and tries again
/// where one did not answer.
async fn end(provider: &Provider, http: Http, sid: &str) -> Result<StatusCode, BoxError> {
    provider.with(|state| state.sessions.remove(sid));
    let now = provider.clock.now().as_unix_seconds();
    let client = &provider.client;
    let key = &provider.key;
    let token = key.logout_token(&provider.url, &client.id, sid, now, &random()?)?;
    let form = format!("logout_token={token}");
    client::post_form(http, &client.backchannel_logout_uri, form).await
}

/// What an application asks for (OpenID Connect RP-Initiated Logout, section 2).
#[derive(Deserialize)]
struct EndSession {
    id_token_hint: String,
    post_logout_redirect_uri: String,
}

/// Without a hint a real provider asks the user.
async fn end_session(
    State((provider, http)): AtProvider,
    Query(asked): Query<EndSession>,
) -> Result<Response, StatusCode> {
    let hint = provider.key.read_id_token(&asked.id_token_hint);
    let hint = hint.ok_or(StatusCode::BAD_REQUEST)?;
    if asked.post_logout_redirect_uri != provider.client.post_logout_redirect_uri {
        return Err(StatusCode::BAD_REQUEST);
    }
    // The application that asked has ended its session already.
    let told = end(&provider, http, &hint.sid).await;
    told.map_err(|_| StatusCode::BAD_GATEWAY)?;
    Ok(Redirect::to(&asked.post_logout_redirect_uri).into_response())
}
