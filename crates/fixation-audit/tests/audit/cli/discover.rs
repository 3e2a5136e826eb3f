//! From the login page alone.

use axum::Router;
use axum::response::Html;
use axum::routing::get;

use super::site::{Site, site};
use super::{folder, run, serve};

const ALICE: &[&str] = &["--user", "alice", "--password-env", "AUDIT_ALICE"];

async fn found(site_with: Site, page: &str) {
    let (app, sessions) = site(site_with);
    let url = serve(app).await;
    let page = format!("{url}{page}");
    let ended = run(&[&[&*page, "-q", "--print-config"], ALICE].concat()).await;
    assert_eq!(ended.status, 0, "{}", ended.err);
    for text in [
        "csrf = \"{csrf}\"",
        "user = \"{username}\"",
        "pass = \"{password}\"",
        "go = \"in\"",
    ] {
        assert!(ended.out.contains(text), "{text} is not in {}", ended.out);
    }
    assert!(
        !ended.out.contains("keep ="),
        "a box that is not ticked: {}",
        ended.out
    );
    assert!(!ended.out.contains("alice-password"), "{}", ended.out);
    // What was printed is a description.
    let file = folder("discovered").join(format!("audit{}.toml", url.rsplit(':').next().unwrap()));
    std::fs::write(&file, &ended.out).unwrap();
    let config = ["-q", "--format", "json", "--config", file.to_str().unwrap()];
    let ended = run(&config).await;
    assert_eq!(ended.status, 0, "{}{}", ended.out, ended.err);
    let report = ended.json();
    let passed: Vec<_> = report["checks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|c| c["outcome"] == "passed")
        .collect();
    for id in [
        "id-kept-at-login",
        "old-id-alive-after-logout",
        "session-back-after-logout",
    ] {
        assert!(
            passed.iter().any(|check| check["id"] == id),
            "{id}: {}",
            ended.out
        );
    }
    assert!(
        sessions.logged_in() <= 2,
        "only what was found out before is left"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn form_token_probe_and_logout_are_found_from_the_login_page() {
    found(Site::default(), "/login").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_login_page_is_found_by_its_link() {
    found(
        Site {
            several_forms: true,
            ..Site::default()
        },
        "/",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_logout_that_asks_again_is_found() {
    found(
        Site {
            asks_before_logout: true,
            sends_home: true,
            wants_referer: true,
            ..Site::default()
        },
        "/login",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_site_below_a_path_is_found() {
    found(
        Site {
            below: "/shop",
            ..Site::default()
        },
        "/shop/login",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flaw_is_found_from_the_login_page_and_the_description_is_shown() {
    let (app, _) = site(Site {
        keeps_id: true,
        ..Site::default()
    });
    let url = serve(app).await;
    let page = format!("{url}/login");
    let ended = run(&[&[&*page, "--format", "json"], ALICE].concat()).await;
    assert_eq!(ended.status, 1, "{}{}", ended.out, ended.err);
    assert!(ended.found().contains("id-kept-at-login"), "{}", ended.out);
    assert!(
        ended.err.contains("found out by itself") && ended.err.contains("[logged_in]"),
        "{}",
        ended.err
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_found_out_is_said() {
    let (app, _) = site(Site::default());
    let url = serve(app).await;
    let script = Html("<div id=root></div><script>start()</script>");
    let scripted = serve(Router::new().route("/", get(move || async move { script }))).await;
    let wrong = ["--user", "bob", "--password-env", "AUDIT_ALICE"];
    for (page, who, expected) in [
        (format!("{url}/login"), &[][..], "give --login, or --user"),
        (format!("{url}/login"), &wrong[..], "no page shows a login"),
        (scripted, ALICE, "where a script makes the form"),
        ("http://127.0.0.1:1/login".to_owned(), ALICE, "no answer"),
    ] {
        let ended = run(&[&[&*page, "-q"], who].concat()).await;
        assert_eq!(ended.status, 2, "{page}: {}", ended.out);
        assert!(ended.err.contains(expected), "{page}: {}", ended.err);
        assert!(!ended.err.contains("alice-password"), "{}", ended.err);
    }
}
