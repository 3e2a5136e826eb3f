//! What each mark does, through the whole stack, in both modes.

#![cfg(all(feature = "axum", feature = "testing"))]

mod common;

use std::time::Duration;

use common::{
    AnyLayer, Client, Events, GUEST, SESSION, both_modes, both_modes_under, clock, keys, request,
};
use tower_session_guard::{EventKind, KeyRing, SessionLayer, SessionPolicy, TokenReuse};

fn layers(events: &Events) -> [AnyLayer; 2] {
    both_modes().map(|layer| layer.with_clock(clock()).with_observer(events.clone()))
}

/// R01, R07, A01, A18, A43.
#[tokio::test]
async fn a_login_yields_a_new_token_and_kills_the_old_one() {
    for layer in layers(&Events::default()) {
        let client = Client::of(layer);
        let guest = client.guest().await;
        let answer = client.mark("login:alice", &[(GUEST, &guest)]).await;
        let token = answer.cookie(SESSION).unwrap();
        assert_eq!(answer.cookie(GUEST).as_deref(), Some(""));
        assert_ne!(token[..30], guest[..30]);
        assert_eq!(client.whoami(&[(SESSION, &token)]).await, "alice@1");
        assert_eq!(client.whoami(&[(GUEST, &guest)]).await, "nobody");
        let session = [(SESSION, &*token)];
        assert_eq!(client.get("/get?k=k", &session).await.body, "");
        assert_eq!(client.get("/get?k=locale", &session).await.body, "de");
        assert_eq!(
            client.get("/get?k=locale", &[(GUEST, &guest)]).await.body,
            ""
        );
    }
}

/// R05.
#[tokio::test]
async fn a_logout_kills_the_token_at_once() {
    let events = Events::default();
    for layer in layers(&events) {
        let client = Client::of(layer);
        let token = client.login("alice").await;
        let answer = client.mark("logout", &[(SESSION, &token)]).await;
        assert_eq!(answer.cookie(SESSION).as_deref(), Some(""));
        events.take();
        for path in ["/whoami", "/get?k=k", "/public"] {
            let answer = client.get(path, &[(SESSION, &token)]).await;
            assert!(answer.sets_nothing());
            assert!(!answer.body.contains("alice"));
        }
        assert_eq!(events.take().len(), 3);
    }
}

/// R03, A19.
#[tokio::test]
async fn an_elevation_kills_the_old_token_without_grace() {
    let events = Events::default();
    for layer in layers(&events) {
        let client = Client::of(layer);
        let token = client.login("alice").await;
        let answer = client.mark("elevate", &[(SESSION, &token)]).await;
        let elevated = answer.cookie(SESSION).unwrap();
        assert_eq!(client.whoami(&[(SESSION, &elevated)]).await, "alice@2");
        events.take();
        assert_eq!(client.whoami(&[(SESSION, &token)]).await, "nobody");
        assert_eq!(events.take(), [EventKind::SupersededToken]);
        assert_eq!(client.whoami(&[(SESSION, &elevated)]).await, "alice@2");
    }
}

/// R02, R62, A20.
#[tokio::test]
async fn a_login_of_the_same_subject_again_rotates_and_keeps_the_data() {
    let events = Events::default();
    for layer in layers(&events) {
        let client = Client::of(layer);
        let first = client.login("alice").await;
        let answer = client.mark("put:k:v", &[(SESSION, &first)]).await;
        let first = answer.cookie(SESSION).unwrap_or(first);
        events.take();
        let answer = client.mark("login:alice", &[(SESSION, &first)]).await;
        let second = answer.cookie(SESSION).unwrap();
        assert_eq!(events.take(), [EventKind::Reauthenticated]);
        assert_eq!(client.whoami(&[(SESSION, &first)]).await, "nobody");
        assert_eq!(
            client.get("/get?k=k", &[(SESSION, &second)]).await.body,
            "v"
        );
    }
}

/// R04, A21.
#[tokio::test]
async fn a_login_of_another_subject_keeps_nothing() {
    let events = Events::default();
    for layer in layers(&events) {
        let client = Client::of(layer);
        let answer = client.mark("login:alice,put:k:v,carried:c:v", &[]).await;
        let alice = answer.cookie(SESSION).unwrap();
        events.take();
        let answer = client.mark("login:bob", &[(SESSION, &alice)]).await;
        let bob = answer.cookie(SESSION).unwrap();
        assert_eq!(events.take(), [EventKind::SubjectSwitched]);
        assert_eq!(client.whoami(&[(SESSION, &bob)]).await, "bob@1");
        assert_eq!(client.get("/get?k=k", &[(SESSION, &bob)]).await.body, "");
        assert_eq!(client.get("/get?k=c", &[(SESSION, &bob)]).await.body, "");
        assert_eq!(client.whoami(&[(SESSION, &alice)]).await, "nobody");
    }
}

