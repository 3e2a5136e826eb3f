//! Refreshes, and requests whose bound cookie is missing.

use axum::http::header;
use tower_session_guard::{EventKind, KeyRing, testing::StoreOperation};

use super::{
    BOUND, From, Node, REFRESH, REGISTER, SESSION,
    browser::{key, proof},
    replayed,
};

const CHALLENGE: &str = "secure-session-challenge";
const ID: &str = "sec-secure-session-id";
const PROOF: &str = "secure-session-response";

fn operation(name: &str) -> StoreOperation {
    name.parse().unwrap()
}

/// D11, A50, V1: from a minute after the binding the token alone is nobody's, and the browser is told how to go on.
#[tokio::test]
async fn a_bound_session_without_its_cookie_is_nobodys_after_a_minute() {
    for node in Node::all() {
        let browser = node.bound().await;
        let token = browser.jar[SESSION].0.clone();
        let alone = [(SESSION, &*token)];
        node.pass(59);
        assert_eq!(replayed(&node, &alone).await, "alice@1");
        node.pass(1);
        node.events.take();
        let answer = super::common::Client::around(node.app.clone())
            .get("/bound", &alone)
            .await;
        assert_eq!(answer.body, "nobody");
        assert_eq!(node.events.take(), [EventKind::UnboundUse]);
        assert!(answer.sets_nothing());
        assert_eq!(answer.headers[header::VARY], "Cookie");
        let field = answer.headers[CHALLENGE].to_str().unwrap();
        assert!(field.ends_with(&format!(";id=\"{}\"", browser.registered[0].identifier)));
        assert_eq!(answer.headers[header::CACHE_CONTROL], "private");
        // The device goes on with that challenge.
        let challenge = field.split('"').nth(1).unwrap();
        let proof = proof(&browser.registered[0].key, challenge, false);
        let fields = [(ID, &*browser.registered[0].identifier), (PROOF, &proof)];
        let answer = browser.ask("POST", REFRESH, From::Own, &fields).await;
        assert_eq!(answer.status, 200);
    }
}

/// A browser renews no cookie that it has. One of the session before, whose refresh was answered late, must not keep its user
/// out until it expires. One that is too old or forged is none that a browser keeps, and nothing is removed.
#[tokio::test]
async fn a_bound_cookie_of_the_session_before_is_removed_and_renewed() {
    for node in Node::all() {
        let mut browser = node.bound().await;
        let of_before = browser.jar[BOUND].clone();
        browser.mark("login:alice").await;
        browser.register().await;
        browser.jar.insert(BOUND.to_owned(), of_before);
        node.pass(60);
        let answer = browser.send("GET", "/bound", From::Own).await;
        assert_eq!(answer.body, "nobody");
        assert_eq!(answer.cookie(BOUND).as_deref(), Some(""));
        assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
        assert_eq!(browser.whoami().await, "alice@1 bound");

        let (token, bound) = (browser.jar[SESSION].0.clone(), browser.jar[BOUND].0.clone());
        node.pass(600);
        for bound in [&*bound, &"A".repeat(80), ""] {
            let cookies = [(SESSION, &*token), (BOUND, bound)];
            let client = super::common::Client::around(node.app.clone());
            let answer = client.get("/bound", &cookies).await;
            assert_eq!(answer.body, "nobody");
            assert!(answer.sets_nothing());
        }
    }
}

/// A browser says why it comes without the cookie; that admits nothing.
#[tokio::test]
async fn what_a_browser_says_of_a_skipped_refresh_is_told() {
    for node in Node::all() {
        let mut browser = node.bound().await;
        browser.jar.remove(BOUND);
        node.pass(60);
        for (reason, is_told) in [
            ("unreachable;session_identifier=\"x\"", true),
            ("whatever", false),
        ] {
            node.events.take();
            let fields = [("secure-session-skipped", reason)];
            let answer = browser.ask("GET", "/bound", From::Own, &fields).await;
            assert_eq!(answer.body, "nobody");
            let told = node.events.all();
            let skipped = told
                .iter()
                .find(|event| event.kind == EventKind::DeviceSkipped);
            let told_reason = skipped.and_then(|event| event.reason);
            assert_eq!(told_reason, is_told.then_some("unreachable"));
            assert!(node.events.take().contains(&EventKind::UnboundUse));
        }
    }
}

