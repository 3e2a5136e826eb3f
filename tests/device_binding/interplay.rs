//! A binding meets whatever else becomes of its session: its end, another user, another token, its limits, another session.

use std::time::Duration;

use tower_session_guard::{AtLimit, EventKind, SessionPolicy, Subject};

use super::{
    BOUND, From, Node, REFRESH, REGISTER, SESSION,
    browser::{Browser, key, proof},
    common::{Answer, Client, GUEST},
    replayed,
};

/// What the browser holds, as a request brings it.
fn jar(browser: &Browser) -> Vec<(&str, &str)> {
    let held = browser.jar.iter();
    held.map(|(name, (value, _))| (&**name, &**value)).collect()
}

/// A refresh by the proof alone, as it comes for a link from another site.
async fn refreshed(browser: &Browser) -> Answer {
    let session = &browser.registered[0];
    let signed = proof(&session.key, session.challenge.as_ref().unwrap(), false);
    let fields = [
        ("sec-secure-session-id", &*session.identifier),
        ("secure-session-response", &*signed),
    ];
    browser.ask("POST", REFRESH, From::OtherSite, &fields).await
}

/// How a session ends without a request of its own.
#[derive(Clone, Copy, Debug)]
enum Ending {
    ByName,
    AllOfTheSubject,
    AllOthers,
    BeyondTheLimit,
}

async fn end(node: &Node, ending: Ending) {
    let alice = Subject::from("alice");
    match ending {
        Ending::ByName => {
            let bound = node.last_login();
            assert!(
                node.sessions
                    .in_store()
                    .unwrap()
                    .end(&alice, &bound)
                    .await
                    .unwrap()
            );
        }
        Ending::AllOfTheSubject => {
            let ended = node.sessions.end_all(&alice).await.unwrap();
            assert_eq!(ended, Some(1));
        }
        Ending::AllOthers => {
            let mut other = node.browser();
            other.mark("login:alice").await;
            let answer = other.send("POST", "/end-others", From::Own).await;
            assert_eq!(answer.body, "Some(1)");
        }
        Ending::BeyondTheLimit => {
            for _ in 0..2 {
                node.pass(1);
                node.browser().mark("login:alice").await;
            }
        }
    }
}

/// D10: a session that ends elsewhere takes its binding with it, and the offer that is still out.
#[tokio::test]
async fn an_ending_from_elsewhere_ends_the_binding() {
    for ending in [
        Ending::ByName,
        Ending::AllOfTheSubject,
        Ending::AllOthers,
        Ending::BeyondTheLimit,
    ] {
        for is_bound in [true, false] {
            for is_lazy in [false, true] {
                let node = Node::set(is_lazy, |layer| {
                    layer.max_sessions(2, AtLimit::EndOldest).unwrap()
                });
                let mut browser = node.browser();
                browser.mark("login:alice").await;
                if is_bound {
                    assert_eq!(browser.register().await, [200]);
                }
                end(&node, ending).await;
                assert_eq!(
                    replayed(&node, &jar(&browser)).await,
                    "nobody",
                    "{ending:?}"
                );
                if is_bound {
                    let refused = refreshed(&browser).await;
                    assert_eq!((refused.status.as_u16(), &*refused.body), (401, ""));
                    assert!(refused.sets_nothing());
                    // With every cookie too, and then the browser forgets the session.
                    browser.jar.remove(BOUND);
                    assert_eq!(browser.whoami().await, "nobody");
                    assert!(browser.registered.is_empty());
                } else {
                    assert_eq!(browser.register().await, [400], "{ending:?}");
                    assert!(!browser.has(BOUND));
                }
            }
        }
    }
}

/// D02, D10: a logout with whatever follows it in the same request leaves nothing of the binding.
#[tokio::test]
async fn a_switch_of_the_user_in_one_request_begins_unbound() {
    for node in Node::both() {
        for (marks, after) in [("logout,login:bob", "bob@1"), ("logout,put:k:v", "nobody")] {
            let mut browser = node.bound().await;
            let (old, session) = (browser.clone(), browser.registered[0].clone());
            let answer = browser.mark(marks).await;
            assert_eq!(answer.cookie(BOUND).as_deref(), Some(""), "{marks}");
            assert_eq!(browser.offered.len(), usize::from(after == "bob@1"));
            assert_eq!(refreshed(&old).await.status, 401);
            assert_eq!(replayed(&node, &jar(&old)).await, "nobody");
            // The old session's key binds the new one as any key does, and under another identifier.
            assert_eq!(browser.whoami().await, after);
            if after == "bob@1" {
                browser.offered.truncate(1);
                assert_eq!(browser.register().await, [200]);
                assert_ne!(browser.registered[0].identifier, session.identifier);
                assert_eq!(browser.whoami().await, "bob@1 bound");
            }
        }
    }
}