/// R03: the way down rotates as the way up does.
#[tokio::test]
async fn a_step_down_falls_back_to_the_logins_level_under_a_new_token() {
    for layer in layers(&Events::default()) {
        let client = Client::of(layer);
        let answer = client.mark("login:alice,elevate", &[]).await;
        let elevated = answer.cookie(SESSION).unwrap();
        assert_eq!(client.whoami(&[(SESSION, &elevated)]).await, "alice@2");
        let answer = client.mark("step-down", &[(SESSION, &elevated)]).await;
        let lower = answer.cookie(SESSION).unwrap();
        assert_eq!(client.whoami(&[(SESSION, &lower)]).await, "alice@1");
        assert_eq!(client.whoami(&[(SESSION, &elevated)]).await, "nobody");
    }
}

/// R08: the session cookie decides; a dead one lets the guest in.
#[tokio::test]
async fn where_both_cookies_come_the_session_decides() {
    for layer in layers(&Events::default()) {
        let client = Client::of(layer);
        let (guest, token) = (client.guest().await, client.login("alice").await);
        let both = [(GUEST, &*guest), (SESSION, &*token)];
        assert_eq!(client.whoami(&both).await, "alice@1");
        assert_eq!(client.get("/get?k=k", &both).await.body, "");
        client.mark("logout", &[(SESSION, &token)]).await;
        assert_eq!(client.get("/get?k=k", &both).await.body, "planted");
    }
}

/// R08: the name is in the MAC key.
#[tokio::test]
async fn a_token_under_the_other_name_is_nothing() {
    for layer in layers(&Events::default()) {
        let client = Client::of(layer);
        let (guest, token) = (client.guest().await, client.login("alice").await);
        assert_eq!(client.whoami(&[(GUEST, &token)]).await, "nobody");
        let swapped = [(SESSION, &*guest)];
        assert_eq!(client.get("/get?k=k", &swapped).await.body, "");
    }
}

/// R08: a login and a logout end whatever of ours came with the request.
#[tokio::test]
async fn a_login_and_a_logout_end_the_guest_that_came_beside() {
    for marks in ["login:alice", "logout"] {
        for layer in layers(&Events::default()) {
            let client = Client::of(layer);
            let (guest, token) = (client.guest().await, client.login("alice").await);
            let both = [(GUEST, &*guest), (SESSION, &*token)];
            let answer = client.mark(marks, &both).await;
            assert_eq!(answer.cookie(GUEST).as_deref(), Some(""));
            assert!(answer.cookie(SESSION).is_some());
            assert_eq!(client.get("/get?k=k", &[(GUEST, &guest)]).await.body, "");
            assert_eq!(client.whoami(&[(SESSION, &token)]).await, "nobody");
        }
    }
}

/// R12, A26.
#[tokio::test]
async fn a_renewed_token_works_for_the_grace_time_and_then_ends_the_session() {
    let events = Events::default();
    let time = clock();
    for layer in layers(&events) {
        let client = Client::of(layer.with_clock(time.clone()));
        let old = client.login("alice").await;
        let answer = client.mark("renew", &[(SESSION, &old)]).await;
        let new = answer.cookie(SESSION).unwrap();
        time.advance(Duration::from_secs(9));
        assert_eq!(client.whoami(&[(SESSION, &old)]).await, "alice@1");
        // Only one successor: the old token gets no other one.
        let again = client.mark("renew", &[(SESSION, &old)]).await;
        assert!(again.sets_nothing());
        time.advance(Duration::from_secs(1));
        events.take();
        assert_eq!(client.whoami(&[(SESSION, &old)]).await, "nobody");
        assert_eq!(events.take(), [EventKind::SessionEndedByReuse]);
        assert_eq!(client.whoami(&[(SESSION, &new)]).await, "nobody");
    }
}

