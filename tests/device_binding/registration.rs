//! Offers and registrations.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::json;
use tower_session_guard::{DeviceBinding, EventKind, SessionLayer, testing::StoreOperation};

use super::{
    At, BOUND, From, Node, REFRESH, REGISTER, SESSION,
    browser::{Browser, Offered, key, proof, proof_of},
    common::{self, Client},
    replayed,
};

const OFFER: &str = "secure-session-registration";

fn operation(name: &str) -> StoreOperation {
    name.parse().unwrap()
}

/// D01, D02, D07, D09: the whole way, however the layer loads.
#[tokio::test]
async fn a_login_is_offered_and_binds() {
    for node in Node::all() {
        let mut browser = node.browser();
        let answer = browser.mark("login:alice").await;
        assert!(answer.headers.contains_key(OFFER));
        assert_eq!(browser.offered[0].path, REGISTER);
        // The next page is asked for at the same time, and offers once more.
        assert_eq!(browser.whoami().await, "alice@1");
        node.events.take();
        assert_eq!(browser.register().await, [200, 400]);
        assert_eq!(
            node.events.take(),
            [EventKind::DeviceBound, EventKind::SecondRegistrationRefused]
        );
        assert_eq!(browser.registered[0].refresh_path, REFRESH);
        for _ in 0..3 {
            assert_eq!(browser.whoami().await, "alice@1 bound");
            node.pass(1_200);
        }
    }
}

/// D01: on a redirect too, and after a login that another site led to the registration comes without any cookie.
#[tokio::test]
async fn a_registration_needs_no_cookie() {
    let node = Node::new();
    let mut browser = node.browser();
    browser.mark("login:alice").await;
    let jar = std::mem::take(&mut browser.jar);
    assert_eq!(browser.register().await[0], 200);
    let bound = browser.jar.clone();
    browser.jar = jar;
    browser.jar.extend(bound);
    assert_eq!(browser.whoami().await, "alice@1 bound");
}

/// D01: who is offered a registration, and who is not.
#[tokio::test]
async fn only_an_unbound_session_of_a_user_is_offered_a_registration() {
    for node in Node::all() {
        let mut browser = node.browser();
        let offers = async |browser: &mut Browser, method: &str, path: &str, from| {
            let answer = browser.send(method, path, from).await;
            browser.offered.clear();
            answer.headers.contains_key(OFFER)
        };
        assert!(
            !offers(&mut browser, "GET", "/whoami", From::Own).await,
            "anonymous"
        );
        assert!(
            !offers(&mut browser, "POST", "/do?marks=put:k:v", From::Own).await,
            "a guest"
        );
        assert!(
            !offers(&mut browser, "GET", "/whoami", From::Own).await,
            "a guest"
        );
        let failed = "/do?marks=login:alice&status=500";
        assert!(
            !offers(&mut browser, "POST", failed, From::Own).await,
            "dropped"
        );
        assert!(offers(&mut browser, "POST", "/do?marks=login:alice", From::Own).await);
        assert!(offers(&mut browser, "GET", "/whoami", From::Own).await);
        assert!(!offers(&mut browser, "GET", "/whoami", From::OtherSite).await);
        // Who is logged in may have been looked for, unless the session is not loaded yet.
        let may_show = !node.is_lazy;
        assert_eq!(
            offers(&mut browser, "GET", "/public", From::Own).await,
            may_show
        );
        let kept = browser.clone();
        node.pass(599);
        assert!(offers(&mut browser, "GET", "/whoami", From::Own).await);
        node.pass(1);
        assert!(
            !offers(&mut browser, "GET", "/whoami", From::Own).await,
            "ten minutes"
        );
        let mut again = kept;
        again.mark("login:alice").await;
        assert_eq!(again.register().await[0], 200);
        assert!(
            !offers(&mut again, "GET", "/whoami", From::Own).await,
            "bound"
        );
        again.jar.remove(BOUND);
        let crossing = common::request("GET", "/bound", &again.cookies());
        let answer = Client::around(node.app.clone()).send(crossing).await;
        assert_eq!(
            (&*answer.body, answer.headers.contains_key(OFFER)),
            ("alice@1", false)
        );
        assert!(!offers(&mut again, "POST", "/do?marks=logout", From::Own).await);
    }
}