/// D13: nobody acts as another in a bound session, and none in which somebody acts is bound: the session that takes its place
/// would have no device.
#[tokio::test]
async fn a_bound_session_does_not_act_and_one_that_acts_is_not_bound() {
    for node in Node::both() {
        let mut browser = node.bound().await;
        let before = browser.whoami().await;
        node.events.take();
        let answer = browser.mark("act:bob").await;
        assert!(answer.sets_nothing());
        assert_eq!(node.events.take(), [EventKind::ImpersonationRefused]);
        assert_eq!(browser.whoami().await, before);

        let mut browser = node.browser();
        browser.mark("login:alice").await;
        let offered = browser.offered.len();
        let acting = browser.mark("act:bob").await;
        assert_eq!(acting.status, 200);
        assert_eq!(browser.offered.len(), offered, "no offer");
        assert_eq!(browser.register().await, vec![400; offered]);
        assert_eq!(browser.whoami().await, "bob@1");
        browser.mark("return").await;
        assert_eq!(browser.register().await, [200]);
        assert_eq!(browser.whoami().await, "alice@1 bound");
    }
}

/// A binding that comes while the handler runs refuses what would leave the device behind.
#[tokio::test]
async fn an_impersonation_that_crosses_with_a_binding_is_refused() {
    for node in Node::both() {
        let mut browser = node.browser();
        browser.mark("login:alice").await;
        let token = browser.jar[SESSION].0.clone();
        let app = node.app.clone();
        let page = tokio::spawn(async move {
            let path = "/do?marks=act:bob&stop=before";
            Client::around(app).post(path, &[(SESSION, &token)]).await
        });
        node.stop.reached.notified().await;
        assert_eq!(browser.register().await, [200]);
        node.events.take();
        node.stop.go_on.notify_one();
        let answer = page.await.unwrap();
        assert_eq!(answer.status, 401);
        assert!(answer.sets_nothing());
        assert_eq!(node.events.take(), [EventKind::ImpersonationRefused]);
        assert_eq!(browser.whoami().await, "alice@1 bound");
    }
}

/// D07, D13: what a browser was told before its token was replaced holds afterwards: no second trip, no other identifier, and
/// each time another cookie.
#[tokio::test]
async fn a_challenge_is_answered_after_every_rotation() {
    for node in Node::both() {
        let mut browser = node.bound().await;
        let mut cookies = vec![browser.jar[BOUND].0.clone()];
        for marks in ["elevate", "step-down", "renew", "put:k:v", "elevate:60"] {
            browser.mark(marks).await;
            let answer = refreshed(&browser).await;
            assert_eq!(answer.status, 200, "{marks}");
            let cookie = answer.cookie(BOUND).unwrap();
            assert!(!cookies.contains(&cookie), "{marks}");
            cookies.push(cookie);
            let identifier = &browser.registered[0].identifier;
            assert!(answer.body.contains(identifier.as_str()));
            let next = answer.headers["secure-session-challenge"].to_str().unwrap();
            browser.registered[0].challenge = next.split('"').nth(1).map(str::to_owned);
        }
    }
}

/// R12, D11: a token in its grace time is worth what the new one is, and neither opens without the device.
#[tokio::test]
async fn a_renewed_token_opens_with_the_device_while_its_grace_lasts() {
    for node in Node::both() {
        let mut browser = node.bound().await;
        node.pass(120);
        let old = browser.jar[SESSION].0.clone();
        browser.mark("renew").await;
        let bound = browser.jar[BOUND].0.clone();
        let with_device = [(SESSION, &*old), (BOUND, &*bound)];
        assert_eq!(replayed(&node, &with_device).await, "alice@1 bound");
        assert_eq!(replayed(&node, &with_device[..1]).await, "nobody");
        assert_eq!(browser.whoami().await, "alice@1 bound");
        // One that is used again after its grace time is a theft, with the device's cookie and without it.
        node.pass(11);
        node.events.take();
        assert_eq!(replayed(&node, &with_device[..1]).await, "nobody");
        assert_eq!(node.events.take(), [EventKind::SessionEndedByReuse]);
        assert_eq!(refreshed(&browser).await.status, 401);
    }
}

