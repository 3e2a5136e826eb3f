//! What real applications do, vulnerable and correct: each behaviour with all that the audit may say of it.

use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use fixation_audit::{Account, FixationAudit, Outcome, Pick, Place, Probe, Report, Step};

use crate::site::{Behaviour, Carrier, Logout, Remember, app};
use crate::truth::{Score, site_servers};

fn audit(behaviour: Behaviour) -> FixationAudit {
    described(app(behaviour), behaviour)
}

pub(crate) fn described(app: Router, behaviour: Behaviour) -> FixationAudit {
    let bearer = behaviour.carrier == Carrier::Bearer;
    let own = |step: Step| match bearer {
        true => step.header("authorization", "Bearer {access_token}"),
        false => step,
    };
    let login = Step::post("/login");
    let login = if bearer {
        let body = serde_json::json!({"user": "{username}", "password": "{password}"});
        login.json(body).picking(Pick::json("/access_token"))
    } else {
        login
            .field("user", "{username}")
            .field("password", "{password}")
    };
    let mut audit = FixationAudit::of(app)
        .account(Account::new("alice", "alice-password"))
        .account(Account::new("bob", "bob-password"))
        .visit(Step::get("/"))
        .login(login)
        .logged_in(Probe::new(own(Step::get("/whoami"))).json("/user"))
        .elevate(own(Step::post("/elevate").field("code", "123456")))
        .elevated(Probe::new(own(Step::get("/whoami"))).json_is("/level", 2))
        .logout(own(Step::post("/logout")))
        .end_others(own(Step::post("/end-others")))
        .change_password(
            own(Step::post("/password"))
                .field("old", "{password}")
                .field("new", "{new_password}"),
        )
        .samples(4)
        .csrf(
            Step::get("/form").picking(Pick::field("csrf")),
            Step::post("/form").field("csrf", "{csrf}"),
        );
    if let Some(limit) = behaviour.limit {
        audit = audit.session_limit(limit);
    }
    if let Some(limit) = behaviour.idle {
        audit = audit.idle_limit(limit).wait(Duration::from_secs(10));
    }
    audit
}

fn found(report: &Report) -> Vec<String> {
    report
        .findings()
        .map(|(check, finding)| format!("{}={}", check.id, finding.severity))
        .collect()
}

fn reason(report: &Report, id: &str) -> String {
    let verdicts = report.verdicts();
    let verdict = verdicts.iter().find(|verdict| verdict.check.id == id);
    match &verdict.unwrap().outcome {
        Outcome::NotJudged(reason) => reason.clone(),
        other => panic!("{id} is judged: {other:?}\n{report}"),
    }
}

#[tokio::test]
async fn what_is_found_in_each_site_is_what_is_wrong_with_it() {
    let mut score = Score::default();
    for (truth, behaviour) in site_servers() {
        let report = audit(behaviour).run().await.unwrap();
        assert!(report.is_complete(), "{}: {report}", truth.name);
        score.add(&truth, &report);
    }
    score.save("site");
    score.assert_exact();
}

#[tokio::test]
async fn a_logout_that_does_nothing_is_not_judged_and_says_what_it_answered() {
    for logout in [Logout::Nothing, Logout::Asks] {
        let report = audit(Behaviour {
            logout,
            ..Behaviour::default()
        });
        let report = report.run().await.unwrap();
        let expected =
            "the logout did nothing: POST /logout answered 200 and the browser is still logged in";
        for id in [
            "old-id-alive-after-logout",
            "token-alive-after-logout",
            "session-back-after-logout",
            "removal-ignored",
            "logout-csrf",
        ] {
            assert_eq!(reason(&report, id), expected, "{id}");
        }
    }
    let report = audit(Behaviour {
        logout: Logout::Error,
        ..Behaviour::default()
    });
    let report = report.run().await.unwrap();
    let told = reason(&report, "old-id-alive-after-logout");
    assert!(
        told.contains("answered 200 with \"error\" in its JSON"),
        "{told}"
    );
}

/// One page for every path, as applications in the browser have it.
async fn one_page(method: Method, uri: Uri, request: Request, next: Next) -> Response {
    let answer = next.run(request).await;
    if answer.status() == StatusCode::NOT_FOUND && uri.path() != "/form" && method != Method::PUT {
        return "<div id=app>".into_response();
    }
    answer
}

