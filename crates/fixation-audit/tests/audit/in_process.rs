//! Audits in process, as an application's own tests run them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::middleware::{Next, from_fn, map_response};
use axum::response::{IntoResponse as _, Redirect, Response};
use fixation_audit::{Account, FixationAudit, Flow, Pick, Place, Probe, Report, Step};
use tower::ServiceExt as _;

use crate::rust::{self, Faults, Spelling};
use crate::truth::{Score, rust_servers};

fn audit(app: Router) -> FixationAudit {
    FixationAudit::of(app)
        .account(Account::new("alice", "alice-password"))
        .account(Account::new("bob", "bob-password"))
        .visit(Step::get("/"))
        .visit(Step::post("/data").field("value", "guest"))
        .login(
            Step::post("/login")
                .field("user", "{username}")
                .field("password", "{password}"),
        )
        .logged_in(Probe::get("/whoami").json("/subject"))
        .elevate(Step::post("/elevate"))
        .elevated(Probe::get("/whoami").json_is("/level", 2))
        .logout(Step::post("/logout"))
        .data(
            Step::post("/data").field("value", "{marker}"),
            Step::get("/data"),
        )
        .csrf(
            Step::get("/csrf").picking(Pick::field("csrf")),
            Step::post("/csrf").field("csrf", "{csrf}"),
        )
        .slow(Step::post("/slow"))
}

fn ids(report: &Report) -> BTreeSet<String> {
    report
        .findings()
        .map(|(check, _)| check.id.to_owned())
        .collect()
}

#[tokio::test]
async fn what_is_found_in_each_server_is_what_is_wrong_with_it() {
    let mut score = Score::default();
    for server in rust_servers() {
        let report = audit(rust::app(server.faults, server.spelling))
            .run()
            .await
            .unwrap();
        assert!(report.is_complete(), "{}: {report}", server.truth.name);
        println!(
            "{:<28} {:>4} requests {:>6.0} ms",
            server.truth.name,
            report.requests(),
            report.took().as_secs_f64() * 1e3
        );
        score.add(&server.truth, &report);
    }
    score.save("rust");
    score.assert_exact();
}

#[tokio::test]
async fn a_correct_server_passes_its_test() {
    audit(rust::app(Faults::default(), Spelling::Signed))
        .run()
        .await
        .unwrap()
        .assert_clean();
}

