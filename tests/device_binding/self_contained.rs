//! Registrations and refreshes of sessions that are in their tokens.

use std::time::Duration;

use axum::http::{StatusCode, header};
use serde_json::Value;
use tower_session_guard::{
    ConfigError, DeviceBinding, Endings, EventKind, KeyRing, SessionLayer, SessionPolicy,
    store::revocation::MemoryRevocations,
};

use super::{
    BOUND, From, Node, REFRESH, REGISTER, SESSION,
    browser::{Browser, key, proof},
    common::{self, Answer, Client},
    list::{Call, Watched},
    replayed,
};

const ID: &str = "sec-secure-session-id";
const PROOF: &str = "secure-session-response";

async fn registers(browser: &Browser, number: u8, challenge: &str) -> Answer {
    let proof = proof(&key(number), challenge, true);
    let fields = [(PROOF, &*proof)];
    browser.ask("POST", REGISTER, From::Own, &fields).await
}

/// V2, V6: without the token nothing knows the session: 400 and 401, and the offer is repeated.
#[tokio::test]
async fn a_registration_and_a_refresh_need_the_token() {
    for node in Node::self_contained() {
        let mut browser = node.browser();
        browser.mark("login:alice").await;
        let jar = std::mem::take(&mut browser.jar);
        assert_eq!(browser.register().await, [400]);
        assert!(browser.jar.is_empty());
        browser.jar = jar;
        assert_eq!(browser.whoami().await, "alice@1");
        assert_eq!(browser.register().await, [200]);
        assert_eq!(browser.whoami().await, "alice@1 bound");

        let mut without = browser.clone();
        without.jar.clear();
        let identifier = without.registered[0].identifier.clone();
        without.refresh(&identifier, From::Own).await;
        assert!(without.registered.is_empty() && without.jar.is_empty());
        assert_eq!(browser.whoami().await, "alice@1 bound");
    }
}

/// V6: a browser refreshes for no other site's page, and does so for the next of our own.
#[tokio::test]
async fn a_link_from_another_site_is_not_refreshed_for() {
    for node in Node::self_contained() {
        let mut browser = node.browser();
        browser.mark("login:alice").await;
        let challenge = browser.offered[0].challenge.clone();
        let told: Value =
            serde_json::from_str(&registers(&browser, 1, &challenge).await.body).unwrap();
        assert_eq!(told["allowed_refresh_initiators"], Value::Array(Vec::new()));
        browser.register().await;
        node.pass(1_200);
        assert_eq!(
            browser.send("GET", "/bound", From::OtherSite).await.body,
            "nobody"
        );
        assert_eq!(browser.whoami().await, "alice@1 bound");
    }
}

#[test]
fn hosts_that_refresh_without_a_token_are_refused_with_the_remedy() {
    let layer = || SessionLayer::self_contained(common::keys(), Endings::this_process());
    let with = |hosts: &[&str]| {
        layer().with_device_binding(DeviceBinding::new("/dbsc").refresh_initiators(hosts))
    };
    let refused = with(&["*"]).unwrap_err();
    assert!(matches!(refused, ConfigError::Setting { .. }));
    assert!(
        refused.to_string().contains("keep sessions in a store"),
        "{refused}"
    );
    assert!(with(&[]).is_ok());
}