#[tokio::test]
async fn a_mistyped_logout_of_a_bearer_token_is_told_by_a_path_that_does_not_exist() {
    let behaviour = Behaviour {
        carrier: Carrier::Bearer,
        ..Behaviour::default()
    };
    let site = app(behaviour).layer(from_fn(one_page));
    let own = Step::post("/log-out").header("authorization", "Bearer {access_token}");
    let report = described(site, behaviour).logout(own).run().await.unwrap();
    report.assert_clean();
    let told = reason(&report, "old-id-alive-after-logout");
    assert!(
        told.contains("so does a path that does not exist"),
        "{told}"
    );
}

#[tokio::test]
async fn a_mistyped_way_to_end_the_others_is_told_too() {
    let behaviour = Behaviour::default();
    let site = app(behaviour).layer(from_fn(one_page));
    let audit = described(site, behaviour).end_others(Step::post("/end-them"));
    let report = audit.run().await.unwrap();
    report.assert_clean();
    let told = reason(&report, "other-sessions-not-ended");
    assert!(
        told.contains("so does a path that does not exist"),
        "{told}"
    );
}

#[tokio::test]
async fn what_could_not_be_tried_is_not_passed() {
    let behaviour = Behaviour::default();
    let report = described(app(behaviour), behaviour)
        .data(
            Step::post("/nowhere").field("value", "{marker}"),
            Step::get("/nowhere"),
        )
        .run()
        .await
        .unwrap();
    for (id, expected) in [
        (
            "id-kept-at-login",
            "a visitor holds no cookie before the login",
        ),
        (
            "old-id-alive-after-login",
            "a visitor holds no cookie before the login",
        ),
        (
            "planted-cookie-authenticated",
            "a visitor holds no cookie before the login",
        ),
        (
            "data-survives-login",
            "the application shows a visitor no value that the visitor stored",
        ),
        (
            "data-survives-switch",
            "the application shows the user no value that the user stored",
        ),
        (
            "remembered-alive-after-logout",
            "no second cookie logs in by itself",
        ),
        ("token-not-verified", "no identifier is a JSON Web Token"),
    ] {
        assert_eq!(reason(&report, id), expected);
    }
    let bearer = Behaviour {
        carrier: Carrier::Bearer,
        ..behaviour
    };
    let report = audit(bearer).run().await.unwrap();
    for id in [
        "id-from-form",
        "id-from-header",
        "cookie-not-secure",
        "missing-no-store",
        "login-csrf",
    ] {
        reason(&report, id);
    }
}

#[tokio::test]
async fn a_genuine_session_that_ends_among_refused_ones_leaves_their_checks_open() {
    let behaviour = Behaviour {
        five_an_address: true,
        ..Behaviour::default()
    };
    let report = audit(behaviour).run().await.unwrap();
    for id in [
        "id-from-url",
        "cookie-name-decoded",
        "cookie-name-normalised",
    ] {
        let told = reason(&report, id);
        assert!(
            told.starts_with("the genuine session ended while others were tried"),
            "{told}"
        );
    }
}

#[tokio::test]
async fn an_elevation_without_a_probe_is_judged_only_where_the_identifier_changes() {
    use crate::site::Elevation;
    let with = |elevation, code: &'static str| {
        let behaviour = Behaviour {
            elevation,
            ..Behaviour::default()
        };
        FixationAudit::of(app(behaviour))
            .account(Account::new("alice", "alice-password"))
            .login(
                Step::post("/login")
                    .field("user", "{username}")
                    .field("password", "{password}"),
            )
            .logged_in(Probe::get("/whoami").json("/user"))
            .elevate(Step::post("/elevate").field("code", code))
            .run()
    };
    // The form comes again under status 200, and the identifier stays: as it should.
    let report = with(Elevation::Rotates, "000000").await.unwrap();
    let told = reason(&report, "id-kept-at-elevation");
    assert!(
        told.contains("nothing shows that the elevation worked"),
        "{told}"
    );
    let report = with(Elevation::LeavesOld, "123456").await.unwrap();
    assert!(report.found("old-id-alive-after-elevation"), "{report}");
    let report = with(Elevation::Rotates, "123456").await.unwrap();
    report.assert_clean();
}