/// D06, D07, D09: without a challenge two trips, with one a single one; each cookie is another.
#[tokio::test]
async fn a_refresh_is_challenged_and_proved() {
    for node in Node::all() {
        let mut browser = node.bound().await;
        let first = browser.jar[BOUND].0.clone();
        node.pass(570);
        assert!(
            !browser.has(BOUND),
            "the browser drops it before the server refuses it"
        );
        node.events.take();
        assert_eq!(browser.whoami().await, "alice@1 bound");
        assert_eq!(node.events.take(), [EventKind::DeviceProved]);
        assert_ne!(browser.jar[BOUND].0, first);
        // As after a restart of the browser.
        browser.registered[0].challenge = None;
        browser.jar.remove(BOUND);
        assert_eq!(browser.whoami().await, "alice@1 bound");
        assert_eq!(browser.registered.len(), 1);
    }
}

/// D05, V8: a challenge that was used or is too old is answered with one that holds.
#[tokio::test]
async fn a_stale_challenge_is_answered_with_a_fresh_one() {
    let node = Node::new();
    let mut browser = node.bound().await;
    let used = browser.registered[0].challenge.clone();
    for _ in 0..2 {
        browser.jar.remove(BOUND);
        browser.whoami().await;
    }
    let identifier = browser.registered[0].identifier.clone();
    let quoted = format!("\"{identifier}\"");
    for challenge in [used, browser.registered[0].challenge.clone()] {
        let proof = format!("\"{}\"", proof(&key(1), &challenge.unwrap(), false));
        if node.stored(&node.last_login()).await.is_some() {
            node.pass(1_201);
        }
        let answer = browser
            .ask(
                "POST",
                REFRESH,
                From::Own,
                &[(ID, &quoted), (PROOF, &proof)],
            )
            .await;
        assert_eq!(answer.status, 403);
        assert!(answer.sets_nothing() && answer.headers.contains_key(CHALLENGE));
    }
    assert_eq!(browser.whoami().await, "alice@1 bound");
}

/// D10, A51: 401 for whatever holds no key, alike, and the session stays.
#[tokio::test]
async fn a_bad_proof_is_refused_and_changes_nothing() {
    let node = Node::new();
    let browser = node.bound().await;
    let id = node.last_login();
    let before = node.stored(&id).await;
    let session = &browser.registered[0];
    let challenge = session.challenge.clone().unwrap();
    let mut offers = node.browser();
    offers.mark("login:carol").await;
    let of_an_offer = offers.offered[0].challenge.clone();
    let mut other_identifier = session.identifier.clone();
    other_identifier.replace_range(
        5..6,
        if &other_identifier[5..6] == "A" {
            "B"
        } else {
            "A"
        },
    );
    let of_bob = node.bound().await.registered[0].challenge.clone().unwrap();
    let (other_key, with_key) = (
        proof(&key(9), &challenge, false),
        proof(&key(1), &challenge, true),
    );
    let (good, of_an_offer) = (
        proof(&key(1), &challenge, false),
        proof(&key(1), &of_an_offer, false),
    );
    let of_bob = proof(&key(1), &of_bob, false);
    let mut refusals = Vec::new();
    for (identifier, proof) in [
        (&*session.identifier, &*other_key),
        (&session.identifier, &with_key),
        (&session.identifier, &of_an_offer),
        (&session.identifier, &of_bob),
        (&session.identifier, "a.b.c"),
        (&session.identifier, ""),
        (&other_identifier, &good),
        ("", &good),
        ("x", &good),
    ] {
        let calls = node.store.calls(operation("load"));
        let mut thief = browser.clone();
        thief.jar.clear();
        let answer = thief
            .ask(
                "POST",
                REFRESH,
                From::Own,
                &[(ID, identifier), (PROOF, proof)],
            )
            .await;
        assert_eq!(
            (answer.status.as_u16(), &*answer.body),
            (401, ""),
            "{identifier} {proof}"
        );
        assert!(answer.sets_nothing() && !answer.headers.contains_key(CHALLENGE));
        if identifier != session.identifier {
            assert_eq!(
                node.store.calls(operation("load")),
                calls,
                "R72: a forged one asks nothing"
            );
        }
        refusals.push(answer.headers);
        assert_eq!(node.stored(&id).await, before);
    }
    // What ended is refused alike.
    node.store.fail(operation("load"), 0, 0);
    let mut ended = browser.clone();
    ended.mark("logout").await;
    let answer = ended
        .ask(
            "POST",
            REFRESH,
            From::Own,
            &[(ID, &session.identifier), (PROOF, &good)],
        )
        .await;
    assert_eq!((answer.status.as_u16(), &*answer.body), (401, ""));
    refusals.push(answer.headers);
    assert!(refusals.iter().all(|headers| *headers == refusals[0]));
    let neither = browser.ask("POST", REFRESH, From::Own, &[]).await;
    assert_eq!(neither.status, 400);
    let no_identifier = browser
        .ask("POST", REFRESH, From::Own, &[(PROOF, &good)])
        .await;
    assert_eq!(no_identifier.status, 400);
}

