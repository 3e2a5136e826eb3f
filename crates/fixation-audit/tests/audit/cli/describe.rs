//! What a description can say: tokens, headers, second steps, bodies, base paths.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse as _;
use axum::routing::{get, post};
use serde_json::json;

use super::site::{Site, TOTP, site};
use super::{Ended, folder, run, run_with, serve};

/// The site by flags: a form with a token, and one to log out.
const BY_FORM: &[&str] = &[
    "-q",
    "--format",
    "json",
    "--user",
    "alice",
    "--password-env",
    "AUDIT_ALICE",
    "--login",
    "/login",
    "--form",
    "user={username}",
    "--form",
    "pass={password}",
    "--csrf-field",
    "csrf",
    "--whoami",
    "/account",
    "--whoami-status",
    "200",
    "--logout",
    "/logout",
    "--logout-csrf-field",
    "csrf",
];

async fn audit(url: &str, more: &[&str]) -> Ended {
    let args = [&[url], BY_FORM, more].concat();
    run_with(&args, &[("AUDIT_TOTP", TOTP)]).await
}

#[track_caller]
fn clean(ended: &Ended) {
    assert_eq!(ended.status, 0, "{}{}", ended.out, ended.err);
    let report = ended.json();
    let outcome = |id: &str| {
        let checks = report["checks"].as_array().unwrap();
        let check = checks.iter().find(|check| check["id"] == id).unwrap();
        check["outcome"].as_str().unwrap().to_owned()
    };
    for id in ["id-kept-at-login", "old-id-alive-after-logout"] {
        assert_eq!(outcome(id), "passed", "{}", ended.out);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_with_tokens_at_login_and_logout_is_described_by_flags() {
    let (app, sessions) = site(Site {
        wants_referer: true,
        ..Site::default()
    });
    let url = serve(app).await;
    clean(&audit(&url, &[]).await);
    assert_eq!(sessions.logged_in(), 0, "sessions were left behind");
    let (app, _) = site(Site {
        keeps_id: true,
        ..Site::default()
    });
    let ended = audit(&serve(app).await, &[]).await;
    assert!(ended.found().contains("id-kept-at-login"), "{}", ended.out);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paths_start_below_the_path_of_the_url() {
    let (app, _) = site(Site {
        below: "/shop",
        ..Site::default()
    });
    let url = serve(app).await;
    clean(&audit(&format!("{url}/shop/"), &[]).await);
    // A path that starts there already is not prefixed twice.
    clean(&audit(&format!("{url}/shop"), &["--logout", "/shop/logout"]).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_step_sends_the_code_of_the_moment() {
    let (app, _) = site(Site {
        wants_code: true,
        ..Site::default()
    });
    let url = serve(app).await;
    let second = [
        "--then",
        "/code",
        "--then-form",
        "code={totp}",
        "--totp-env",
        "AUDIT_TOTP",
    ];
    clean(&audit(&url, &second).await);
    let secret = format!("code={{totp:{TOTP}}}");
    clean(&audit(&url, &["--then", "/code", "--then-form", &secret]).await);
    let without = audit(&url, &["--then", "/code", "--then-form", "code={totp}"]).await;
    assert_eq!(without.status, 2);
    assert!(without.err.contains("needs the secret"), "{}", without.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_are_picked_from_attributes_scripts_and_forms() {
    let (app, _) = site(Site {
        several_forms: true,
        ..Site::default()
    });
    let url = serve(app).await;
    for pick in [
        "{ attribute = \"data-token\", as = \"csrf\" }",
        "{ pattern = 'window\\.token = \"([0-9a-f]+)\"', as = \"csrf\" }",
        "{ field = \"csrf\", form = \"/login\" }",
    ] {
        let text = format!(
            "accounts = [{{ username = \"alice\", password_env = \"AUDIT_ALICE\" }}]\n\
             [[login]]\npath = \"/\"\npick = [{{ link = \"Sign in\" }}]\n\
             [[login]]\npath = \"{{link}}\"\npick = [{pick}]\n\
             [[login]]\npath = \"/login\"\nform = {{ user = \"{{username}}\", pass = \"{{password}}\" }}\n\
             headers = {{ X-CSRF-Token = \"{{csrf}}\" }}\n\
             [logged_in]\npath = \"/account\"\n\
             [[logout]]\npath = \"/\"\npick = [{{ field = \"csrf\" }}]\n\
             [[logout]]\npath = \"/logout\"\nform = {{ csrf = \"{{csrf}}\" }}\n"
        );
        let file = folder("picks").join("audit.toml");
        std::fs::write(&file, text).unwrap();
        let config = file.to_str().unwrap();
        clean(&run(&["-q", "--format", "json", "--config", config, &url]).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_page_that_sends_users_home_does_not_stop_a_second_login() {
    let (app, _) = site(Site {
        sends_home: true,
        keeps_id: true,
        ..Site::default()
    });
    let ended = audit(&serve(app).await, &[]).await;
    assert!(ended.found().contains("id-kept-at-reauth"), "{}", ended.out);
}

/// Takes JSON with a token from a cookie in a header, answers with a token, and wants it in a header of its own.
fn api() -> Router {
    let token = |headers: &HeaderMap| {
        let cookie = headers
            .get(header::COOKIE)
            .and_then(|value| value.to_str().ok());
        let cookie = cookie.and_then(|text| text.split("XSRF-TOKEN=").nth(1));
        let cookie = cookie.map(|text| text.split(';').next().unwrap().replace("%3D", "="));
        let sent = headers
            .get("x-xsrf-token")
            .and_then(|value| value.to_str().ok());
        cookie.is_some() && cookie.as_deref() == sent
    };
    let live = Arc::new(Mutex::new(Vec::<String>::new()));
    let (made, seen, ended) = (Arc::clone(&live), Arc::clone(&live), live);
    let login = move |headers: HeaderMap, body: String| async move {
        let body: serde_json::Value = serde_json::from_str(&body).unwrap_or_default();
        let expected =
            json!({"user": "alice", "pass": "alice-password", "keep": false, "roles": ["a", "b"]});
        if !token(&headers) {
            return (StatusCode::FORBIDDEN, "CSRF".to_owned());
        }
        if body != expected || headers["authorization"] != "Basic YWxpY2U6YWxpY2UtcGFzc3dvcmQ=" {
            return (StatusCode::UNAUTHORIZED, String::new());
        }
        let key = format!(
            "{:032x}",
            made.lock().unwrap().len() as u128 * 0x1234_5678_9abc_def1_2345 + 7
        );
        made.lock().unwrap().push(key.clone());
        (StatusCode::OK, json!({"data": {"key": key}}).to_string())
    };
    let of = |headers: &HeaderMap| {
        let value = headers
            .get("x-api-key")
            .and_then(|value| value.to_str().ok());
        value
            .and_then(|value| value.strip_prefix("Key "))
            .map(str::to_owned)
    };
    let me = move |headers: HeaderMap| async move {
        let known = of(&headers).filter(|key| seen.lock().unwrap().contains(key));
        match known {
            Some(_) => (StatusCode::OK, r#"{"name": "alice"}"#),
            None => (StatusCode::UNAUTHORIZED, "{}"),
        }
    };
    let logout = move |headers: HeaderMap| async move {
        let key = of(&headers).unwrap_or_default();
        ended
            .lock()
            .unwrap()
            .iter_mut()
            .filter(|own| **own == key)
            .for_each(String::clear);
    };
    let page = || async {
        [(
            header::SET_COOKIE,
            "XSRF-TOKEN=abc%3D; Path=/; Secure; SameSite=Lax",
        )]
    };
    Router::new()
        .route("/csrf", get(page))
        .route("/session", post(login).delete(logout))
        .route("/me", get(me))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_json_login_with_a_token_in_a_header_is_described_by_flags() {
    let url = serve(api()).await;
    let flags = [
        "-q",
        "--format",
        "json",
        &url,
        "--user",
        "alice",
        "--password-env",
        "AUDIT_ALICE",
        "--login",
        "/session",
        "--json",
        "user={username}",
        "--json",
        "pass={password}",
        "--json",
        "keep:=false",
        "--json",
        "roles:=[\"a\", \"b\"]",
        "--login-header",
        "Authorization: Basic {basic}",
        "--csrf-cookie",
        "XSRF-TOKEN",
        "--csrf-page",
        "/csrf",
        "--bearer",
        "/data/key",
        "--token-header",
        "X-Api-Key",
        "--token-scheme",
        "Key",
        "--whoami",
        "/me",
        "--whoami-json",
        "/name",
        "--logout",
        "DELETE:/session",
    ];
    let ended = run(&flags).await;
    assert_eq!(ended.json()["complete"], true, "{}", ended.out);
    assert_eq!(
        ended.json()["session"],
        json!(["{bearer}"]),
        "{}",
        ended.out
    );
    assert!(
        ended.found().iter().all(|id| id.starts_with("id-")),
        "{:?}",
        ended.found()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fields_repeat_and_bodies_come_in_parts() {
    let bodies = Arc::new(Mutex::new(Vec::<String>::new()));
    let heard = Arc::clone(&bodies);
    let (app, _) = site(Site::default());
    let app = app.layer(from_fn(move |request: Request, next: Next| {
        let heard = Arc::clone(&heard);
        async move {
            if request.uri().path() != "/cart" {
                return next.run(request).await;
            }
            let kind = request.headers()[header::CONTENT_TYPE]
                .to_str()
                .unwrap()
                .to_owned();
            let body = axum::body::to_bytes(request.into_body(), 4_096)
                .await
                .unwrap();
            heard
                .lock()
                .unwrap()
                .push(format!("{kind}\n{}", String::from_utf8_lossy(&body)));
            "ok".into_response()
        }
    }));
    let url = serve(app).await;
    let text = "[[visit]]\npath = \"/cart\"\nform = { size = [\"S\", \"M\"] }\n\
                [[visit]]\npath = \"/cart\"\nmultipart = { a = \"1\", f = { file_name = \"x.txt\", contents = \"hi\" } }\n\
                [[visit]]\npath = \"/cart\"\njson = [1, \"two\"]\n";
    let file = folder("bodies").join("audit.toml");
    std::fs::write(&file, text).unwrap();
    clean(&audit(&url, &["--config", file.to_str().unwrap()]).await);
    let bodies = bodies.lock().unwrap().join("\n\n");
    for part in [
        "size=S&size=M",
        "name=\"a\"\r\n\r\n1\r\n",
        "name=\"f\"; filename=\"x.txt\"\r\nContent-Type: application/octet-stream\r\n\r\nhi\r\n",
        "application/json\n[1,\"two\"]",
    ] {
        assert!(bodies.contains(part), "{part} is not in {bodies}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_go_with_every_request() {
    let missing = Arc::new(Mutex::new(0));
    let count = Arc::clone(&missing);
    let (app, _) = site(Site::default());
    let app = app.layer(from_fn(move |request: Request, next: Next| {
        if request
            .headers()
            .get("x-forwarded-proto")
            .is_none_or(|value| value != "https")
        {
            *count.lock().unwrap() += 1;
        }
        next.run(request)
    }));
    clean(&audit(&serve(app).await, &["--header", "X-Forwarded-Proto=https"]).await);
    assert_eq!(*missing.lock().unwrap(), 0);
}

/// The probe shows the user's name with something that differs at each login.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_probe_may_show_more_than_the_users_name() {
    let (app, _) = site(Site::default());
    let count = Arc::new(Mutex::new(0));
    let app = app.layer(from_fn(move |request: Request, next: Next| {
        let count = Arc::clone(&count);
        async move {
            let is_probe = request.uri().path() == "/account";
            let response = next.run(request).await;
            if !is_probe || response.status() != StatusCode::OK {
                return response;
            }
            *count.lock().unwrap() += 1;
            let at = *count.lock().unwrap();
            axum::Json(json!({"who": format!("alice, request {at}")})).into_response()
        }
    }));
    let url = serve(app).await;
    let flags: Vec<_> = BY_FORM
        .iter()
        .filter(|flag| !matches!(**flag, "--whoami-status" | "200"))
        .copied()
        .collect();
    let ended = run(&[&[&*url], &flags[..], &["--whoami-json", "/who"]].concat()).await;
    clean(&ended);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delay_keeps_requests_apart() {
    let (app, _) = site(Site::default());
    let start = std::time::Instant::now();
    let ended = audit(
        &serve(app).await,
        &["--delay", "0.02", "--most-requests", "60"],
    )
    .await;
    assert_eq!(ended.status, 2);
    assert!(
        start.elapsed() > Duration::from_millis(59 * 20),
        "{:?}",
        start.elapsed()
    );
}
