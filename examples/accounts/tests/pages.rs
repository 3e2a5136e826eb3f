//! What pages say of a session's end and of failures, and what they promise browsers.

mod site;

use std::time::Duration;

use accounts::database;
use axum::{
    body::Body,
    http::{StatusCode, header},
};
use test_support::{Answer, Client, clock, keys};
use tower_session_guard::{
    MemoryStore, SessionLayer,
    testing::{FaultyStore, StoreOperation},
};

use site::{Browser, ORIGIN, leads_to, site};

const HOUR: Duration = Duration::from_secs(3600);

/// A page, with its title and a way on.
#[track_caller]
fn is_a_page(answer: &Answer, status: StatusCode) {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert_eq!(
        answer.headers[header::CONTENT_TYPE],
        "text/html; charset=utf-8"
    );
    assert!(answer.body.contains("<title>Error: "), "{}", answer.body);
    assert_eq!(answer.body.matches("<h1>").count(), 1);
    assert!(answer.body.contains("href=\"/\""));
    assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
    assert!(answer.headers.contains_key(header::CONTENT_SECURITY_POLICY));
}

async fn send(browser: &mut Browser, method: &str, path: &str, kind: &str, body: String) -> Answer {
    let request = browser.request(method, path);
    let request = request
        .header("sec-fetch-site", "same-origin")
        .header(header::CONTENT_TYPE, kind);
    browser.send(request.body(Body::from(body)).unwrap()).await
}