/// R12: the policy may leave the session alone.
#[tokio::test]
async fn reuse_of_a_renewed_token_may_be_only_reported() {
    let events = Events::default();
    let time = clock();
    let policy = SessionPolicy::aal2().on_reuse(TokenReuse::Report);
    for layer in layers(&events) {
        let layer = layer.with_policy(policy.clone()).with_clock(time.clone());
        let client = Client::of(layer);
        let old = client.login("alice").await;
        let answer = client.mark("renew", &[(SESSION, &old)]).await;
        let new = answer.cookie(SESSION).unwrap();
        time.advance(Duration::from_secs(11));
        events.take();
        assert_eq!(client.whoami(&[(SESSION, &old)]).await, "nobody");
        assert_eq!(events.take(), [EventKind::RenewedTokenReused]);
        assert_eq!(client.whoami(&[(SESSION, &new)]).await, "alice@1");
    }
}

/// R12, R61: the policy's own renewal, and the absolute limit that it does not move.
#[tokio::test]
async fn a_token_in_use_is_renewed_by_policy() {
    let time = clock();
    let policy = SessionPolicy::aal2()
        .renew_every(Duration::from_secs(900))
        .unwrap();
    for layer in layers(&Events::default()) {
        let layer = layer.with_policy(policy.clone()).with_clock(time.clone());
        let client = Client::of(layer);
        let mut token = client.login("alice").await;
        time.advance(Duration::from_secs(30));
        assert_eq!(
            client
                .get("/whoami", &[(SESSION, &token)])
                .await
                .cookie(SESSION),
            None
        );
        for _ in 0..95 {
            time.advance(Duration::from_secs(908));
            let answer = client.get("/whoami", &[(SESSION, &token)]).await;
            assert_eq!(answer.body, "alice@1");
            token = answer.cookie(SESSION).expect("a renewal is due");
        }
        time.advance(Duration::from_secs(908));
        assert_eq!(client.whoami(&[(SESSION, &token)]).await, "nobody");
    }
}

/// R12: an elevation takes the grace away.
#[tokio::test]
async fn an_elevation_ends_the_grace_of_a_renewed_token() {
    let events = Events::default();
    for layer in layers(&events) {
        let client = Client::of(layer);
        let old = client.login("alice").await;
        let renewed = client.mark("renew", &[(SESSION, &old)]).await;
        let renewed = renewed.cookie(SESSION).unwrap();
        let elevated = client.mark("elevate", &[(SESSION, &renewed)]).await;
        let elevated = elevated.cookie(SESSION).unwrap();
        events.take();
        for dead in [&old, &renewed] {
            assert_eq!(client.whoami(&[(SESSION, dead)]).await, "nobody");
        }
        assert_eq!(events.take(), [EventKind::SupersededToken; 2]);
        assert_eq!(client.whoami(&[(SESSION, &elevated)]).await, "alice@2");
    }
}

/// R13, A02, A22: nothing that is not there is adopted, and reading it makes nothing.
#[tokio::test]
async fn the_token_of_a_session_that_is_gone_is_not_adopted() {
    let events = Events::default();
    for layer in layers(&events) {
        let client = Client::of(layer);
        let guest = client.guest().await;
        client.mark("logout", &[(GUEST, &guest)]).await;
        events.take();
        let answer = client.mark("put:k:v", &[(GUEST, &guest)]).await;
        let fresh = answer.cookie(GUEST).unwrap();
        assert_ne!(fresh[..30], guest[..30]);
        let told = events.take();
        assert!(
            told == [EventKind::UnknownSession, EventKind::Created]
                || told == [EventKind::RevokedToken, EventKind::Created],
            "{told:?}"
        );
    }
}

/// R17, A46.
#[tokio::test]
async fn an_untouched_visit_sets_no_cookie_and_tells_no_event() {
    let events = Events::default();
    for layer in layers(&events) {
        let client = Client::of(layer);
        for path in ["/public", "/whoami", "/get?k=k"] {
            assert!(client.get(path, &[]).await.sets_nothing());
        }
        assert!(client.mark("logout", &[]).await.sets_nothing());
        assert!(client.mark("elevate", &[]).await.sets_nothing());
        assert!(client.mark("renew", &[]).await.sets_nothing());
        assert!(client.mark("put:k:v,remove:k", &[]).await.sets_nothing());
        assert_eq!(
            events.take(),
            [
                EventKind::ElevationWithoutLogin,
                EventKind::RenewalWithoutSession
            ]
        );
    }
}