#[tokio::test]
async fn a_wrong_code_under_status_200_is_no_elevation() {
    let behaviour = Behaviour::default();
    let report = described(app(behaviour), behaviour)
        .elevate(Step::post("/elevate").field("code", "000000"))
        .run()
        .await
        .unwrap();
    let told = reason(&report, "id-kept-at-elevation");
    assert_eq!(
        told,
        "the elevation failed: POST /elevate answered 200 and the user is not elevated"
    );
}

#[tokio::test]
async fn a_remembered_login_and_a_device_bound_session_are_noted() {
    let behaviour = Behaviour {
        remember: Remember::UntilLogout,
        device_bound: true,
        ..Behaviour::default()
    };
    let text = audit(behaviour).run().await.unwrap().to_string();
    assert!(
        text.contains("the session rides on __Host-Http-session\n"),
        "{text}"
    );
    assert!(
        text.contains("the cookie __Host-Http-remember logs in by itself too"),
        "{text}"
    );
    assert!(text.contains("bind the session to the device"), "{text}");
}

#[tokio::test]
async fn a_session_bound_to_the_user_agent_lowers_a_fixation_and_says_so() {
    let behaviour = Behaviour {
        keeps: true,
        binds_agent: true,
        ..Behaviour::default()
    };
    let text = audit(behaviour).run().await.unwrap().to_string();
    assert!(
        text.contains("only while both send the same User-Agent"),
        "{}",
        text.replace('\n', " ")
    );
}

/// Sets `Secure` where the request came over HTTPS, as frameworks behind a proxy do.
async fn secure_by_proxy(request: Request, next: Next) -> Response {
    let https = request
        .headers()
        .get("x-forwarded-proto")
        .is_some_and(|value| value == "https");
    let mut response = next.run(request).await;
    if !https && let Some(field) = response.headers_mut().get_mut("set-cookie") {
        let plain = field
            .to_str()
            .unwrap()
            .replace("; Secure", "")
            .replace("__Host-Http-", "");
        *field = plain.parse().unwrap();
    }
    response
}

#[tokio::test]
async fn on_loopback_a_cookie_without_secure_is_low_and_a_header_shows_what_users_get() {
    let plain = from_fn(|mut request: Request, next: Next| async move {
        if let Some(cookie) = request.headers_mut().get_mut("cookie")
            && let Ok(text) = cookie.to_str()
            && let Some(value) = text.strip_prefix("session=")
        {
            *cookie = format!("__Host-Http-session={value}").parse().unwrap();
        }
        next.run(request).await
    });
    let site = || {
        app(Behaviour::default())
            .layer(plain.clone())
            .layer(from_fn(secure_by_proxy))
    };
    let at = |url: &str| described(site(), Behaviour::default()).at(Place::parse(url).unwrap());
    let report = at("http://127.0.0.1:8000").run().await.unwrap();
    assert!(
        found(&report).contains(&"cookie-not-secure=low".to_owned()),
        "{report}"
    );
    assert!(report.to_string().contains("X-Forwarded-Proto"));
    let report = at("http://127.0.0.1:8000")
        .header("x-forwarded-proto", "https")
        .run()
        .await
        .unwrap();
    report.assert_clean();
    let report = at("https://app.example.test").run().await.unwrap();
    assert!(
        found(&report).contains(&"cookie-not-secure=medium".to_owned()),
        "{report}"
    );
}

#[tokio::test]
async fn a_password_that_cannot_be_changed_back_leaves_the_audit_incomplete() {
    let behaviour = Behaviour::default();
    // The way back fails: the new password is taken once.
    let once = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let layer = from_fn(move |request: Request, next: Next| {
        let spent = request.uri().path() == "/password"
            && once.swap(true, std::sync::atomic::Ordering::Relaxed);
        async move {
            if spent {
                return StatusCode::TOO_MANY_REQUESTS.into_response();
            }
            next.run(request).await
        }
    });
    let report = described(app(behaviour).layer(layer), behaviour)
        .run()
        .await
        .unwrap();
    assert!(!report.is_complete());
    let text = report
        .to_string()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    assert!(text.contains("could not change it back"), "{text}");
}