#[tokio::test]
async fn whatever_is_refused_has_a_page() {
    let mut anonymous = site(&clock()).await;
    let mut alice = anonymous.another();
    alice.login("alice").await;
    let form = "application/x-www-form-urlencoded";
    for browser in [&mut anonymous, &mut alice] {
        is_a_page(&browser.get("/nothing").await, StatusCode::NOT_FOUND);
        let answer = send(browser, "DELETE", "/login", form, String::new()).await;
        is_a_page(&answer, StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(answer.headers[header::ALLOW], "GET,HEAD,POST");
        let answer = send(browser, "POST", "/login", form, "a".repeat(20_000)).await;
        is_a_page(&answer, StatusCode::PAYLOAD_TOO_LARGE);
        let answer = send(
            browser,
            "POST",
            "/login",
            "application/json",
            "{}".to_owned(),
        )
        .await;
        is_a_page(&answer, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        is_a_page(
            &browser.post("/login", "nonsense").await,
            StatusCode::UNPROCESSABLE_ENTITY,
        );
        let answer = browser
            .post_from("cross-site", "/login", "name=alice&password=demo")
            .await;
        is_a_page(&answer, StatusCode::FORBIDDEN);
    }
    is_a_page(&anonymous.get("/live").await, StatusCode::UNAUTHORIZED);
    is_a_page(&alice.get("/admin").await, StatusCode::FORBIDDEN);
    let stale = alice.post("/logout", "csrf=x").await;
    is_a_page(&stale, StatusCode::FORBIDDEN);
    assert!(stale.body.contains("load the page again"));
    is_a_page(
        &alice.post("/logout", "").await,
        StatusCode::UNPROCESSABLE_ENTITY,
    );
}

/// ASVS 7.4.4: also where something failed.
#[tokio::test]
async fn logging_out_is_on_every_page() {
    let mut browser = site(&clock()).await;
    browser.login("alice").await;
    browser.step_up().await;
    for path in [
        "/",
        "/login",
        "/signup",
        "/sessions",
        "/step-up",
        "/transfer",
        "/password",
        "/delete",
        "/nothing",
        "/admin",
    ] {
        let page = browser.text(path).await;
        assert!(page.contains("action=\"/logout\""), "{path}");
        assert!(page.contains("Stay logged in"), "{path}");
    }
}

/// What a script asks for is not a page.
#[tokio::test]
async fn a_failure_has_no_page_where_none_was_asked_for() {
    let browser = site(&clock()).await;
    let script = Client::around(browser.app);
    let answer = script.get("/nothing", &[]).await;
    assert_eq!((answer.status, &*answer.body), (StatusCode::NOT_FOUND, ""));
}

#[tokio::test]
async fn a_store_that_fails_has_a_page_and_logs_nobody_out() {
    let clock = clock();
    let store = FaultyStore::new(MemoryStore::new());
    let sessions = SessionLayer::new(keys()).with_store(store.clone());
    let pool = database::in_memory().await.unwrap();
    let mut browser = site::with_sessions(sessions, pool.clone(), &clock).await;
    browser.login("alice").await;
    store.fail(StoreOperation::Load, 1, 0);
    is_a_page(&browser.get("/").await, StatusCode::SERVICE_UNAVAILABLE);
    // No session is asked for.
    store.fail(StoreOperation::Load, 1, 0);
    assert_eq!(browser.get("/style.css").await.status, StatusCode::OK);
    is_a_page(&browser.get("/").await, StatusCode::SERVICE_UNAVAILABLE);
    assert!(browser.is_logged_in().await);

    sqlx::query("ALTER TABLE users RENAME TO gone")
        .execute(&pool)
        .await
        .unwrap();
    is_a_page(&browser.get("/").await, StatusCode::SERVICE_UNAVAILABLE);
    sqlx::query("ALTER TABLE gone RENAME TO users")
        .execute(&pool)
        .await
        .unwrap();
    assert!(browser.is_logged_in().await);
}

#[tokio::test]
async fn a_page_says_why_its_user_is_logged_out() {
    let clock = clock();
    let mut browser = site(&clock).await;
    assert!(!browser.text("/login").await.contains("logged out"));
    browser.login("alice").await;
    clock.advance(HOUR);
    leads_to(&browser.get("/sessions").await, "/login?next=%2Fsessions");
    let page = browser.text("/login?next=%2Fsessions").await;
    assert!(
        page.contains("You are not logged in any more: you did nothing here for a while"),
        "{page}"
    );

    browser.login("alice").await;
    let mut phone = browser.another();
    phone.login("alice").await;
    browser
        .submit("/sessions", "/sessions/end-others", "")
        .await;
    let page = phone.text("/").await;
    assert!(page.contains("You are not logged in any more"), "{page}");
}

/// Asking is no use of the session; the button is.
#[tokio::test]
async fn a_page_learns_how_long_the_session_lasts_without_prolonging_it() {
    let clock = clock();
    let mut browser = site(&clock).await;
    browser.login("alice").await;
    let page = browser.text("/").await;
    assert!(page.contains("data-seconds=\"3600\""), "{page}");
    assert!(
        page.contains("you will be logged out in 1 hour, at 09:00 UTC"),
        "{page}"
    );
    let csrf = browser.csrf("/").await;

    clock.advance(HOUR - Duration::from_secs(100));
    for _ in 0..2 {
        let left = browser.text("/time-left").await;
        assert_eq!(left, r#"{"seconds":100,"at_the_latest":false}"#);
    }
    let stayed = browser
        .post("/stay", &format!("csrf={csrf}&next=/sessions"))
        .await;
    leads_to(&stayed, "/sessions");
    assert!(browser.text("/time-left").await.contains("3600"));
    clock.advance(HOUR);
    assert_eq!(
        browser.get("/time-left").await.status,
        StatusCode::UNAUTHORIZED
    );
}

/// A day after the login nothing helps, and the page does not say so.
#[tokio::test]
async fn near_the_last_limit_no_button_promises_to_stay() {
    let clock = clock();
    let mut browser = site(&clock).await;
    browser.login("alice").await;
    for _ in 0..45 {
        clock.advance(HOUR / 2);
        assert!(browser.text("/").await.contains("Stay logged in"));
    }
    clock.advance(HOUR / 2);
    browser.get("/").await;
    clock.advance(HOUR * 3 / 4);
    let page = browser.text("/").await;
    assert!(
        page.contains("Whatever you do here, you will be logged out in 15 minutes"),
        "{page}"
    );
    assert!(!page.contains("Stay logged in"));
    assert!(
        browser
            .text("/time-left")
            .await
            .contains(r#""at_the_latest":true"#)
    );
}

/// Nothing in a page runs or styles that is not one of the site's files.
#[tokio::test]
async fn no_script_and_no_style_is_within_a_page() {
    let mut browser = site(&clock()).await;
    browser.login("admin").await;
    browser
        .submit("/step-up", "/step-up", "code=123456&next=/admin")
        .await;
    for path in [
        "/",
        "/login",
        "/sessions",
        "/admin",
        "/transfer",
        "/nothing",
    ] {
        let answer = browser.get(path).await;
        let policy = answer.headers[header::CONTENT_SECURITY_POLICY]
            .to_str()
            .unwrap();
        assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"));
        for within in ["<script>", "<style", " style=", " onclick="] {
            assert!(!answer.body.contains(within), "{path} {within}");
        }
        assert!(!answer.body.contains(ORIGIN));
    }
}

/// What is wrong with a field is tied to it, and told.
#[tokio::test]
async fn a_wrong_field_says_so() {
    let mut browser = site(&clock()).await;
    let page = browser
        .post("/login", "name=ali%22ce&password=x&remember=yes")
        .await
        .body;
    assert!(page.contains("<title>Error: Log in · "));
    assert!(page.contains(r#"<p class="error" id="password-error" role="alert">"#));
    assert!(page.contains(r#"aria-describedby="password-error" aria-invalid="true" autofocus"#));
    assert!(page.contains(r#"value="ali&quot;ce""#), "the name is kept");
    assert!(
        page.contains(r#"value="yes" checked"#),
        "and what was ticked"
    );
    assert!(!page.contains(r#"value="x""#), "the password is not");
}
