//! The token that a binding has replaced: for a minute a request may carry it honestly, and nothing leaves in its place.

use axum::http::StatusCode;
use tower_session_guard::EventKind;

use super::{
    BOUND, From, Node, SESSION,
    browser::{Browser, key, proof},
    common::{Answer, Client},
    list::Call,
    replayed,
};

const OFFER: &str = "secure-session-registration";

/// A browser that has logged alice in at level 2 and put `k`, and its token.
async fn logged_in(node: &Node) -> (Browser, String) {
    let mut browser = node.browser();
    browser.mark("login:alice,elevate,put:k:v").await;
    let token = browser.jar[SESSION].0.clone();
    (browser, token)
}

/// The same once its key is bound; the token is the one from before.
async fn bound(node: &Node) -> (Browser, String) {
    let (mut browser, token) = logged_in(node).await;
    assert_eq!(browser.register().await, [200]);
    assert_ne!(browser.jar[SESSION].0, token);
    (browser, token)
}

async fn ask(node: &Node, method: &str, path: &str, token: &str) -> Answer {
    let mut request = super::common::request(method, path, &[(SESSION, token)]);
    let own = "same-origin".parse().unwrap();
    request.headers_mut().insert("sec-fetch-site", own);
    Client::around(node.app.clone()).send(request).await
}

/// D11, V1: it opens the session for a minute, unbound, and is offered nothing; then it is nobody's, and the session goes on.
#[tokio::test]
async fn the_token_before_the_binding_opens_for_a_minute() {
    for node in Node::self_contained() {
        let (mut browser, token) = bound(&node).await;
        for seconds in [0, 59] {
            node.pass(seconds);
            let answer = ask(&node, "GET", "/bound", &token).await;
            assert_eq!(answer.body, "alice@2");
            assert!(!answer.headers.contains_key(OFFER) && answer.sets_nothing());
            let guarded = ask(&node, "GET", "/guarded", &token).await;
            assert_eq!(guarded.status, StatusCode::FORBIDDEN);
        }
        // Not even with the bound cookie, which says nothing of a key.
        let bound = browser.jar[BOUND].0.clone();
        let with = [(SESSION, &*token), (BOUND, &*bound)];
        assert_eq!(replayed(&node, &with).await, "alice@2");
        node.pass(1);
        node.events.take();
        assert_eq!(ask(&node, "GET", "/bound", &token).await.body, "nobody");
        assert_eq!(node.events.take(), [EventKind::SupersededToken]);
        assert_eq!(replayed(&node, &with).await, "nobody");
        assert_eq!(
            browser.whoami().await,
            "alice@2 bound",
            "nothing was removed"
        );
    }
}

/// D11, A50: nothing that would outlive the minute leaves in its place, and what lowers is carried out.
#[tokio::test]
async fn a_request_that_crosses_raises_and_writes_nothing() {
    use EventKind::{
        ElevationRefused, ImpersonationRefused, LoggedOut, Reauthenticated, RenewalSkipped,
        SteppedDown, UnboundUseDataDropped,
    };
    for (marks, status, told, goes_on) in [
        ("put:k:w", 409, &[UnboundUseDataDropped][..], true),
        ("renew,put:k:w", 409, &[UnboundUseDataDropped], true),
        ("elevate", 401, &[ElevationRefused], true),
        ("put:k:w,elevate", 401, &[ElevationRefused], true),
        ("act:bob", 401, &[ImpersonationRefused], true),
        ("renew", 200, &[RenewalSkipped], true),
        ("put:k:v", 200, &[], true),
        ("step-down", 200, &[SteppedDown], false),
        (
            "step-down,put:k:w",
            409,
            &[SteppedDown, UnboundUseDataDropped],
            false,
        ),
        ("logout", 200, &[LoggedOut], false),
        ("login:alice", 200, &[Reauthenticated], false),
    ] {
        for node in Node::self_contained() {
            let (mut browser, token) = bound(&node).await;
            node.events.take();
            let answer = ask(&node, "POST", &format!("/do?marks={marks}"), &token).await;
            assert_eq!(answer.status, status, "{marks}");
            assert_eq!(node.events.take(), told, "{marks}");
            let begins = marks.starts_with("login");
            assert_eq!(answer.headers.contains_key(OFFER), begins);
            assert_eq!(answer.sets_nothing(), !begins && marks != "logout");
            let seen = browser.whoami().await;
            assert_eq!(seen == "alice@2 bound", goes_on, "{marks}: {seen}");
            if goes_on {
                let data = browser.send("GET", "/get?k=k", From::Own).await.body;
                assert_eq!(data, "v", "{marks}");
            } else {
                assert_eq!(replayed(&node, &[(SESSION, &token)]).await, "nobody");
            }
        }
    }
}