/// V3: one attempt for each offer, and the offer is repeated while the session is young.
#[tokio::test]
async fn a_repeated_offer_needs_its_sessions_token() {
    for node in Node::all() {
        let mut browser = node.browser();
        browser.mark("login:alice").await;
        browser.offered.clear();
        node.pass(300);
        browser.whoami().await;
        let mut without_cookie = browser.clone();
        without_cookie.jar.clear();
        assert_eq!(without_cookie.register().await[0], 400);
        let mut other = node.browser();
        other.mark("login:bob").await;
        let mut with_other = browser.clone();
        with_other.jar = other.jar;
        assert_eq!(with_other.register().await[0], 400);
        assert_eq!(browser.register().await[0], 200);
        assert_eq!(browser.whoami().await, "alice@1 bound");
    }
}

/// D02: 400 without a body or a cookie, and the session is left as it is.
#[tokio::test]
async fn a_bad_registration_is_refused_and_changes_nothing() {
    let node = Node::new();
    let mut browser = node.browser();
    browser.mark("login:alice").await;
    let id = node.last_login();
    let challenge = browser.offered[0].challenge.clone();
    let before = node.stored(&id).await;
    let good = proof(&key(1), &challenge, true);
    let mut forged = good.clone();
    forged.replace_range(
        good.len() - 20..good.len() - 19,
        if good.ends_with('A') { "B" } else { "C" },
    );
    let mut other_challenge = challenge.clone();
    other_challenge.replace_range(30..31, if &challenge[30..31] == "A" { "B" } else { "A" });
    let (no_key, unknown) = (
        proof(&key(1), &challenge, false),
        proof(&key(1), &other_challenge, true),
    );
    let long = "A".repeat(64 * 1024);
    for fields in [
        &[][..],
        &[("secure-session-response", "")],
        &[("secure-session-response", "a.b.c")],
        &[("secure-session-response", &long)],
        &[("secure-session-response", &forged)],
        &[("secure-session-response", &no_key)],
        &[("secure-session-response", &unknown)],
        &[
            ("secure-session-response", &good),
            ("secure-session-response", &good),
        ],
        &[("sec-secure-session-id", "x")],
    ] {
        let answer = browser.ask("POST", REGISTER, From::Own, fields).await;
        assert_eq!(
            (answer.status.as_u16(), &*answer.body),
            (400, ""),
            "{fields:?}"
        );
        assert!(answer.sets_nothing());
        assert_eq!(answer.headers["cache-control"], "no-store");
        assert!(
            !answer.headers.contains_key(OFFER),
            "a browser would try for ever"
        );
        assert_eq!(node.stored(&id).await, before);
    }
    // The offer is over.
    node.pass(60);
    assert_eq!(browser.register().await[0], 400);
    assert_eq!(node.stored(&id).await, before);
    assert_eq!(browser.whoami().await, "alice@1");
}

/// D02, A50, V4: the same key again is the same registration, and another key is somebody else's.
#[tokio::test]
async fn a_session_is_bound_to_one_key() {
    for node in Node::both() {
        let mut browser = node.browser();
        browser.mark("login:alice").await;
        let id = node.last_login();
        let mut thief = browser.clone();
        browser.loses = 2;
        assert_eq!(browser.register().await[0], 200);
        let bound = node.stored(&id).await;
        assert_eq!(
            node.events
                .take()
                .iter()
                .filter(|kind| **kind == EventKind::DeviceBound)
                .count(),
            1
        );
        // Another key, with the same offer.
        let other = proof(&key(99), &thief.offered[0].challenge, true);
        let answer = thief
            .ask(
                "POST",
                REGISTER,
                From::Own,
                &[("secure-session-response", &other)],
            )
            .await;
        assert_eq!(answer.status, 400);
        assert!(answer.sets_nothing());
        assert_eq!(node.events.take(), [EventKind::OtherDeviceRefused]);
        assert_eq!(node.stored(&id).await, bound);
        assert_eq!(browser.whoami().await, "alice@1 bound");
        assert_eq!(thief.register().await[0], 200, "the same key");
    }
}

