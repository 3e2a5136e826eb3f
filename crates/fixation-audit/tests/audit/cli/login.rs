//! Logins that need more than one request, and descriptions from OpenAPI.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Html;
use axum::routing::get;
use serde_json::json;

use super::{folder, run, serve};
use crate::rust::{Faults, Spelling, app};

type Tokens = Arc<Mutex<HashSet<String>>>;

async fn form(State(tokens): State<Tokens>) -> Html<String> {
    let token = format!("t&{}", tokens.lock().unwrap().len());
    tokens.lock().unwrap().insert(token.clone());
    Html(format!(
        "<input name='authenticity' value='{}'>",
        token.replace('&', "&amp;")
    ))
}

async fn submit(
    State(tokens): State<Tokens>,
    Form(form): Form<HashMap<String, String>>,
) -> (StatusCode, HeaderMap, String) {
    let good = form
        .get("authenticity")
        .is_some_and(|token| tokens.lock().unwrap().remove(token));
    let mut headers = HeaderMap::new();
    if !good || form.get("password").map(String::as_str) != Some("alice-password") {
        return (StatusCode::FORBIDDEN, headers, String::new());
    }
    // Enough for a session: the token was random enough for a test, and is spent.
    headers.insert(
        "set-cookie",
        "__Host-in=yes; Path=/; Secure; HttpOnly; SameSite=Lax"
            .parse()
            .unwrap(),
    );
    headers.insert("cache-control", "no-store".parse().unwrap());
    headers.insert("location", "/welcome".parse().unwrap());
    (StatusCode::SEE_OTHER, headers, String::new())
}

async fn account(headers: HeaderMap) -> StatusCode {
    let cookie = headers
        .get("cookie")
        .and_then(|cookie| cookie.to_str().ok());
    if cookie == Some("__Host-in=yes") {
        StatusCode::OK
    } else {
        StatusCode::UNAUTHORIZED
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_csrf_token_is_picked_from_its_page_and_constant_tokens_are_found() {
    let app = Router::new()
        .route("/signin", get(form).post(submit))
        .route("/account", get(account))
        .route("/welcome", get(account))
        .with_state(Tokens::default());
    let url = serve(app).await;
    let flags = [
        "-q",
        "--format",
        "json",
        "--login",
        "/signin",
        "--form",
        "password={password}",
        "--csrf-field",
        "authenticity",
        "--user",
        "alice",
        "--password-env",
        "AUDIT_ALICE",
        "--whoami",
        "/account",
        "--whoami-status",
        "200",
    ];
    let ended = run(&[&[url.as_str()], &flags[..]].concat()).await;
    assert_eq!(ended.status, 1, "{}{}", ended.out, ended.err);
    // Everybody's cookie is the same: the login itself works, and the sample tells.
    let found = ended.found();
    assert!(
        found.contains("id-predictable") && found.contains("id-low-entropy"),
        "{found:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_openapi_document_says_how_to_log_in() {
    let faults = Faults {
        logout_in_browser_only: true,
        ..Faults::default()
    };
    let url = serve(app(faults, Spelling::Plain)).await;
    let body = json!({"content": {"application/x-www-form-urlencoded": {"schema": {"$ref": "#/components/schemas/Login"}}}});
    let document = json!({
        "openapi": "3.1.0",
        "paths": {
            "/login": {"post": {"operationId": "logIn", "requestBody": body}},
            "/whoami": {"get": {"operationId": "whoAmI"}},
            "/logout": {"post": {"operationId": "logOut"}},
        },
        "components": {"schemas": {"Login": {
            "required": ["user", "password"],
            "properties": {"user": {"type": "string"}, "password": {"type": "string"}},
        }}},
    });
    let file = folder("openapi").join("openapi.json");
    std::fs::write(&file, document.to_string()).unwrap();
    let flags = [
        "-q",
        "--format",
        "json",
        "--openapi",
        file.to_str().unwrap(),
        "--login-operation",
        "logIn",
        "--whoami-operation",
        "whoAmI",
        "--whoami-json",
        "/subject",
        "--logout-operation",
        "logOut",
        "--user",
        "alice",
        "--password-env",
        "AUDIT_ALICE",
        &url,
    ];
    let ended = run(&flags).await;
    assert_eq!(ended.status, 1, "{}{}", ended.out, ended.err);
    assert_eq!(
        ended.found(),
        ["old-id-alive-after-logout".to_owned()].into()
    );
    let unknown = run(&[&flags[..], &["--login-operation", "signIn"]].concat()).await;
    assert_eq!(unknown.status, 2);
    assert!(
        unknown.err.contains("no operation signIn"),
        "{}",
        unknown.err
    );
}
