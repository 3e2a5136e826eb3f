//! A binding while its deployment changes: keys, cookies, releases, clocks, and the client that it is used from.

use axum::http::header;
use tower_session_guard::{
    ClientBinding, CookiePolicy, CookieScope, EventKind, KeyRing, OnChange, Record, SessionLayer,
    SessionStore, Timestamp, store::Replaced,
};

use super::{
    BOUND, From, Node, REFRESH, SESSION,
    browser::{Browser, proof},
    common::{self, Client},
    replayed,
};

const OLD: [u8; 32] = *b"an unguessable key of 32 bytes!!";
const NEW: [u8; 32] = *b"other random bytes, and 32 long!";

/// R26: what was sent out under an older key holds under the new one: an offer, a bound cookie, a challenge, and for ever the
/// identifier, which a browser compares.
#[tokio::test]
async fn what_was_sent_out_under_an_older_key_holds() {
    let older = || KeyRing::builder().signing(NEW).older(OLD).build();
    let expiring = || KeyRing::builder().signing(NEW).expiring(OLD).build();
    for ring in [older(), expiring()] {
        for node in Node::both() {
            let mut bound = node.bound().await;
            let mut offered = node.browser();
            offered.mark("login:bob").await;
            node.keys.replace(ring.as_ref().unwrap());
            assert_eq!(offered.register().await, [200]);
            assert_eq!(bound.whoami().await, "alice@1 bound");
            let session = bound.registered[0].clone();
            let signed = proof(&session.key, session.challenge.as_ref().unwrap(), false);
            let fields = [
                ("sec-secure-session-id", &*session.identifier),
                ("secure-session-response", &signed),
            ];
            let answer = bound.ask("POST", REFRESH, From::Own, &fields).await;
            assert_eq!(answer.status, 200);
            let echoed = format!(";id=\"{}\"", session.identifier);
            let next = answer.headers["secure-session-challenge"].to_str().unwrap();
            assert!(next.ends_with(&echoed), "{next}");
            assert!(answer.body.contains(&session.identifier));
            // So it is where it is asked for, after ten minutes and with nothing held.
            node.pass(600);
            bound.registered[0].challenge = None;
            assert_eq!(bound.whoami().await, "alice@1 bound");
            assert_eq!(offered.whoami().await, "bob@1 bound");
            assert_eq!(bound.registered[0].identifier, session.identifier);
        }
    }
}

/// R26: a key that leaves the ring takes along the bindings that began under it. Their users log in again, and no token
/// opens without its device meanwhile.
#[tokio::test]
async fn who_was_bound_under_a_key_that_left_logs_in_again() {
    for node in Node::both() {
        let mut browser = node.bound().await;
        node.keys.replace(&KeyRing::from_bytes([NEW, OLD]).unwrap());
        // The session's token is signed again, and outlives the key; the identifier does not.
        browser.whoami().await;
        node.keys.replace(&KeyRing::from_bytes([NEW]).unwrap());
        node.pass(600);
        node.events.take();
        assert_eq!(browser.whoami().await, "nobody");
        assert!(browser.registered.is_empty());
        assert!(node.events.take().contains(&EventKind::UnboundUse));
        browser.mark("login:alice").await;
        assert_eq!(browser.register().await, [200]);
        assert_eq!(browser.whoami().await, "alice@1 bound");
    }
}

/// D08: the cookie's scope is moved while users stay logged in. The next refresh tells the browser the new one.
#[tokio::test]
async fn a_binding_goes_on_where_the_cookies_are_moved() {
    const MOVED: &str = "__Secure-shop-bound";
    let policy = CookiePolicy::builder().whole_name("__Http-shop");
    let before = policy.clone().path("/shop").build().unwrap();
    let after = policy
        .domain("app.example")
        .formerly(CookieScope::host_only().path("/shop"));
    let after = after.build().unwrap();
    let old = Node::set(false, |layer| layer.with_cookies(before));
    let new = old.beside(|layer| layer.with_cookies(after));
    let mut browser = old.bound().await;
    assert!(browser.has(MOVED));
    browser.app = new.app.clone();
    assert_eq!(browser.whoami().await, "alice@1 bound");
    new.pass(600);
    assert!(!browser.has(MOVED));
    // The browser of the tests compares the attributes that it is told with those that are set.
    assert_eq!(browser.whoami().await, "alice@1 bound");
    assert!(
        browser.registered[0]
            .attributes
            .contains("Domain=app.example")
    );
    new.pass(120);
    let token = browser.jar["__Http-shop"].0.clone();
    assert_eq!(replayed(&new, &[("__Http-shop", &token)]).await, "nobody");
}

/// Under another name nobody is logged in: tokens, identifiers and bound cookies are others.
#[tokio::test]
async fn another_name_of_the_cookie_ends_bindings_as_it_ends_sessions() {
    let old = Node::new();
    let policy = CookiePolicy::builder().name("shop").build().unwrap();
    let new = old.beside(|layer| layer.with_cookies(policy));
    let mut browser = old.bound().await;
    browser.app = new.app.clone();
    browser.jar.remove(BOUND);
    assert_eq!(browser.whoami().await, "nobody");
    assert!(browser.registered.is_empty());
    browser.mark("login:alice").await;
    assert_eq!(browser.register().await, [200]);
    assert!(browser.has("__Host-shop-bound"));
    assert_eq!(browser.whoami().await, "alice@1 bound");
}