/// D02, V4: the same key again is the same registration, for as long as the token before crosses; another key is refused.
#[tokio::test]
async fn a_session_is_bound_to_one_key() {
    for node in Node::self_contained() {
        let mut browser = node.browser();
        browser.mark("login:alice").await;
        let before = browser.clone();
        let challenge = before.offered[0].challenge.clone();
        browser.loses = 2;
        node.events.take();
        assert_eq!(browser.register().await, [200]);
        let events = node.events.all();
        assert!(events[0].session.is_some() && events[0].successor.is_some());
        assert_ne!(events[0].session, events[0].successor);
        assert_eq!(node.events.take(), [EventKind::DeviceBound], "once");
        assert_eq!(browser.whoami().await, "alice@1 bound");
        // With the token before, and with the one that says the key.
        let other = registers(&before, 9, &challenge).await;
        assert_eq!(other.status, StatusCode::BAD_REQUEST);
        assert!(other.sets_nothing());
        let other = registers(&browser, 9, &challenge).await;
        assert_eq!(other.status, StatusCode::BAD_REQUEST);
        assert!(other.sets_nothing());
        assert_eq!(node.events.take(), [EventKind::OtherDeviceRefused; 2]);
        let again = registers(&browser, 1, &challenge).await;
        assert_eq!(again.status, StatusCode::OK);
        assert_eq!(again.cookie(SESSION), None, "it has that token");
        node.pass(59);
        let again = registers(&before, 1, &challenge).await;
        assert_eq!(again.status, StatusCode::OK);
        let (token, bound) = (again.cookie(SESSION).unwrap(), again.cookie(BOUND).unwrap());
        let with = [(SESSION, &*token), (BOUND, &*bound)];
        assert_eq!(replayed(&node, &with).await, "alice@1 bound");
        // No second minute begins.
        node.pass(1);
        assert_eq!(replayed(&node, &with[..1]).await, "nobody");
        assert_eq!(
            registers(&before, 1, &challenge).await.status,
            StatusCode::BAD_REQUEST
        );
        assert_eq!(browser.whoami().await, "alice@1 bound");
    }
}

/// D13: of two registrations at the same time one binds; the other is the same, or refused.
#[tokio::test]
async fn of_registrations_at_the_same_time_one_binds() {
    for (other, status) in [(7, 200), (8, 400)] {
        let (node, list) = Node::watched(false);
        let mut browser = node.browser();
        browser.mark("login:alice").await;
        let challenge = browser.offered[0].challenge.clone();
        let (asking, same) = (browser.clone(), challenge.clone());
        list.hold(Call::Replace);
        let first = tokio::spawn(async move { registers(&asking, other, &same).await });
        list.stop.reached.notified().await;
        node.events.take();
        let second = registers(&browser, 7, &challenge).await;
        assert_eq!(second.status, StatusCode::OK);
        list.stop.go_on.notify_one();
        let first = first.await.unwrap();
        assert_eq!(first.status, status);
        assert_eq!(first.sets_nothing(), status != 200);
        let told = node.events.take();
        assert_eq!(told[0], EventKind::DeviceBound);
        assert_eq!(told.len(), 1 + usize::from(status != 200), "{told:?}");
        for answer in [first, second] {
            if let Some(token) = answer.cookie(SESSION) {
                let bound = answer.cookie(BOUND).unwrap();
                let with = [(SESSION, &*token), (BOUND, &*bound)];
                assert_eq!(replayed(&node, &with).await, "alice@1 bound");
            }
        }
    }
}

/// D13: many at the same time, on several threads: with one key all are told the same, with many keys one binds.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_registrations_at_the_same_time_one_key_is_bound() {
    for round in 0..20 {
        for node in Node::self_contained() {
            let mut browser = node.browser();
            browser.mark("login:alice").await;
            let challenge = browser.offered[0].challenge.clone();
            let is_one_key = round % 2 == 0;
            let asking = (1..=8).map(|number| {
                let (browser, challenge) = (browser.clone(), challenge.clone());
                let number = if is_one_key { 1 } else { number };
                tokio::spawn(async move { registers(&browser, number, &challenge).await })
            });
            let (mut good, mut tokens) = (0, Vec::new());
            for answer in asking.collect::<Vec<_>>() {
                let answer = answer.await.unwrap();
                if answer.status == StatusCode::OK {
                    good += 1;
                    tokens.push((
                        answer.cookie(SESSION).unwrap(),
                        answer.cookie(BOUND).unwrap(),
                    ));
                } else {
                    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
                }
            }
            assert_eq!(good, if is_one_key { 8 } else { 1 });
            for (token, bound) in tokens {
                let with = [(SESSION, &*token), (BOUND, &*bound)];
                assert_eq!(replayed(&node, &with).await, "alice@1 bound");
            }
        }
    }
}

