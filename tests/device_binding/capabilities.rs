//! What an application makes of a binding: guards, lists, and logins that name the device.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use p256::ecdsa::SigningKey;
use sha2::{Digest, Sha256};
use tower_session_guard::{EventKind, Subject};

use super::{BOUND, From, Node, browser::key};

/// RFC 7638, section 3.2.
fn thumbprint(key: &SigningKey) -> String {
    let point = key.verifying_key().to_sec1_point(false);
    let (x, y) = point.as_bytes()[1..].split_at(32);
    let [x, y] = [x, y].map(|coordinate| URL_SAFE_NO_PAD.encode(coordinate));
    let jwk = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
    URL_SAFE_NO_PAD.encode(Sha256::digest(jwk))
}

/// D11: 401 for nobody, 403 for whoever is not bound, crosses with the binding, or has just logged in.
#[tokio::test]
async fn a_guard_lets_bound_sessions_through_only() {
    for node in Node::all() {
        let mut browser = node.browser();
        let guarded = async |browser: &mut super::Browser| {
            browser
                .send("GET", "/guarded", From::Own)
                .await
                .status
                .as_u16()
        };
        assert_eq!(guarded(&mut browser).await, 401);
        browser.mark("login:alice").await;
        assert_eq!(guarded(&mut browser).await, 403);
        browser.register().await;
        assert_eq!(guarded(&mut browser).await, 200);
        let mut crossing = browser.clone();
        crossing.jar.remove(BOUND);
        crossing.registered.clear();
        assert_eq!(guarded(&mut crossing).await, 403);
        node.pass(60);
        assert_eq!(guarded(&mut crossing).await, 401);
        assert_eq!(guarded(&mut browser).await, 200);
        browser.mark("elevate").await;
        assert_eq!(guarded(&mut browser).await, 200);
    }
}

#[tokio::test]
async fn a_list_says_when_the_device_last_proved_itself() {
    let node = Node::new();
    let mut bound = node.bound().await;
    node.browser().mark("login:alice").await;
    node.pass(700);
    bound.whoami().await;
    let listed = node
        .sessions
        .in_store()
        .unwrap()
        .list(&Subject::from("alice"))
        .await
        .unwrap();
    let proved = listed
        .iter()
        .map(|one| one.details.as_ref().unwrap().device_proved_at);
    let mut proved: Vec<_> = proved.collect();
    proved.sort();
    let now = super::common::now(&node.clock);
    assert_eq!(proved[0], None);
    assert_eq!(proved[1], Some(now));
}

/// Only the key that a login names may be bound.
#[tokio::test]
async fn a_login_may_name_the_only_key() {
    for (named, status) in [(1, 200), (2, 400)] {
        let node = Node::new();
        let mut browser = node.browser();
        let path = format!("/login-expecting?{}", thumbprint(&key(named)));
        browser.send("POST", &path, From::Own).await;
        node.events.take();
        assert_eq!(browser.register().await, [status]);
        let told = if status == 200 {
            (EventKind::DeviceBound, None)
        } else {
            (EventKind::DeviceRefused, Some("unexpected_key"))
        };
        let events = node.events.all();
        assert_eq!(events.len(), 1);
        assert_eq!((events[0].kind, events[0].reason), told);
        let bearer = if status == 200 {
            "alice@1 bound"
        } else {
            "alice@1"
        };
        assert_eq!(browser.whoami().await, bearer);
    }
}