/// A session that began before devices were bound, on a node of an older release or without the setting, is bound while it is
/// young, whatever schema its record has.
#[tokio::test]
async fn a_session_of_an_older_release_can_be_bound() {
    const SCHEMA_1: u8 = 1;
    for node in Node::both() {
        for is_old in [false, true] {
            let plain = SessionLayer::new(node.keys.clone())
                .with_store(node.store.clone())
                .with_observer(node.events.clone())
                .with_clock(node.clock.clone());
            let mut browser = node.browser();
            browser.app = common::app(common::Stop::default()).layer(plain);
            browser.mark("login:alice").await;
            assert!(browser.offered.is_empty());
            let id = node.last_login();
            let stored = node.stored(&id).await.unwrap();
            let mut encoded = stored.record.encode();
            encoded[0] = SCHEMA_1;
            let read = Record::decode(&encoded).unwrap();
            let now = common::now(&node.clock);
            let replaced = node.store.replace(&id, stored.revision, &read, now).await;
            assert!(matches!(replaced.unwrap(), Replaced::Replaced(_)));
            browser.app = node.app.clone();
            if is_old {
                node.pass(600);
            }
            assert_eq!(browser.whoami().await, "alice@1");
            assert_eq!(browser.offered.len(), usize::from(!is_old));
            if is_old {
                // It stays as it is until its user logs in again.
                browser.mark("login:alice").await;
            }
            assert_eq!(browser.register().await, [200]);
            assert_eq!(browser.whoami().await, "alice@1 bound");
        }
    }
}

/// D11: a server's clock is set back or forth, by more than servers' clocks may differ: no stolen cookie gains by it but
/// what the clock itself gives, and the browser goes on by itself.
#[tokio::test]
async fn a_clock_that_is_set_loses_nothing_but_a_refresh() {
    for node in Node::both() {
        for (by, cookie_holds) in [
            (-3_600_i64, false),
            (-61, false),
            (-60, true),
            (60, true),
            (599, true),
            (600, false),
            (1_700, false),
        ] {
            let mut browser = node.bound().await;
            for _ in 0..4 {
                node.pass(1_000);
                browser.whoami().await;
            }
            let (stolen, token) = (browser.jar[BOUND].0.clone(), browser.jar[SESSION].0.clone());
            let set = common::now(&node.clock).as_unix_millis();
            let set = set.checked_add_signed(by * 1_000).unwrap();
            node.clock.set(Timestamp::from_unix_millis(set));
            let loot = [(SESSION, &*token), (BOUND, &*stolen)];
            let seen = if cookie_holds {
                "alice@1 bound"
            } else {
                "nobody"
            };
            assert_eq!(replayed(&node, &loot).await, seen, "{by}");
            assert_eq!(replayed(&node, &loot[..1]).await, "nobody", "{by}");
            browser.jar.remove(BOUND);
            assert_eq!(browser.whoami().await, "alice@1 bound", "{by}");
            assert_eq!(browser.registered.len(), 1, "{by}");
            // And once more, from where the last proof may lie ahead.
            node.pass(600);
            assert_eq!(browser.whoami().await, "alice@1 bound", "{by}");
            let kept = browser.jar[SESSION].0.clone();
            assert_eq!(replayed(&node, &[(SESSION, &kept)]).await, "nobody", "{by}");
        }
    }
}

const HOME: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0.0.0";
const THIEF: &str = "curl/8.5.0";

async fn asked(node: &Node, browser: &Browser, agent: &'static str) -> common::Answer {
    let mut request = common::request("GET", "/bound", &browser.cookies());
    let headers = request.headers_mut();
    headers.insert(header::USER_AGENT, agent.parse().unwrap());
    headers.insert("sec-fetch-site", "same-origin".parse().unwrap());
    Client::around(node.app.clone()).send(request).await
}

/// R93, D11: the client that a session is used from and its device both have a say.
#[tokio::test]
async fn a_client_and_a_device_are_both_asked() {
    for is_lazy in [false, true] {
        for (on_change, elsewhere, ends) in [
            (OnChange::Tell, "alice@1", false),
            (OnChange::Ask, "nobody", false),
            (OnChange::End, "nobody", true),
        ] {
            let node = Node::set(is_lazy, |layer| {
                layer.with_binding(ClientBinding::new().user_agent(on_change))
            });
            // A client for which the session is suspended is offered nothing.
            let mut unbound = node.browser();
            unbound.agent = HOME;
            unbound.mark("login:bob").await;
            let answer = asked(&node, &unbound, THIEF).await;
            let offered = answer.headers.contains_key("secure-session-registration");
            assert_eq!(offered, on_change == OnChange::Tell, "{on_change:?}");
            let mut browser = node.browser();
            browser.agent = HOME;
            browser.mark("login:alice").await;
            assert_eq!(browser.register().await, [200]);
            node.pass(120);
            // Without the device another client is nobody, and ends nothing.
            let mut without = browser.clone();
            without.jar.remove(BOUND);
            let answer = asked(&node, &without, THIEF).await;
            assert_eq!((&*answer.body, answer.sets_nothing()), ("nobody", true));
            assert_eq!(browser.whoami().await, "alice@1 bound");
            // With the device's cookie it is what it is without device binding.
            let answer = asked(&node, &browser, THIEF).await;
            assert!(answer.body.starts_with(elsewhere), "{}", answer.body);
            let after = if ends { "nobody" } else { "alice@1 bound" };
            assert_eq!(browser.whoami().await, after, "{on_change:?}");
            browser.jar.remove(BOUND);
            browser.whoami().await;
            assert_eq!(browser.registered.is_empty(), ends, "{on_change:?}");
        }
    }
}