/// D13: two nodes that share the list; the answer that was lost came from the other one.
#[tokio::test]
async fn nodes_that_share_a_list_bind_once() {
    let list = MemoryRevocations::new();
    let [one, other] = [(), ()].map(|()| Node::ending_with(Endings::shared(list.clone()), false));
    let mut browser = one.browser();
    browser.mark("login:alice").await;
    let challenge = browser.offered[0].challenge.clone();
    let proof_of = |number| proof(&key(number), &challenge, true);
    let cookies = browser.cookies();
    let at_other = async |number| {
        let mut request = common::request("POST", REGISTER, &cookies);
        request
            .headers_mut()
            .insert(PROOF, proof_of(number).parse().unwrap());
        request
            .headers_mut()
            .insert(header::HOST, "app.example".parse().unwrap());
        Client::around(other.app.clone()).send(request).await
    };
    assert_eq!(
        registers(&browser, 1, &challenge).await.status,
        StatusCode::OK
    );
    assert_eq!(at_other(2).await.status, StatusCode::BAD_REQUEST);
    let again = at_other(1).await;
    let (token, bound) = (again.cookie(SESSION).unwrap(), again.cookie(BOUND).unwrap());
    let with = [(SESSION, &*token), (BOUND, &*bound)];
    assert_eq!(replayed(&one, &with).await, "alice@1 bound");
}

/// V4: while the list fails it is 503 without a cookie, and the offer is repeated afterwards; a browser keeps its session.
#[tokio::test]
async fn a_list_that_fails_ends_nothing() {
    for failing in [Call::Standing, Call::Replace] {
        let (node, list) = Node::watched(true);
        let mut browser = node.browser();
        browser.mark("login:alice").await;
        list.fail(failing);
        node.events.take();
        assert_eq!(browser.register().await, [503], "{failing:?}");
        assert!(browser.registered.is_empty() && !browser.has(BOUND));
        let told = if failing == Call::Replace {
            EventKind::StoreFailedWrite
        } else {
            EventKind::StoreFailedLoad
        };
        assert_eq!(node.events.take(), [told]);
        assert_eq!(browser.whoami().await, "alice@1");
        assert_eq!(browser.register().await, [200]);
        browser.jar.remove(BOUND);
        node.pass(60);
        list.fail(Call::Standing);
        assert_eq!(browser.whoami().await, "nobody");
        assert_eq!(browser.registered.len(), 1);
        assert_eq!(browser.whoami().await, "alice@1 bound");
    }
    let (node, list) = Node::watched(false);
    let mut browser = node.browser();
    browser.mark("login:alice").await;
    let challenge = browser.offered[0].challenge.clone();
    assert_eq!(
        registers(&browser, 1, &challenge).await.status,
        StatusCode::OK
    );
    list.fail(Call::MayReissue);
    let again = registers(&browser, 1, &challenge).await;
    assert_eq!(again.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(again.sets_nothing());
    assert_eq!(browser.register().await, [200]);
}

/// S04: a list without room binds nothing, and the session goes on unbound.
#[tokio::test]
async fn a_full_list_binds_nothing() {
    let list = MemoryRevocations::with_max_entries(1);
    let node = Node::ending_with(Endings::shared(list), false);
    let mut other = node.browser();
    other.mark("login:bob").await;
    let mut browser = node.browser();
    browser.mark("login:alice").await;
    assert_eq!(other.register().await, [200]);
    assert_eq!(browser.register().await, [503]);
    assert_eq!(browser.whoami().await, "alice@1");
}

/// R72: what no MAC of ours vouches for asks nothing of the list.
#[tokio::test]
async fn a_forged_request_asks_nothing() {
    let (node, list) = Node::watched(false);
    let mut browser = node.bound().await;
    let calls = list.calls();
    let mut challenge = browser.registered[0].challenge.clone().unwrap();
    challenge.replace_range(30..31, if &challenge[30..31] == "A" { "B" } else { "A" });
    assert_eq!(
        registers(&browser, 1, &challenge).await.status,
        StatusCode::BAD_REQUEST
    );
    let signed = proof(&key(1), &challenge, false);
    let fields = [(ID, "AAAA"), (PROOF, &*signed)];
    let answer = browser.ask("POST", REFRESH, From::Own, &fields).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(list.calls(), calls);
    assert_eq!(browser.whoami().await, "alice@1 bound");
}

/// D05, D10: nothing counts proofs, so a challenge is good for its twenty minutes, and for its own session and key only.
#[tokio::test]
async fn a_challenge_is_good_for_its_time() {
    for node in Node::self_contained() {
        let browser = node.bound().await;
        let mut other = node.browser();
        other.mark("login:alice").await;
        assert_eq!(other.register().await, [200]);
        let session = &browser.registered[0];
        let challenge = session.challenge.clone().unwrap();
        let refreshes = async |signed: &str| {
            let fields = [(ID, &*session.identifier), (PROOF, signed)];
            browser.ask("POST", REFRESH, From::Own, &fields).await
        };
        let good = proof(&key(1), &challenge, false);
        node.events.take();
        for seconds in [0, 600, 600] {
            node.pass(seconds);
            let answer = refreshes(&good).await;
            assert_eq!(answer.status, StatusCode::OK);
            let bound = answer.cookie(BOUND).unwrap();
            let with = [(SESSION, &*browser.jar[SESSION].0), (BOUND, &*bound)];
            assert_eq!(replayed(&node, &with).await, "alice@1 bound");
            assert_eq!(node.events.take(), [EventKind::DeviceProved]);
        }
        node.pass(1);
        let stale = refreshes(&good).await;
        assert_eq!(stale.status, StatusCode::FORBIDDEN);
        assert!(stale.sets_nothing());
        let of_other = other.registered[0].challenge.clone().unwrap();
        for bad in [
            proof(&key(9), &challenge, false),
            proof(&key(1), &challenge, true),
            proof(&key(1), &of_other, false),
            "a.b.c".to_owned(),
        ] {
            let stale = "of no session of ours, or by no key of its own";
            let challenged = bad == proof(&key(9), &challenge, false);
            let answer = refreshes(&bad).await;
            // A stale challenge is answered before any signature is looked at.
            let expected = if challenged { 403 } else { 401 };
            assert_eq!(answer.status, expected, "{stale}");
            assert!(answer.sets_nothing());
        }
    }
}

/// D13: a refresh crosses with a request that replaces the token: the one that it carries was the session's, and its device has
/// the key.
#[tokio::test]
async fn a_refresh_with_a_token_that_was_just_replaced_is_good() {
    for node in Node::self_contained() {
        let mut browser = node.bound().await;
        let before = browser.clone();
        browser.mark("elevate").await;
        let session = &before.registered[0];
        let signed = proof(&key(1), session.challenge.as_ref().unwrap(), false);
        let fields = [(ID, &*session.identifier), (PROOF, &*signed)];
        let answer = before.ask("POST", REFRESH, From::Own, &fields).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.cookie(SESSION), None);
        let bound = answer.cookie(BOUND).unwrap();
        let with = [(SESSION, &*before.jar[SESSION].0), (BOUND, &*bound)];
        assert_eq!(replayed(&node, &with).await, "nobody");
        // What ended is refused.
        browser.mark("logout").await;
        let answer = before.ask("POST", REFRESH, From::Own, &fields).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert!(answer.sets_nothing());
    }
}