/// A51: a proof that says for which endpoint it is, as Chromium's does behind a flag, is good for no other.
#[tokio::test]
async fn a_proof_for_another_endpoint_is_refused() {
    for (node, url) in [
        (Node::new(), "https://app.example/dbsc/register"),
        (
            Node::with(false, At::Nested),
            "https://app.example/shop/dbsc/register",
        ),
    ] {
        let mut browser = node.browser();
        let prefix = if url.contains("shop") { "/shop" } else { "" };
        let login = format!("{prefix}/do?marks=login:alice");
        browser.send("POST", &login, From::Own).await;
        let Offered { path, challenge } = browser.offered[0].clone();
        for (audience, status) in [
            ("https://evil.example/dbsc/register", 400),
            ("http://app.example/dbsc/register", 400),
            ("https://app.example/dbsc/refresh", 400),
            ("", 400),
            (url, 200),
        ] {
            let payload = json!({"jti": challenge, "aud": audience});
            let proof = proof_of(&key(1), &payload, true);
            let fields = [("secure-session-response", &*proof)];
            let answer = browser.ask("POST", &path, From::Own, &fields).await;
            assert_eq!(answer.status, status, "{audience}");
        }
    }
}

/// V4: while the store fails it is 503 without a cookie, and the offer is repeated afterwards.
#[tokio::test]
async fn a_registration_survives_a_store_that_fails() {
    for failing in ["load", "write"] {
        let node = Node::lazy();
        let mut browser = node.browser();
        browser.mark("login:alice").await;
        node.store.fail(operation(failing), 1, 0);
        assert_eq!(browser.register().await[0], 503, "{failing}");
        assert!(!browser.has(BOUND) && browser.registered.is_empty());
        assert_eq!(browser.whoami().await, "alice@1");
        assert_eq!(browser.register().await[0], 200, "{failing}");
        assert_eq!(browser.whoami().await, "alice@1 bound");
    }
}

/// D13: a request that was admitted before the binding and writes after it writes no unbound session back.
#[tokio::test]
async fn a_write_that_crosses_with_the_binding_keeps_it() {
    let stop = common::Stop::default();
    let node = Node::new();
    let layer = SessionLayer::new(node.keys.clone())
        .with_store(node.store.clone())
        .with_clock(node.clock.clone())
        .with_device_binding(DeviceBinding::new("/dbsc"))
        .unwrap();
    for marks in ["put:k:v", "elevate", "renew"] {
        let mut browser = node.browser();
        browser.mark("login:alice").await;
        let id = node.last_login();
        let client = Client::with_stop(layer.clone(), stop.clone());
        let path = format!("/do?marks={marks}&stop=before");
        let slow = client.post(&path, &[]);
        drop(slow);
        let cookies: Vec<_> = browser
            .cookies()
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect();
        let writes = tokio::spawn(async move {
            let cookies: Vec<_> = cookies.iter().map(|(a, b)| (&**a, &**b)).collect();
            client.post(&path, &cookies).await
        });
        stop.reached.notified().await;
        assert_eq!(browser.register().await[0], 200);
        let proved_at = node.stored(&id).await.unwrap().record.device_proved_at();
        stop.go_on.notify_one();
        let answer = writes.await.unwrap();
        assert_eq!(answer.status, 200);
        let token = answer.cookie(SESSION);
        let record = node.stored(&id).await.unwrap().record;
        assert_eq!(record.device_proved_at(), proved_at, "{marks}");
        assert!(proved_at.is_some());
        node.pass(60);
        let token = token.unwrap_or_else(|| browser.jar[SESSION].0.clone());
        assert_eq!(
            replayed(&node, &[(SESSION, &token)]).await,
            "nobody",
            "{marks}"
        );
        assert_eq!(
            replayed(&node, &[(SESSION, &token), (BOUND, &browser.jar[BOUND].0)])
                .await
                .rsplit(' ')
                .next(),
            Some("bound")
        );
    }
}