/// D05, D13: a proof whose answer was lost counts once, and is worth no more than it was.
#[tokio::test]
async fn a_proof_that_comes_again_counts_once() {
    let node = Node::new();
    let mut browser = node.bound().await;
    browser.jar.remove(BOUND);
    browser.loses = 2;
    node.events.take();
    assert_eq!(browser.whoami().await, "alice@1 bound");
    assert_eq!(node.events.take(), [EventKind::DeviceProved]);
    let challenge = browser.registered[0].challenge.clone().unwrap();
    let replayed_proof = proof(&key(1), &challenge, false);
    let fields = [
        (ID, &*browser.registered[0].identifier),
        (PROOF, &*replayed_proof),
    ];
    let first = browser.ask("POST", REFRESH, From::Own, &fields).await;
    assert_eq!(first.status, 200);
    // Whoever has seen the proof gets nothing that lives longer than what the device got.
    node.pass(300);
    let again = browser.ask("POST", REFRESH, From::Own, &fields).await;
    assert_eq!(again.status, 200);
    let set = again.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(set.ends_with("; Max-Age=270"), "{set}");
    let (token, bound) = (&browser.jar[SESSION].0, again.cookie(BOUND).unwrap());
    let with = [(SESSION, &**token), (BOUND, &*bound)];
    node.pass(299);
    assert_eq!(replayed(&node, &with).await, "alice@1 bound");
    node.pass(1);
    assert_eq!(replayed(&node, &with).await, "nobody");
    let late = browser.ask("POST", REFRESH, From::Own, &fields).await;
    assert_eq!(late.status, 403);
}

/// Never 4xx while the store fails: the browser would forget the session.
#[tokio::test]
async fn a_refresh_while_the_store_fails_keeps_the_session() {
    for failing in ["load", "write"] {
        let node = Node::lazy();
        let mut browser = node.bound().await;
        browser.jar.remove(BOUND);
        node.pass(60);
        node.store.fail(operation(failing), 1, 0);
        assert_eq!(browser.whoami().await, "nobody", "{failing}");
        assert_eq!(browser.registered.len(), 1);
        assert_eq!(browser.whoami().await, "alice@1 bound", "{failing}");
    }
}

/// D10: a logout needs no device, takes the cookie along, and the browser's own refresh brings nothing back.
#[tokio::test]
async fn a_logout_ends_the_binding() {
    let with = Node::all().into_iter().map(|node| (true, node));
    let without = Node::all().into_iter().map(|node| (false, node));
    for (has_cookie, node) in with.chain(without) {
        let mut browser = node.bound().await;
        node.pass(120);
        if !has_cookie {
            browser.jar.remove(BOUND);
            browser.registered[0].refresh_path = "/nowhere".to_owned();
        }
        let old = browser.jar.clone();
        let answer = browser.mark("logout").await;
        assert_eq!(answer.cookie(BOUND).as_deref(), has_cookie.then_some(""));
        assert_eq!(browser.whoami().await, "nobody");
        assert!(browser.registered.is_empty(), "the refresh is refused");
        let cookies: Vec<_> = old
            .iter()
            .map(|(name, (value, _))| (&**name, &**value))
            .collect();
        assert_eq!(replayed(&node, &cookies).await, "nobody");
    }
}