/// D13: a request that was admitted before the binding and is done after it issues no session without the device.
#[tokio::test]
async fn a_page_under_way_writes_no_session_without_its_device() {
    use EventKind::{
        ElevationRefused, ImpersonationRefused, LoggedOut, Reauthenticated, ResurrectionBlocked,
        SteppedDown, UnboundUseDataDropped,
    };
    for (marks, status, told, goes_on) in [
        ("put:k:w", 409, &[UnboundUseDataDropped][..], true),
        ("elevate", 401, &[ElevationRefused], true),
        ("put:k:w,elevate", 401, &[ElevationRefused], true),
        ("act:bob", 401, &[ImpersonationRefused], true),
        ("renew", 200, &[ResurrectionBlocked], true),
        ("renew,put:k:w", 409, &[UnboundUseDataDropped], true),
        ("step-down", 200, &[SteppedDown], false),
        ("logout", 200, &[LoggedOut], false),
        ("login:alice", 200, &[Reauthenticated], false),
    ] {
        for node in Node::self_contained() {
            let (mut browser, token) = logged_in(&node).await;
            let (app, own) = (node.app.clone(), token.clone());
            let page = tokio::spawn(async move {
                let path = format!("/do?marks={marks}&stop=before");
                Client::around(app).post(&path, &[(SESSION, &own)]).await
            });
            // A lazily loaded session is admitted when its handler looks, which it did.
            node.stop.reached.notified().await;
            assert_eq!(browser.register().await, [200], "{marks}");
            node.events.take();
            node.stop.go_on.notify_one();
            let answer = page.await.unwrap();
            assert_eq!(answer.status, status, "{marks}");
            assert_eq!(node.events.take(), told, "{marks}");
            let begins = marks.starts_with("login");
            assert_eq!(
                answer.sets_nothing(),
                !begins && marks != "logout",
                "{marks}"
            );
            let seen = browser.whoami().await;
            assert_eq!(seen == "alice@2 bound", goes_on, "{marks}: {seen}");
            node.pass(60);
            assert_eq!(replayed(&node, &[(SESSION, &token)]).await, "nobody");
        }
    }
}

/// D02, D13: what another request does to the session while a registration is under way comes first, and stays.
#[tokio::test]
async fn a_registration_undoes_nothing_that_comes_first() {
    for (marks, status, bearer) in [
        // The token that a registration issues holds the data that came with it.
        ("put:k:w", 503, "alice@2"),
        ("elevate", 400, "alice@2"),
        ("step-down", 400, "alice@1"),
        ("renew", 400, "alice@2"),
        ("login:alice", 400, "alice@1"),
        ("logout", 400, "nobody"),
    ] {
        for (is_lazy, held) in [
            (false, Call::Standing),
            (true, Call::Standing),
            (false, Call::Replace),
        ] {
            if (marks, held) == ("put:k:w", Call::Replace) {
                continue;
            }
            let (node, list) = Node::watched(is_lazy);
            let (mut browser, token) = logged_in(&node).await;
            let challenge = browser.offered[0].challenge.clone();
            let asking = browser.clone();
            list.hold(held);
            let registration = tokio::spawn(async move {
                let proof = proof(&key(7), &challenge, true);
                let fields = [("secure-session-response", &*proof)];
                asking
                    .ask("POST", super::REGISTER, From::Own, &fields)
                    .await
            });
            list.stop.reached.notified().await;
            browser.mark(marks).await;
            list.stop.go_on.notify_one();
            let answer = registration.await.unwrap();
            assert_eq!(answer.status, status, "{marks}");
            assert_eq!(answer.sets_nothing(), status != 200, "{marks}");
            assert_eq!(browser.whoami().await, bearer, "{marks}");
            let data = browser.send("GET", "/get?k=k", From::Own).await.body;
            let kept = if marks == "put:k:w" { "w" } else { "v" };
            assert_eq!(data, if bearer == "nobody" { "" } else { kept });
            if bearer != "nobody" {
                // The offer is repeated, and taken up.
                assert!(
                    browser.register().await.contains(&StatusCode::OK),
                    "{marks}"
                );
                assert_eq!(browser.whoami().await, format!("{bearer} bound"));
            }
            node.pass(60);
            assert_eq!(
                replayed(&node, &[(SESSION, &token)]).await,
                "nobody",
                "{marks}"
            );
        }
    }
}

/// Of a write and a binding at the same time the binding comes first, as a renewal does: the write is dropped, and told.
#[tokio::test]
async fn a_write_beside_a_binding_is_dropped() {
    let (node, list) = Node::watched(false);
    let (mut browser, _) = logged_in(&node).await;
    let challenge = browser.offered[0].challenge.clone();
    let asking = browser.clone();
    list.hold(Call::Replace);
    let registration = tokio::spawn(async move {
        let proof = proof(&key(7), &challenge, true);
        let fields = [("secure-session-response", &*proof)];
        asking
            .ask("POST", super::REGISTER, From::Own, &fields)
            .await
    });
    list.stop.reached.notified().await;
    node.events.take();
    let answer = browser.mark("put:k:w").await;
    assert!(answer.sets_nothing());
    assert_eq!(node.events.take(), [EventKind::ResurrectionBlocked]);
    list.stop.go_on.notify_one();
    let bound = registration.await.unwrap();
    let token = bound.cookie(SESSION).unwrap();
    let answer = ask(&node, "GET", "/get?k=k", &token).await;
    assert_eq!(answer.body, "v");
}
