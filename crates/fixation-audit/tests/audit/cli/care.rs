//! Care for the application: pauses that it asks for, accounts that lock, and what a failed login looks like.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Redirect};
use axum::routing::{get, post};

use super::{by_flags, run, serve};
use crate::rust::{Faults, Spelling, app};

fn correct() -> Router {
    app(Faults::default(), Spelling::Plain)
}

/// Refuses every fifth login with 429 and asks for a pause, and counts what comes too soon.
fn throttled(pause: Option<&'static str>, length: Duration) -> (Router, Arc<AtomicUsize>) {
    let early = Arc::new(AtomicUsize::new(0));
    let (count, until) = (AtomicUsize::new(0), Mutex::new(Instant::now()));
    let (counter, shared) = (Arc::clone(&early), Arc::new((count, until)));
    let layer = from_fn(move |request: Request, next: Next| {
        let (early, shared) = (Arc::clone(&counter), Arc::clone(&shared));
        async move {
            let (count, until) = &*shared;
            if Instant::now() < *until.lock().unwrap() {
                early.fetch_add(1, Ordering::Relaxed);
            }
            let is_login = request.uri().path() == "/login";
            if !is_login || !(count.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(5) {
                return next.run(request).await;
            }
            *until.lock().unwrap() = Instant::now() + length;
            let mut response = StatusCode::TOO_MANY_REQUESTS.into_response();
            if let Some(pause) = pause {
                response
                    .headers_mut()
                    .insert(header::RETRY_AFTER, pause.parse().unwrap());
            }
            response
        }
    });
    (correct().layer(layer), early)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_that_the_application_asks_for_is_made() {
    // "0" is taken for a quarter of a second.
    for (pause, length) in [(Some("0"), 200), (Some("1"), 900), (None, 900)] {
        let (app, early) = throttled(pause, Duration::from_millis(length));
        let url = serve(app).await;
        let ended = run(&by_flags(&[&url, "-q", "--samples", "4"])).await;
        assert_eq!(ended.status, 0, "{}{}", ended.out, ended.err);
        assert_eq!(early.load(Ordering::Relaxed), 0, "{pause:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_longer_than_the_time_limit_ends_the_audit() {
    let (app, early) = throttled(Some("3600"), Duration::from_secs(3_600));
    let url = serve(app).await;
    let start = Instant::now();
    let ended = run(&by_flags(&[&url, "-q", "--format", "json"])).await;
    assert!(start.elapsed() < Duration::from_secs(20));
    assert_eq!(ended.status, 2, "{}", ended.out);
    let stopped = ended.json()["stopped"].as_str().unwrap().to_owned();
    assert!(stopped.contains("asks for a pause of 3600 s"), "{stopped}");
    // Nothing was sent into the refusal, not even the logout at the end.
    assert_eq!(early.load(Ordering::Relaxed), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_locks_is_left_alone() {
    let tries = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&tries);
    let layer = from_fn(move |request: Request, next: Next| {
        let is_login = request.uri().path() == "/login";
        let locked = is_login && count.fetch_add(1, Ordering::Relaxed) >= 8;
        async move {
            if locked {
                return (StatusCode::FORBIDDEN, "the account is locked").into_response();
            }
            next.run(request).await
        }
    });
    let url = serve(correct().layer(layer)).await;
    let ended = run(&by_flags(&[&url, "-q", "--format", "json"])).await;
    assert_eq!(ended.status, 2, "{}", ended.out);
    let tries = tries.load(Ordering::Relaxed);
    assert!(tries < 8 + 20, "{tries} logins");
    assert!(
        ended.out.contains("the account may be locked"),
        "{}",
        ended.out
    );
}

/// Each cause of a login that does not work has a message of its own, with method, path and status.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_fails_says_where_and_why() {
    let csrf = || async {
        (
            StatusCode::FORBIDDEN,
            "CSRF verification failed. A secret: 0123456789abcdef0123",
        )
    };
    let again = || async {
        (
            [(header::CONTENT_TYPE, "text/html")],
            "<p>Wrong.</p><form><input type=password name=p></form>",
        )
    };
    let refused = || async { [(header::SET_COOKIE, "__Host-sid=1; Path=/")] };
    let app = correct()
        .route("/csrf-login", post(csrf))
        .route("/form-again", post(again))
        .route(
            "/away",
            post(|| async { Redirect::to("https://login.example/in?x=1") }),
        )
        .route("/refused", post(refused))
        .route("/silent", post(|| async { "ok" }))
        .route("/to-login", get(|| async { Redirect::to("/login-page") }));
    let url = serve(app).await;
    let cases: &[(&[&str], &[&str])] = &[
        (
            &["--form", "password=wrong"],
            &[
                "POST /login → 401",
                "user name or password are refused",
                "GET /whoami → 401",
            ],
        ),
        (
            &["--login", "/csrf-login"],
            &[
                "POST /csrf-login → 403",
                "CSRF verification failed",
                "--csrf-field",
            ],
        ),
        (
            &["--login", "/form-again"],
            &["POST /form-again → 200", "asks for the password again"],
        ),
        (
            &["--login", "/away"],
            &["303 to https://login.example/in", "--allow-origin"],
        ),
        (
            &["--login", "/refused"],
            &["a browser refuses the cookie __Host-sid"],
        ),
        (
            &["--login", "/silent"],
            &["no answer of the login sets a cookie", "--bearer"],
        ),
        (
            &["--login", "/nowhere"],
            &["POST /nowhere → 404", "is the path right?"],
        ),
        (
            &["--login", "PUT:/login"],
            &["PUT /login → 405", "does not take this method"],
        ),
        (
            &["--whoami", "/nowhere"],
            &["GET /nowhere → 404", "is the probe's path right?"],
        ),
        (
            &["--whoami", "/to-login"],
            &["GET /to-login → 303 to /login-page", "it redirects"],
        ),
        (
            &["--whoami-json", "/name"],
            &["its JSON has nothing at /name"],
        ),
        (&["--whoami", "/data"], &["it is not JSON"]),
        (
            &["--csrf-field", "token"],
            &["did not contain the form field token"],
        ),
    ];
    for (flags, expected) in cases {
        let ended = run(&by_flags(&[&[&*url, "-q"], *flags].concat())).await;
        assert_eq!(ended.status, 2, "{flags:?}: {}", ended.out);
        for text in *expected {
            assert!(
                ended.err.contains(text),
                "{flags:?}: {text} is not in {}",
                ended.err
            );
        }
        for secret in ["alice-password", "wrong\"", "0123456789abcdef0123"] {
            assert!(!ended.err.contains(secret), "{flags:?}: {}", ended.err);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_shows_one_login_and_where_it_stopped() {
    let url = serve(correct()).await;
    let ended = run(&by_flags(&[&url, "--dry-run"])).await;
    assert_eq!(ended.status, 0, "{}{}", ended.out, ended.err);
    let expected = [
        "log in\n",
        "POST /login, form password, user",
        "sets __Host-Http-id = ‹",
        "GET /whoami, cookie __Host-Http-id = ‹",
        "elevate\n",
        "log out\n",
        "POST /logout",
        "removes __Host-Http-id",
        "the session rides on __Host-Http-id",
        "all of it worked",
    ];
    let mut rest = ended.out.as_str();
    for text in expected {
        let (_, after) = rest
            .split_once(text)
            .unwrap_or_else(|| panic!("{text} in {}", ended.out));
        rest = after;
    }
    assert!(!ended.out.contains("alice-password"));

    let ended = run(&by_flags(&[&url, "-n", "--logout", "/nowhere"])).await;
    assert_eq!(ended.status, 2);
    assert!(
        ended
            .out
            .contains("stopped: a step failed: the browser is still logged in"),
        "{}",
        ended.out
    );
    let ended = run(&by_flags(&[&url, "-n", "--form", "password=wrong"])).await;
    assert_eq!(ended.status, 2);
    assert!(
        ended.out.contains("stopped: could not log in"),
        "{}",
        ended.out
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verbose_tells_each_request_and_no_secret() {
    let url = serve(correct()).await;
    let ended = run(&by_flags(&[&url, "-q", "-v", "--format", "json"])).await;
    let lines = ended
        .err
        .lines()
        .filter(|line| line.contains(" → "))
        .count() as u64;
    assert_eq!(Some(lines), ended.json()["requests"].as_u64());
    assert!(!ended.err.contains("alice-password"));
}