/// D13: whatever is written and rotated, the session stays bound to its device, and the browser notices nothing.
#[tokio::test]
async fn a_binding_outlives_every_rotation() {
    for node in Node::all() {
        let mut browser = node.bound().await;
        for marks in [
            "put:k:v",
            "elevate",
            "put:l:w",
            "step-down",
            "renew",
            "remove:k",
        ] {
            browser.mark(marks).await;
            node.pass(600);
            assert!(browser.whoami().await.ends_with(" bound"), "{marks}");
            let token = browser.jar[SESSION].0.clone();
            assert_eq!(
                replayed(&node, &[(SESSION, &token)]).await,
                "nobody",
                "{marks}"
            );
        }
        assert_eq!(browser.registered.len(), 1);
    }
}

/// V6: a link from another site after ten idle minutes; the refresh for it carries no cookie.
#[tokio::test]
async fn a_link_from_another_site_is_refreshed_without_cookies() {
    let node = Node::new();
    let mut browser = node.bound().await;
    node.pass(1_200);
    let answer = browser.send("GET", "/bound", From::OtherSite).await;
    assert_eq!(answer.body, "alice@1 bound");
}

/// V5: a refresh beside the cookie of another live session, bound or not, is refused though its own session lives.
#[tokio::test]
async fn a_refresh_beside_another_session_is_refused() {
    let unbound = Node::all().into_iter().map(|node| (false, node));
    let bound = Node::all().into_iter().map(|node| (true, node));
    for (is_bound, node) in unbound.chain(bound) {
        let mut first = node.bound().await;
        let mut second = node.browser();
        second.mark("login:bob").await;
        if is_bound {
            second.register().await;
        }
        node.pass(120);
        first
            .jar
            .insert(SESSION.to_owned(), second.jar[SESSION].clone());
        first.jar.remove(BOUND);
        let identifier = first.registered[0].identifier.clone();
        first.refresh(&identifier, From::Own).await;
        assert!(first.registered.is_empty() && !first.has(BOUND));
    }
}

/// R26: a binding lives as long as the key that it began under is in the ring, under the identifier that the browser knows.
#[tokio::test]
async fn a_binding_goes_on_under_a_new_key() {
    for node in Node::all() {
        let mut browser = node.bound().await;
        let old = *b"an unguessable key of 32 bytes!!";
        let new = *b"other random bytes, and 32 long!";
        node.keys.replace(&KeyRing::from_bytes([new, old]).unwrap());
        for _ in 0..3 {
            node.pass(600);
            assert_eq!(browser.whoami().await, "alice@1 bound");
            assert_eq!(browser.registered.len(), 1);
        }
        node.keys.replace(&KeyRing::from_bytes([new]).unwrap());
        node.pass(600);
        assert_eq!(browser.whoami().await, "nobody");
    }
}

/// D12, A52: a page of another site can have both endpoints asked with the user's cookies, and learns nothing: not from the
/// answer, nor from the time that it takes, since no store is asked.
#[tokio::test]
async fn a_page_of_another_site_learns_nothing_from_the_endpoints() {
    for node in Node::both() {
        let bound = node.bound().await;
        let mut unbound = node.browser();
        unbound.mark("login:bob").await;
        node.pass(120);
        node.events.take();
        let calls = node.store.calls(operation("load"));
        for path in [REGISTER, REFRESH] {
            let nobodys = node.browser().ask("POST", path, From::OtherSite, &[]).await;
            assert_eq!((nobodys.status.as_u16(), &*nobodys.body), (400, ""));
            for browser in [&bound, &unbound] {
                // What a script may send besides; `Sec-` is the browser's own.
                let fields = [("secure-session-skipped", "unreachable")];
                let answer = browser.ask("POST", path, From::OtherSite, &fields).await;
                assert_eq!(
                    (answer.status, answer.body),
                    (nobodys.status, String::new())
                );
                assert_eq!(answer.headers, nobodys.headers);
            }
        }
        assert_eq!(node.store.calls(operation("load")), calls);
        assert_eq!(node.events.take(), []);
    }
}