/// D14: proofs keep no session alive, and a session in use ends at its limit with its binding.
#[tokio::test]
async fn the_limits_of_a_session_hold_whatever_its_device_proves() {
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    for is_lazy in [false, true] {
        let node = Node::set(is_lazy, |layer| {
            let policy = SessionPolicy::default().idle(minutes(30)).unwrap();
            layer.with_policy(policy.absolute(minutes(60)).unwrap())
        });
        let mut idle = node.bound().await;
        for _ in 0..3 {
            node.pass(599);
            let answer = refreshed(&idle).await;
            assert_eq!(answer.status, 200);
            let next = answer.headers["secure-session-challenge"].to_str().unwrap();
            idle.registered[0].challenge = next.split('"').nth(1).map(str::to_owned);
        }
        node.pass(3);
        assert_eq!(
            refreshed(&idle).await.status,
            401,
            "30 minutes without a request"
        );
        let mut busy = node.bound().await;
        for _ in 0..6 {
            assert_eq!(busy.whoami().await, "alice@1 bound");
            node.pass(599);
        }
        assert_eq!(busy.whoami().await, "alice@1 bound");
        node.pass(6);
        assert_eq!(
            refreshed(&busy).await.status,
            401,
            "an hour after the login"
        );
        assert_eq!(busy.whoami().await, "nobody");
    }
}

/// R52, R76, D11: a bound session without its device counts as a dead one beside others.
#[tokio::test]
async fn of_several_tokens_one_without_its_device_counts_for_nothing() {
    for node in Node::both() {
        let bound = node.bound().await;
        let mut other = node.browser();
        other.mark("login:bob").await;
        node.pass(120);
        let mut guest = node.browser();
        guest.mark("put:k:v").await;
        let alices = (SESSION, &*bound.jar[SESSION].0);
        let (cookie, bobs) = (
            (BOUND, &*bound.jar[BOUND].0),
            (SESSION, &*other.jar[SESSION].0),
        );
        let guests = (GUEST, &*guest.jar[GUEST].0);
        node.events.take();
        for (cookies, seen, told) in [
            (&[alices, bobs][..], "bob@1", &[EventKind::UnboundUse][..]),
            (&[bobs, alices], "bob@1", &[EventKind::UnboundUse]),
            (
                &[alices, bobs, cookie],
                "nobody",
                &[EventKind::DuplicateTokens],
            ),
            (&[alices, guests], "nobody", &[EventKind::UnboundUse]),
            (&[alices, guests, cookie], "alice@1 bound", &[]),
        ] {
            assert_eq!(replayed(&node, cookies).await, seen);
            assert_eq!(node.events.take(), told, "{seen}");
        }
        // The other session is written as ever; a guest's session beside the bound one is not.
        let client = Client::around(node.app.clone());
        client.mark("put:k:bobs", &[alices, bobs]).await;
        assert_eq!(client.get("/get?k=k", &[bobs]).await.body, "bobs");
        client.mark("put:k:planted", &[alices, guests]).await;
        assert_eq!(client.get("/get?k=k", &[guests]).await.body, "v");
        // A login ends all that came, the bound session without its device among them.
        let answer = client.mark("login:carol", &[alices, bobs]).await;
        let carols = answer.cookie(SESSION).unwrap();
        assert_eq!(refreshed(&bound).await.status, 401);
        for (cookies, seen) in [
            (&[alices, cookie][..], "nobody"),
            (&[bobs], "nobody"),
            (&[(SESSION, &*carols)], "carol@1"),
        ] {
            assert_eq!(replayed(&node, cookies).await, seen);
        }
    }
}

/// D02, V5: a registration beside the token of another live session is refused, and one that was planted beside the own
/// hides nothing.
#[tokio::test]
async fn a_registration_beside_another_sessions_token_is_refused() {
    let node = Node::new();
    let bound = node.bound().await;
    let mut browser = node.browser();
    browser.mark("login:bob").await;
    let mut mixed = browser.clone();
    mixed.jar = bound.jar.clone();
    assert_eq!(mixed.register().await, [400]);
    assert_eq!(mixed.jar, bound.jar);
    let signed = proof(&key(5), &browser.offered[0].challenge, true);
    let planted = format!("{SESSION}={}", bound.jar[SESSION].0);
    let fields = [("secure-session-response", &*signed), ("cookie", &*planted)];
    let answer = browser.ask("POST", REGISTER, From::Own, &fields).await;
    assert_eq!(answer.status, 200);
    assert!(answer.cookie(BOUND).is_some());
}