/// D14: a refresh moves no limit of the session: the token is not issued again.
#[tokio::test]
async fn a_refresh_issues_no_token() {
    for node in Node::self_contained() {
        let mut browser = node.bound().await;
        let token = browser.jar[SESSION].0.clone();
        browser.jar.remove(BOUND);
        let identifier = browser.registered[0].identifier.clone();
        browser.refresh(&identifier, From::Own).await;
        assert!(browser.has(BOUND));
        assert_eq!(browser.jar[SESSION].0, token);
    }
}

/// A remembered session that went unused shows one factor, and its binding, which counts as a use, does not change that.
#[tokio::test]
async fn a_binding_raises_no_level_that_has_lapsed() {
    let policy = SessionPolicy::aal2()
        .idle(Duration::from_secs(120))
        .unwrap();
    let policy = policy.remember_for(Duration::from_secs(86_400)).unwrap();
    let layer = SessionLayer::self_contained(common::keys(), Endings::this_process());
    let layer = layer.with_policy(policy).into_any();
    let node = Node::without_store(common::keys(), layer, false);
    let mut browser = node.browser();
    browser.send("POST", "/login-remembered", From::Own).await;
    browser.mark("elevate").await;
    assert_eq!(browser.whoami().await, "alice@2");
    browser.offered.clear();
    node.pass(300);
    // The page hands out a token of the lower level, and offers a registration; the token that comes is the older one.
    let older = browser.jar.clone();
    assert_eq!(browser.whoami().await, "alice@1");
    browser.jar = older;
    assert_eq!(browser.register().await, [200]);
    assert_eq!(browser.whoami().await, "alice@1 bound");
}