/// R52, A03: two live sessions count as none, and a login ends both.
#[tokio::test]
async fn two_live_sessions_are_anonymous_and_nothing_is_removed() {
    let events = Events::default();
    for layer in layers(&events) {
        let client = Client::of(layer);
        for swapped in [false, true] {
            let (alice, mallory) = (client.login("alice").await, client.login("mallory").await);
            let mut both = [&alice, &mallory].map(|token| (SESSION, &**token));
            if swapped {
                both.reverse();
            }
            events.take();
            let answer = client.get("/whoami", &both).await;
            assert!(answer.sets_nothing());
            assert_eq!(answer.body, "nobody");
            assert_eq!(events.take(), [EventKind::DuplicateTokens]);
            assert_eq!(
                client.whoami(&[both[0]]).await,
                if swapped { "mallory@1" } else { "alice@1" }
            );
            let answer = client.mark("login:alice", &both).await;
            let token = answer.cookie(SESSION).unwrap();
            assert_eq!(client.whoami(&[(SESSION, &token)]).await, "alice@1");
            for ended in both {
                assert_eq!(client.whoami(&[ended]).await, "nobody");
            }
        }
    }
}

/// R52: a guest's token beside two of members counts for nothing, as those do.
#[tokio::test]
async fn a_guest_is_not_admitted_beside_two_session_tokens() {
    for layer in layers(&Events::default()) {
        let client = Client::of(layer);
        let answer = client.mark("put:k:guest", &[]).await;
        let guest = answer.cookie(GUEST).unwrap();
        let (alice, mallory) = (client.login("alice").await, client.login("mallory").await);
        let get = async |cookies: &[(&str, &str)]| client.get("/get?k=k", cookies).await.body;
        assert_eq!(get(&[(GUEST, &guest)]).await, "guest");
        for cookies in [
            [(SESSION, &*alice), (SESSION, &*mallory), (GUEST, &*guest)],
            [(GUEST, &*guest), (SESSION, &*mallory), (SESSION, &*alice)],
        ] {
            assert_eq!(get(&cookies).await, "");
        }
    }
}

/// Design 5: marks apply in order.
#[tokio::test]
async fn several_marks_apply_in_order() {
    for (marks, who, token) in [
        ("login:alice,logout", "nobody", None),
        ("logout,login:bob", "bob@1", Some(SESSION)),
        ("login:alice,elevate,step-down", "alice@1", Some(SESSION)),
        ("login:alice,login:bob", "bob@1", Some(SESSION)),
        ("put:k:v,logout", "nobody", None),
        ("login:alice,put:k:v,logout,put:k:w", "nobody", Some(GUEST)),
    ] {
        for layer in layers(&Events::default()) {
            let client = Client::of(layer);
            let before = client.login("carol").await;
            let answer = client.mark(marks, &[(SESSION, &before)]).await;
            assert_eq!(answer.body, who, "{marks}");
            let issued = [SESSION, GUEST].into_iter().find(|name| {
                let value = answer.cookie(name);
                value.is_some_and(|value| !value.is_empty())
            });
            assert_eq!(issued, token, "{marks}");
            assert_eq!(
                client.whoami(&[(SESSION, &before)]).await,
                "nobody",
                "{marks}"
            );
            if let Some(name) = token {
                let value = answer.cookie(name).unwrap();
                assert_eq!(client.whoami(&[(name, &value)]).await, who, "{marks}");
            }
        }
    }
}

/// Design 5: a renewal beside an elevation has no grace.
#[tokio::test]
async fn a_renewal_and_an_elevation_count_as_an_elevation() {
    for marks in ["renew,elevate", "elevate,renew"] {
        for layer in layers(&Events::default()) {
            let client = Client::of(layer);
            let old = client.login("alice").await;
            let answer = client.mark(marks, &[(SESSION, &old)]).await;
            assert!(answer.cookie(SESSION).is_some());
            assert_eq!(client.whoami(&[(SESSION, &old)]).await, "nobody");
        }
    }
}

/// R43, R44, A30.
#[tokio::test]
async fn responses_that_depend_on_the_session_are_not_shared() {
    for layer in layers(&Events::default()) {
        let client = Client::of(layer);
        let read = client.get("/whoami", &[]).await;
        assert_eq!(read.headers["vary"], "Cookie");
        assert!(!read.headers.contains_key("cache-control"));
        let untouched = client.get("/public", &[]).await;
        assert!(!untouched.headers.contains_key("vary"));
        let written = client.mark("login:alice", &[]).await;
        assert_eq!(written.headers["cache-control"], "no-store");
        let token = written.cookie(SESSION).unwrap();
        let removed = client.mark("logout", &[(SESSION, &token)]).await;
        assert_eq!(removed.headers["cache-control"], "no-store");
    }
}