#[tokio::test]
async fn a_closure_can_log_in() {
    let faults = Faults {
        keeps_at_elevation: true,
        ..Faults::default()
    };
    let report = FixationAudit::of(rust::app(faults, Spelling::Plain))
        .account(Account::new("alice", "alice-password"))
        .login(Flow::run_by(|browser, account| async move {
            let step = Step::post("/login")
                .field("user", account.username())
                .field("password", account.password());
            browser.send(&step.expecting(200)).await.map(drop)
        }))
        .logged_in(
            Probe::get("/whoami")
                .by(|answer| answer.json()?["subject"].as_str().map(ToOwned::to_owned)),
        )
        .elevate(Flow::run_by(|browser, _| async move {
            browser.send(&Step::post("/elevate")).await.map(drop)
        }))
        .elevated(Probe::get("/whoami").text(r#""level": 2"#))
        .run()
        .await
        .unwrap();
    assert_eq!(ids(&report), ["id-kept-at-elevation".to_owned()].into());
}

#[tokio::test]
async fn a_service_with_a_body_of_its_own_can_be_audited() {
    let app = rust::app(Faults::default(), Spelling::Plain);
    let service = app.map_request(|request: Request<Body>| request);
    FixationAudit::with_body(service, Body::from)
        .at(Place::parse("http://127.0.0.1:8080").unwrap())
        .account(Account::new("alice", "alice-password"))
        .login(
            Step::post("/login")
                .field("user", "{username}")
                .field("password", "{password}"),
        )
        .logged_in(Probe::get("/whoami").status(200))
        .run()
        .await
        .unwrap()
        .assert_clean();
}

#[tokio::test]
#[should_panic(expected = "old-id-alive-after-logout: the identifier still works after the logout")]
async fn a_finding_fails_the_test_and_shows_the_table() {
    let faults = Faults {
        logout_in_browser_only: true,
        ..Faults::default()
    };
    audit(rust::app(faults, Spelling::Plain))
        .run()
        .await
        .unwrap()
        .assert_clean();
}

#[tokio::test]
#[should_panic(expected = "not complete: broke off: the limit of 60 requests is reached")]
async fn an_audit_that_broke_off_fails_the_test() {
    let app = rust::app(Faults::default(), Spelling::Plain);
    audit(app)
        .most_requests(60)
        .run()
        .await
        .unwrap()
        .assert_clean();
}

#[tokio::test]
async fn a_login_that_does_not_work_is_an_error_and_not_a_clean_report() {
    let broken = |audit: FixationAudit| async { audit.run().await.unwrap_err().to_string() };
    let app = || rust::app(Faults::default(), Spelling::Plain);
    let wrong = audit(app()).login(Step::post("/login").field("user", "{username}"));
    assert!(broken(wrong).await.starts_with("could not log in"));
    let always = audit(app()).logged_in(Probe::get("/"));
    assert!(
        broken(always)
            .await
            .contains("shows a login before there was one")
    );
    let expecting = Step::post("/login")
        .field("user", "{username}")
        .expecting(200);
    assert!(
        broken(audit(app()).login(expecting))
            .await
            .contains("answered 401, not 200")
    );
    assert!(
        broken(audit(app()).accept("no-such-check", ""))
            .await
            .contains("no-such-check")
    );
    assert!(broken(FixationAudit::of(app())).await.contains("missing"));
    let refused = audit(rust::app(Faults::default(), Spelling::Plain));
    let refused = refused.at(Place::parse("http://app.example.test").unwrap());
    assert!(
        broken(refused)
            .await
            .contains("refuses the cookie __Host-Http-visitor"),
        "plain HTTP"
    );
}

#[tokio::test]
async fn a_login_ignored_for_a_logged_in_user_is_not_judged_as_kept() {
    // Whoever is logged in already is sent on, whatever password comes along.
    let app = rust::app(Faults::default(), Spelling::Plain).layer(from_fn(
        |request: Request<Body>, next: Next| async move {
            let logged_in = request.headers().get("cookie").is_some_and(|cookie| {
                String::from_utf8_lossy(cookie.as_bytes()).contains("__Host-Http-id=")
            });
            if request.uri().path() == "/login" && logged_in {
                return Redirect::to("/").into_response();
            }
            next.run(request).await
        },
    ));
    let report = audit(app).run().await.unwrap();
    assert!(
        report
            .to_string()
            .contains("ignores a login where somebody is logged in"),
        "{report}"
    );
    report.assert_clean();
}

#[tokio::test]
async fn debug_and_reports_hide_credentials_and_tokens() {
    let faults = Faults {
        never_rotates: true,
        one_name_for_all: true,
        ..Faults::default()
    };
    let audit = audit(rust::app(faults, Spelling::Plain));
    assert!(!format!("{audit:?}").contains("password"), "{audit:?}");
    let report = audit
        .accept("id-kept-at-login", "alice-password")
        .run()
        .await
        .unwrap();
    assert!(report.findings().count() > 5);
    for text in [
        report.to_json(),
        report.to_sarif(Some("x")),
        report.to_junit(),
        report.to_string(),
    ] {
        assert!(
            !text.contains("alice-password") && !text.contains("bob-password"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_cookie_for_a_part_of_the_site_is_found_too() {
    let faults = Faults {
        never_rotates: true,
        bare_cookie: true,
        ..Faults::default()
    };
    let inner = rust::app(faults, Spelling::Plain);
    let app =
        Router::new()
            .nest("/shop", inner)
            .layer(map_response(|mut response: Response| async {
                let fields = response.headers_mut();
                if let Some(field) = fields.get_mut("set-cookie") {
                    let scoped = field.to_str().unwrap().replace("Path=/;", "Path=/shop;");
                    *field = scoped.parse().unwrap();
                }
                response
            }));
    let report = FixationAudit::of(app)
        .account(Account::new("alice", "alice-password"))
        .visit(Step::post("/shop/data").field("value", "guest"))
        .login(
            Step::post("/shop/login")
                .field("user", "{username}")
                .field("password", "{password}"),
        )
        .logged_in(Probe::get("/shop/whoami").json("/subject"))
        .run()
        .await
        .unwrap();
    assert!(report.found("planted-cookie-authenticated") && report.found("cookie-domain-scope"));
}

#[tokio::test]
async fn of_two_cookies_that_each_log_in_both_are_looked_at() {
    // The second one repeats the first under another name, without its attributes.
    let app = rust::app(Faults::default(), Spelling::Plain);
    let app = app.layer(from_fn(
        |mut request: Request<Body>, next: Next| async move {
            let cookie = request
                .headers()
                .get("cookie")
                .map(|c| c.as_bytes().to_vec());
            let text = String::from_utf8_lossy(&cookie.unwrap_or_default()).into_owned();
            if !text.contains("__Host-Http-id=") && text.contains("remember=") {
                let renamed = text.replace("remember=", "__Host-Http-id=");
                request
                    .headers_mut()
                    .insert("cookie", renamed.parse().unwrap());
            }
            let mut response = next.run(request).await;
            let set: Vec<_> = response
                .headers()
                .get_all("set-cookie")
                .into_iter()
                .cloned()
                .collect();
            for field in set {
                let field = field.to_str().unwrap();
                if let Some(value) = field.strip_prefix("__Host-Http-id=") {
                    let value = value.split(';').next().unwrap();
                    let second = format!("remember={value}; Path=/").parse().unwrap();
                    response.headers_mut().append("set-cookie", second);
                }
            }
            response
        },
    ));
    let report = audit(app).run().await.unwrap();
    assert!(report.found("cookie-not-secure"), "{report}");
}

/// A correct server that answers so many logins, and how many were tried.
fn patient_for(allowed: usize) -> (Router, Arc<AtomicUsize>) {
    let logins = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&logins);
    let limit = from_fn(move |request: Request<Body>, next: Next| {
        let is_login = request.uri().path() == "/login";
        let spent = is_login && counter.fetch_add(1, Ordering::Relaxed) >= allowed;
        async move {
            if spent {
                return "try again tomorrow".into_response();
            }
            next.run(request).await
        }
    });
    (
        rust::app(Faults::default(), Spelling::Plain).layer(limit),
        logins,
    )
}

#[tokio::test]
async fn a_limit_on_logins_leaves_the_audit_incomplete_and_raises_no_false_alarm() {
    let (app, logins) = patient_for(usize::MAX);
    audit(app).run().await.unwrap().assert_clean();
    let enough = logins.load(Ordering::Relaxed);
    assert!(enough > 30);
    for allowed in (3..enough).step_by(2) {
        let report = audit(patient_for(allowed).0).run().await.unwrap();
        assert_eq!(report.findings().count(), 0, "{allowed}: {report}");
        assert!(!report.is_complete(), "{allowed}: {report}");
    }
}

#[tokio::test]
async fn a_refused_logout_or_elevation_is_not_taken_for_one() {
    let refuse = from_fn(|request: Request<Body>, next: Next| async move {
        if matches!(request.uri().path(), "/logout" | "/elevate") {
            return StatusCode::FORBIDDEN.into_response();
        }
        next.run(request).await
    });
    let app = rust::app(Faults::default(), Spelling::Plain).layer(refuse);
    let report = audit(app).run().await.unwrap();
    report.assert_clean();
    let text = report.to_string();
    assert_eq!(
        text.matches("the logout failed: the application refuses it: POST /logout answered 403")
            .count(),
        6,
        "{text}"
    );
    assert_eq!(
        text.matches(
            "the elevation failed: the application refuses it: POST /elevate answered 403"
        )
        .count(),
        2,
        "{text}"
    );
}