/// What waits for the session's end with the token from before the binding goes on, and ends with the session.
#[tokio::test]
async fn a_connection_goes_on_through_the_binding() {
    for node in Node::self_contained() {
        let mut browser = node.browser();
        browser.mark("login:alice").await;
        let (app, token) = (node.app.clone(), browser.jar[SESSION].0.clone());
        let mut waits = tokio::spawn(async move {
            let client = Client::around(app);
            client.get("/wait", &[(SESSION, &token)]).await
        });
        tokio::task::yield_now().await;
        assert_eq!(browser.register().await, [200]);
        node.pass(120);
        let moment = Duration::from_millis(50);
        assert!(tokio::time::timeout(moment, &mut waits).await.is_err());
        browser.mark("logout").await;
        assert_eq!(waits.await.unwrap().body, "Logout");
    }
}

/// S03: a token under an expiring key may be a thief's, so no binding puts one under the present key in its place.
#[tokio::test]
async fn a_token_under_an_expiring_key_is_not_bound() {
    for node in Node::self_contained() {
        let mut browser = node.browser();
        browser.mark("login:alice").await;
        let new = *b"Other r4ndom bytes, 32 of them!!";
        let ring = KeyRing::builder()
            .signing(new)
            .expiring(b"an unguessable key of 32 bytes!!");
        node.keys.replace(&ring.build().unwrap());
        assert_eq!(browser.register().await, [400]);
        assert_eq!(browser.whoami().await, "alice@1");
    }
}

/// The key that signs changes between a registration and the same one again, whose answer was lost.
#[tokio::test]
async fn a_lost_answer_outlives_a_change_of_keys() {
    for node in Node::self_contained() {
        let mut browser = node.browser();
        browser.mark("login:alice").await;
        let challenge = browser.offered[0].challenge.clone();
        assert_eq!(
            registers(&browser, 1, &challenge).await.status,
            StatusCode::OK
        );
        let new = *b"Other r4ndom bytes, 32 of them!!";
        let old = *b"an unguessable key of 32 bytes!!";
        node.keys.replace(&KeyRing::from_bytes([new, old]).unwrap());
        assert_eq!(
            registers(&browser, 2, &challenge).await.status,
            StatusCode::BAD_REQUEST
        );
        assert_eq!(browser.register().await, [200]);
        assert_eq!(browser.whoami().await, "alice@1 bound");
    }
}

/// As every token that was replaced: only a list that outlives the process keeps the one before a binding away.
#[tokio::test]
async fn what_a_list_forgets_opens_again() {
    let list = Watched::default();
    let [before, after] = [list, Watched::of(MemoryRevocations::new())]
        .map(|list| Node::ending_with(Endings::shared(list), false));
    let mut browser = before.browser();
    browser.mark("login:alice").await;
    let token = browser.jar[SESSION].0.clone();
    browser.register().await;
    for node in [&before, &after] {
        node.pass(60);
    }
    assert_eq!(replayed(&before, &[(SESSION, &token)]).await, "nobody");
    assert_eq!(replayed(&after, &[(SESSION, &token)]).await, "alice@1");
}

/// The session layer hands out the token, so the endpoints say it when they stand outside of it.
#[tokio::test]
async fn endpoints_outside_their_layer_are_a_mistake() {
    let layer = SessionLayer::self_contained(common::keys(), Endings::this_process())
        .with_device_binding(DeviceBinding::new("/dbsc"))
        .unwrap();
    let endpoints = layer.device_endpoints().unwrap();
    let app = common::app(common::Stop::default())
        .layer(layer)
        .layer(endpoints);
    let clock = common::clock();
    let mut browser = Browser::new(app, &clock);
    browser.mark("login:alice").await;
    let challenge = browser.offered[0].challenge.clone();
    let answer = registers(&browser, 1, &challenge).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(answer.sets_nothing());
    assert_eq!(
        answer.body.starts_with("`DeviceEndpoints` needs"),
        cfg!(debug_assertions)
    );
}