/// The path in the field and in the instructions is the one that the browser has to ask for.
#[tokio::test]
async fn a_nested_router_names_the_outer_path() {
    for node in [
        Node::with(false, At::Nested),
        Node::with(true, At::Nested),
        Node::nested_as_a_service(),
    ] {
        let mut browser = node.browser();
        browser
            .send("POST", "/shop/do?marks=login:alice", From::Own)
            .await;
        assert_eq!(browser.offered[0].path, "/shop/dbsc/register");
        assert_eq!(browser.register().await[0], 200);
        assert_eq!(browser.registered[0].refresh_path, "/shop/dbsc/refresh");
        node.pass(1_200);
        assert_eq!(
            browser.send("GET", "/shop/bound", From::Own).await.body,
            "alice@1 bound"
        );
    }
}

/// D02: a new login begins unbound, and takes away the cookie of the one before.
#[tokio::test]
async fn a_login_begins_a_new_binding() {
    for node in Node::all() {
        for (user, bearer) in [("alice", "alice@1"), ("bob", "bob@1")] {
            let mut browser = node.bound().await;
            let old = browser.jar.clone();
            let answer = browser.mark(&format!("login:{user}")).await;
            assert_eq!(answer.cookie(BOUND).as_deref(), Some(""));
            assert!(!browser.has(BOUND));
            assert_eq!(browser.offered.len(), 1);
            node.pass(61);
            let (token, bound) = (&old[SESSION].0, &old[BOUND].0);
            assert_eq!(
                replayed(&node, &[(SESSION, token), (BOUND, bound)]).await,
                "nobody"
            );
            // The browser refreshes the old session first, hears that it ended, and goes on.
            let kept = browser.offered.clone();
            assert_eq!(browser.whoami().await, bearer);
            assert!(browser.registered.is_empty());
            browser
                .offered
                .retain(|offer| kept.iter().all(|old| old.challenge != offer.challenge));
            assert_eq!(browser.register().await, [200]);
            assert_eq!(browser.whoami().await, format!("{bearer} bound"));
            node.pass(Duration::from_secs(600).as_secs());
            let token = &browser.jar[SESSION].0;
            assert_eq!(
                replayed(&node, &[(SESSION, token), (BOUND, bound)]).await,
                "nobody"
            );
        }
    }
}

/// D12: nothing but POST, and nothing for other sites' scripts.
#[tokio::test]
async fn the_endpoints_take_post_only_and_tell_nobody_else() {
    let node = Node::new();
    let browser = node.browser();
    for path in [REGISTER, REFRESH] {
        for method in ["GET", "PUT", "OPTIONS", "HEAD"] {
            let answer = browser.ask(method, path, From::Own, &[]).await;
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
            assert_eq!(answer.headers["allow"], "POST");
        }
        let answer = browser.ask("POST", path, From::OtherSite, &[]).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        for (name, value) in [
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.headers[name], value);
        }
        assert!(
            !answer
                .headers
                .keys()
                .any(|name| name.as_str().starts_with("access-control"))
        );
    }
    let other = browser.ask("POST", "/dbsc/other", From::Own, &[]).await;
    assert_eq!(other.status, StatusCode::NOT_FOUND);
}
