//! Registrations and refreshes at the same time as other writes of the session.

use tower_session_guard::{EventKind, testing::StoreOperation};

use super::{
    From, Node, REFRESH, REGISTER,
    browser::{Browser, key, proof},
    common::Answer,
};

/// Asks an endpoint, and holds it up before it writes until `meanwhile` is done.
async fn held_up(
    (node, gate): &(Node, super::Gated),
    browser: &Browser,
    path: &'static str,
    fields: Vec<(&'static str, String)>,
    meanwhile: impl AsyncFnOnce(),
) -> Answer {
    gate.hold(StoreOperation::Replace);
    let (asking, events) = (browser.clone(), &node.events);
    let asked = tokio::spawn(async move {
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| (*name, &**value))
            .collect();
        asking.ask("POST", path, From::Own, &fields).await
    });
    gate.stop.reached.notified().await;
    events.take();
    meanwhile().await;
    gate.stop.go_on.notify_one();
    asked.await.unwrap()
}

fn registers(number: u8, challenge: &str) -> Vec<(&'static str, String)> {
    vec![(
        "secure-session-response",
        proof(&key(number), challenge, true),
    )]
}

/// D13: of two registrations at once one binds; the other is the same, or refused.
#[tokio::test]
async fn of_registrations_at_the_same_time_one_binds() {
    for (other, status, told) in [
        (7, 200, &[EventKind::DeviceBound][..]),
        (
            8,
            400,
            &[EventKind::DeviceBound, EventKind::OtherDeviceRefused],
        ),
    ] {
        let node = Node::gated();
        let mut browser = node.0.browser();
        browser.mark("login:alice").await;
        let challenge = browser.offered[0].challenge.clone();
        let first = held_up(
            &node,
            &browser,
            REGISTER,
            registers(other, &challenge),
            async || {
                let fields = [(
                    "secure-session-response",
                    &*proof(&key(7), &challenge, true),
                )];
                assert_eq!(
                    browser
                        .ask("POST", REGISTER, From::Own, &fields)
                        .await
                        .status,
                    200
                );
            },
        );
        let first = first.await;
        assert_eq!(first.status, status);
        assert_eq!(first.sets_nothing(), status != 200);
        assert_eq!(node.0.events.take(), told);
    }
}

/// D02, D13: a session that ends meanwhile stays ended; data that is written meanwhile is kept.
#[tokio::test]
async fn a_registration_undoes_nothing_that_happens_meanwhile() {
    for (marks, status) in [("logout", 400), ("put:k:v", 200), ("elevate", 200)] {
        let node = Node::gated();
        let mut browser = node.0.browser();
        browser.mark("login:alice").await;
        let challenge = browser.offered[0].challenge.clone();
        let kept = browser.clone();
        let registered = held_up(
            &node,
            &kept,
            REGISTER,
            registers(7, &challenge),
            async || {
                browser.mark(marks).await;
            },
        );
        assert_eq!(registered.await.status, status, "{marks}");
        let seen = browser.send("GET", "/get?k=k", From::Own).await.body;
        assert_eq!(seen, if marks == "put:k:v" { "v" } else { "" });
        let bearer = match marks {
            "logout" => "nobody",
            "elevate" => "alice@2",
            _ => "alice@1",
        };
        assert_eq!(browser.whoami().await, bearer);
    }
}

/// D05, D13: the same proof twice at once counts once.
#[tokio::test]
async fn of_refreshes_at_the_same_time_one_counts() {
    let node = Node::gated();
    let mut browser = node.0.browser();
    browser.mark("login:alice").await;
    browser.register().await;
    let session = &browser.registered[0];
    let signed = proof(&session.key, session.challenge.as_ref().unwrap(), false);
    let fields = || {
        vec![
            ("sec-secure-session-id", session.identifier.clone()),
            ("secure-session-response", signed.clone()),
        ]
    };
    let again = held_up(&node, &browser, REFRESH, fields(), async || {
        let fields = fields();
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| (*name, &**value))
            .collect();
        assert_eq!(
            browser
                .ask("POST", REFRESH, From::Own, &fields)
                .await
                .status,
            200
        );
    });
    assert_eq!(again.await.status, 200);
    assert_eq!(node.0.events.take(), [EventKind::DeviceProved]);
}

/// D10, D13: a session that ends while its device proves itself stays ended, and whatever else is written then is kept.
#[tokio::test]
async fn a_refresh_undoes_nothing_that_happens_meanwhile() {
    for (meanwhile, status, bearer) in [
        ("logout", 401, "nobody"),
        ("revocation", 401, "nobody"),
        ("login:bob", 401, "bob@1"),
        ("put:k:v", 200, "alice@1 bound"),
        ("elevate", 200, "alice@2 bound"),
        ("renew", 200, "alice@1 bound"),
    ] {
        let node = Node::gated();
        let mut browser = node.0.browser();
        browser.mark("login:alice").await;
        browser.register().await;
        let kept = browser.clone();
        let session = &kept.registered[0];
        let signed = proof(&session.key, session.challenge.as_ref().unwrap(), false);
        let fields = vec![
            ("sec-secure-session-id", session.identifier.clone()),
            ("secure-session-response", signed),
        ];
        let refreshed = held_up(&node, &kept, REFRESH, fields, async || {
            if meanwhile == "revocation" {
                let ended = node.0.sessions.end_all(&"alice".into()).await;
                assert_eq!(ended.unwrap(), Some(1));
            } else {
                browser.mark(meanwhile).await;
            }
        });
        let refreshed = refreshed.await;
        assert_eq!(refreshed.status, status, "{meanwhile}");
        assert_eq!(refreshed.sets_nothing(), status != 200);
        assert_eq!(browser.whoami().await, bearer);
        let seen = browser.send("GET", "/get?k=k", From::Own).await.body;
        assert_eq!(seen, if meanwhile == "put:k:v" { "v" } else { "" });
    }
}