/// R32, A38.
#[tokio::test]
async fn a_token_is_accepted_from_a_cookie_only() {
    for layer in layers(&Events::default()) {
        let client = Client::of(layer);
        let token = client.login("alice").await;
        for (name, value) in [
            ("authorization", format!("Bearer {token}")),
            ("x-session", token.clone()),
            ("set-cookie", format!("{SESSION}={token}")),
            ("cookie2", format!("{SESSION}={token}")),
        ] {
            let mut request = request("GET", "/whoami", &[]);
            let value = value.parse().unwrap();
            request.headers_mut().insert(name, value);
            assert_eq!(client.send(request).await.body, "nobody");
        }
        let query = format!("/whoami?{SESSION}={token}");
        assert_eq!(client.whoami(&[]).await, client.get(&query, &[]).await.body);
    }
}

/// R18: nobody becomes the user of a session without a new token.
#[tokio::test]
async fn an_empty_or_overlong_subject_logs_nobody_in() {
    let events = Events::default();
    for layer in layers(&events) {
        let client = Client::of(layer);
        for user in ["", &"x".repeat(256)] {
            let answer = client.mark(&format!("login:{user}"), &[]).await;
            assert_eq!(answer.status, 500);
            assert!(answer.sets_nothing());
            assert_eq!(events.take(), [EventKind::LoginRefused]);
        }
        let longest = "x".repeat(255);
        let answer = client.mark(&format!("login:{longest}"), &[]).await;
        assert!(answer.cookie(SESSION).is_some());
        events.take();
    }
}

/// R26, A41.
#[tokio::test]
async fn a_token_under_an_older_key_is_signed_again_without_rotation() {
    let [old, new] = [[1_u8; 32], [2; 32]].map(|mut key| {
        key[0] = 0;
        key
    });
    let events = Events::default();
    for mode in [0, 1] {
        let ring = KeyRing::from_bytes([old]).unwrap();
        let layer = both_modes_under(&ring)[mode].clone();
        let client = Client::of(layer.with_clock(clock()).with_observer(events.clone()));
        let first = client.login("alice").await;
        ring.replace(&KeyRing::from_bytes([new, old]).unwrap());
        events.take();
        let answer = client.get("/whoami", &[(SESSION, &first)]).await;
        let second = answer.cookie(SESSION).expect("it is signed again");
        assert_eq!(answer.headers["cache-control"], "no-store");
        assert_eq!(events.take(), [EventKind::TokenReSigned]);
        assert!(
            client
                .get("/whoami", &[(SESSION, &second)])
                .await
                .sets_nothing()
        );
        // Re-signing is no rotation: the browser may not have got it.
        assert_eq!(client.whoami(&[(SESSION, &first)]).await, "alice@1");
        ring.replace(&KeyRing::from_bytes([new]).unwrap());
        events.take();
        assert_eq!(client.whoami(&[(SESSION, &first)]).await, "nobody");
        assert_eq!(events.take(), [EventKind::TokenUnknownKey]);
        assert_eq!(client.whoami(&[(SESSION, &second)]).await, "alice@1");
    }
}

/// R22, A31.
#[tokio::test]
async fn a_token_is_worth_nothing_to_another_application_under_the_same_keys() {
    for (shop, admin) in layers(&Events::default()).into_iter().map(|layer| {
        let shop = layer.clone().with_audience("shop");
        (shop, layer.with_audience("admin"))
    }) {
        let token = Client::of(shop.clone()).login("alice").await;
        assert_eq!(
            Client::of(shop).whoami(&[(SESSION, &token)]).await,
            "alice@1"
        );
        assert_eq!(
            Client::of(admin).whoami(&[(SESSION, &token)]).await,
            "nobody"
        );
    }
}

/// A layer further out does not log anybody in to an inner one.
#[tokio::test]
async fn an_authenticated_session_of_an_outer_layer_is_not_this_layers() {
    use axum::{Router, body::Body, http::Request, routing::get};
    use tower::ServiceExt;
    use tower_session_guard::{AuthenticatedSession, CookiePolicy};

    let outer = SessionLayer::new(keys()).with_clock(clock());
    let token = Client::of(outer.clone()).login("alice").await;
    let inner_cookies = CookiePolicy::builder().name("inner").build().unwrap();
    let inner = SessionLayer::new(keys()).with_cookies(inner_cookies);
    let handler = get(|request: Request<Body>| async move {
        let somebody = request.extensions().get::<AuthenticatedSession>().is_some();
        somebody.to_string()
    });
    let app = Router::new().route("/", handler).layer(inner).layer(outer);
    let response = app.oneshot(request("GET", "/", &[(SESSION, &token)])).await;
    assert_eq!(common::collect(response.unwrap()).await.body, "false");
}
