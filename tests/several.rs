//! Requests that bring more than one token of a name: what counts is which sessions are alive (R52, R76).
//!
//! Browsers send two cookies of one name after a change of `Domain`, `Path` or `Partitioned`.

#![cfg(all(feature = "axum", feature = "testing"))]

mod common;

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header::COOKIE};
use common::{Answer, AnyLayer, Client, Events, GUEST, SESSION, both_modes, clock, keys};
use tower_session_guard::{
    EventKind, MemoryStore, SessionLayer, SessionPolicy, TransactionCookie,
    testing::{FaultyStore, ManualClock},
};

struct Site {
    client: Client,
    events: Events,
    clock: ManualClock,
}

fn sites() -> [Site; 2] {
    both_modes().map(site)
}

fn site(layer: AnyLayer) -> Site {
    let (events, clock) = (Events::default(), clock());
    let layer = layer
        .with_clock(clock.clone())
        .with_observer(events.clone());
    Site {
        client: Client::of(layer),
        events,
        clock,
    }
}

impl Site {
    /// A session's first token, and the one that is its own after `marks`.
    async fn replaced(&self, marks: &str) -> [String; 2] {
        let old = self.client.login("alice").await;
        let answer = self.client.mark(marks, &[(SESSION, &old)]).await;
        [old, answer.cookie(SESSION).expect("a new token")]
    }

    async fn mark(&self, marks: &str, tokens: &[&str]) -> Answer {
        self.client.mark(marks, &named(SESSION, tokens)).await
    }

    async fn whoami(&self, tokens: &[&str]) -> String {
        self.client.whoami(&named(SESSION, tokens)).await
    }
}

fn named<'a>(name: &'a str, tokens: &[&'a str]) -> Vec<(&'a str, &'a str)> {
    tokens.iter().map(|token| (name, *token)).collect()
}

/// Both orders of two tokens.
fn orders<'a>(one: &'a str, other: &'a str) -> [[&'a str; 2]; 2] {
    [[one, other], [other, one]]
}

/// R76: whatever made the old token dead, in any order.
#[tokio::test]
async fn a_dead_token_beside_a_live_one_changes_nothing() {
    for site in sites() {
        for marks in [
            "login:alice",
            "login:bob",
            "elevate",
            "step-down",
            "logout,login:alice",
        ] {
            let [old, new] = site.replaced(marks).await;
            let alone = site.whoami(&[&new]).await;
            assert_ne!(alone, "nobody");
            for both in orders(&old, &new) {
                assert_eq!(site.whoami(&both).await, alone, "{marks}");
                let put = site.mark("put:k:v", &both).await;
                assert_eq!(put.status, 200);
                // In a token the data is in a new one of the same id.
                let new = put.cookie(SESSION).unwrap_or_else(|| new.clone());
                let read = site
                    .client
                    .get("/get?k=k", &named(SESSION, &[&old, &new]))
                    .await;
                assert_eq!(read.body, "v", "{marks}");
                assert!(read.sets_nothing());
            }
        }
    }
}

/// R76: seven dead tokens beside a live one, at every place.
#[tokio::test]
async fn any_number_of_dead_tokens_changes_nothing() {
    for site in sites() {
        let mut dead = Vec::new();
        for _ in 0..7 {
            let token = site.client.login("alice").await;
            site.mark("logout", &[&token]).await;
            dead.push(token);
        }
        let live = site.client.login("alice").await;
        for place in 0..=7 {
            let mut all: Vec<&str> = dead.iter().map(String::as_str).collect();
            all.insert(place, &live);
            assert_eq!(site.whoami(&all).await, "alice@1", "{place}");
        }
        site.events.take();
        let dead: Vec<_> = dead.iter().map(String::as_str).collect();
        assert_eq!(site.whoami(&dead).await, "nobody");
        assert!(!site.events.take().contains(&EventKind::DuplicateTokens));
    }
}

/// R76: an acknowledged logout holds for what came, and nothing of it stays in the browser.
#[tokio::test]
async fn a_logout_ends_every_session_presented_and_removes_the_cookie() {
    for site in sites() {
        for marks in ["login:alice", "elevate"] {
            let [old, new] = site.replaced(marks).await;
            for both in orders(&old, &new) {
                let answer = site.mark("logout", &both).await;
                assert_eq!(answer.cookie(SESSION).as_deref(), Some(""), "{marks}");
                assert_eq!(site.whoami(&[&new]).await, "nobody");
            }
        }
        let (alice, bob) = (
            site.client.login("alice").await,
            site.client.login("bob").await,
        );
        site.events.take();
        let answer = site.mark("logout", &[&alice, &bob]).await;
        assert_eq!(answer.cookie(SESSION).as_deref(), Some(""));
        for token in [&alice, &bob] {
            assert_eq!(site.whoami(&[token]).await, "nobody");
        }
        let told = site.events.all();
        let ended = told
            .iter()
            .filter(|event| event.kind == EventKind::PresentedSessionEnded);
        let subjects: Vec<_> = ended
            .map(|event| event.subject.clone().unwrap().as_str().to_owned())
            .collect();
        assert_eq!(subjects.len(), 2, "{told:?}");
        assert!(subjects.contains(&"alice".to_owned()) && subjects.contains(&"bob".to_owned()));
    }
}

/// R76: the next request after a login is logged in, and no try leaves a session behind.
#[tokio::test]
async fn a_login_ends_every_session_presented() {
    for site in sites() {
        let [old, new] = site.replaced("login:alice").await;
        for both in orders(&old, &new) {
            let answer = site.mark("login:alice", &both).await;
            let newest = answer.cookie(SESSION).unwrap();
            assert_eq!(site.whoami(&[&old, &newest]).await, "alice@1");
            assert_eq!(site.whoami(&[&new]).await, "nobody");
        }
        let (alice, bob) = (
            site.client.login("alice").await,
            site.client.login("bob").await,
        );
        let answer = site.mark("login:carol", &[&alice, &bob]).await;
        let carol = answer.cookie(SESSION).unwrap();
        assert_eq!(site.whoami(&[&alice, &carol, &bob]).await, "carol@1");
        for token in [&alice, &bob] {
            assert_eq!(site.whoami(&[token]).await, "nobody");
        }
    }
}

/// R76: the limit of sessions counts none that the login takes the place of.
#[tokio::test]
async fn a_login_in_the_place_of_all_presented_is_not_over_the_limit() {
    use tower_session_guard::AtLimit;
    let layer = SessionLayer::new(keys()).max_sessions(2, AtLimit::RefuseLogin);
    let site = site(layer.unwrap().into_any());
    let (one, two) = (
        site.client.login("alice").await,
        site.client.login("alice").await,
    );
    let answer = site.mark("login:alice", &[&one, &two]).await;
    assert_eq!(answer.status, 200);
    let token = answer.cookie(SESSION).unwrap();
    assert_eq!(site.whoami(&[&one, &two, &token]).await, "alice@1");
}

/// R76: a logout whose session is gone already takes the cookie away; a read never does.
#[tokio::test]
async fn only_a_logout_removes_a_dead_cookie() {
    for site in sites() {
        for (marks, after) in [("logout", 0), ("elevate", 0), ("put:k:v", 2 * 86_400)] {
            let token = site.client.login("alice").await;
            site.mark(marks, &[&token]).await;
            site.clock.advance(Duration::from_secs(after));
            let read = site.client.get("/whoami", &[(SESSION, &token)]).await;
            assert_eq!(
                (&*read.body, read.sets_nothing()),
                ("nobody", true),
                "{marks}"
            );
            let answer = site.mark("logout", &[&token]).await;
            assert_eq!(answer.cookie(SESSION).as_deref(), Some(""), "{marks}");
            assert_eq!(answer.cookie(GUEST), None);
        }
        // A forged one neither ends nor removes anything.
        let answer = site.mark("logout", &["forged"]).await;
        assert!(answer.sets_nothing());
    }
}

/// R76: a token that was rotated away is its session's all the same, as long as the session remembers it.
#[tokio::test]
async fn a_logout_by_a_retired_token_ends_the_session() {
    for site in sites() {
        for marks in ["elevate", "renew"] {
            let [old, new] = site.replaced(marks).await;
            site.clock.advance(Duration::from_secs(30));
            site.events.take();
            if marks == "elevate" {
                assert_eq!(site.whoami(&[&new]).await, "alice@2");
            }
            let answer = site.mark("logout", &[&old]).await;
            assert_eq!(answer.cookie(SESSION).as_deref(), Some(""), "{marks}");
            assert_eq!(site.whoami(&[&new]).await, "nobody", "{marks}");
        }
    }
}

/// R12, R76: beside the live token of its session a renewed one is no theft, and bars nothing.
#[tokio::test]
async fn a_renewed_token_beside_its_successor_is_no_theft() {
    for site in sites() {
        let [old, new] = site.replaced("renew").await;
        site.clock.advance(Duration::from_secs(30));
        site.events.take();
        for both in orders(&old, &new) {
            assert_eq!(site.whoami(&both).await, "alice@1");
        }
        assert_eq!(site.events.take(), []);
        let put = site.mark("put:k:v", &[&old, &new]).await;
        let new = put.cookie(SESSION).unwrap_or(new);
        let read = site.client.get("/get?k=k", &named(SESSION, &[&new])).await;
        assert_eq!(read.body, "v");
        // Alone it is one.
        assert_eq!(site.whoami(&[&old]).await, "nobody");
        assert!(site.events.take().contains(&EventKind::SessionEndedByReuse));
        assert_eq!(site.whoami(&[&new]).await, "nobody");
    }
}

/// R76: in its grace time a token and its successor are one session.
#[tokio::test]
async fn a_token_in_its_grace_time_beside_its_successor_is_the_same_session() {
    for site in sites() {
        let [old, new] = site.replaced("renew").await;
        site.events.take();
        for both in orders(&old, &new) {
            assert_eq!(site.whoami(&both).await, "alice@1");
            // The newest token counts, so a renewal is no renewal of a replaced one.
            let answer = site.mark("put:k:v", &both).await;
            assert_eq!(answer.status, 200);
        }
        assert_eq!(site.events.take(), []);
    }
}

/// R76: after a change of scope the first re-issue makes two tokens of one id; the one issued last counts.
#[tokio::test]
async fn of_two_tokens_of_one_id_the_newer_one_counts() {
    let [site, _] = sites();
    let old = site.client.login("alice").await;
    site.clock.advance(Duration::from_secs(1));
    let answer = site.mark("put:k:new", &[&old]).await;
    let new = answer.cookie(SESSION).unwrap();
    for both in orders(&old, &new) {
        let read = site.client.get("/get?k=k", &named(SESSION, &both)).await;
        assert_eq!(read.body, "new");
    }
    let answer = site.mark("logout", &[&old, &new]).await;
    assert_eq!(answer.cookie(SESSION).as_deref(), Some(""));
    assert_eq!(site.whoami(&[&new]).await, "nobody");
}

/// R52: two live sessions are anonymous, and nothing is written but by a login or a logout.
#[tokio::test]
async fn two_live_sessions_write_nothing() {
    for site in sites() {
        let (alice, bob) = (
            site.client.login("alice").await,
            site.client.login("bob").await,
        );
        for both in orders(&alice, &bob) {
            for marks in ["put:k:v", "renew", "elevate", "step-down"] {
                site.events.take();
                let answer = site.mark(marks, &both).await;
                assert!(answer.sets_nothing(), "{marks}");
                let told = site.events.take();
                assert_eq!(told[0], EventKind::DuplicateTokens, "{told:?}");
                let dropped = told.contains(&EventKind::DuplicateTokensDataDropped);
                assert_eq!(dropped, marks == "put:k:v");
            }
        }
        assert_eq!(site.whoami(&[&alice]).await, "alice@1");
        assert_eq!(site.whoami(&[&bob]).await, "bob@1");
    }
}

/// R76: the same for guests' cookies.
#[tokio::test]
async fn guests_have_the_same_rules() {
    for site in sites() {
        let dead = site.client.guest().await;
        site.client.mark("logout", &[(GUEST, &dead)]).await;
        let (one, two) = (site.client.guest().await, site.client.guest().await);
        for both in orders(&dead, &one) {
            let read = site.client.get("/get?k=k", &named(GUEST, &both)).await;
            assert_eq!(read.body, "planted");
        }
        site.events.take();
        let both = named(GUEST, &[&one, &two]);
        assert_eq!(site.client.get("/get?k=k", &both).await.body, "");
        assert_eq!(site.events.take(), [EventKind::DuplicateTokens]);
        assert!(site.client.mark("put:k:v", &both).await.sets_nothing());
        let login = site.client.mark("login:alice", &both).await;
        assert_eq!(login.cookie(GUEST).as_deref(), Some(""));
        let session = login.cookie(SESSION).unwrap();
        for guest in [&one, &two] {
            assert_eq!(
                site.client.get("/get?k=k", &[(GUEST, guest)]).await.body,
                ""
            );
        }
        // Guests beside a logged-in session end with it.
        let (one, two) = (site.client.guest().await, site.client.guest().await);
        let all = [(SESSION, &*session), (GUEST, &*one), (GUEST, &*two)];
        assert_eq!(site.client.whoami(&all).await, "alice@1");
        let logout = site.client.mark("logout", &all).await;
        assert_eq!(logout.cookie(GUEST).as_deref(), Some(""));
        for guest in [&one, &two] {
            assert_eq!(
                site.client.get("/get?k=k", &[(GUEST, guest)]).await.body,
                ""
            );
        }
    }
}

/// R52: a dead session's token does not hide a live guest's.
#[tokio::test]
async fn dead_sessions_hide_no_guest() {
    for site in sites() {
        let guest = site.client.guest().await;
        let [old, new] = site.replaced("logout,login:alice").await;
        site.mark("logout", &[&new]).await;
        let all = [(SESSION, &*old), (SESSION, &*new), (GUEST, &*guest)];
        assert_eq!(site.client.get("/get?k=k", &all).await.body, "planted");
    }
}

/// R52: from the ninth on none is looked up; a logout ends the eight.
#[tokio::test]
async fn the_ninth_token_is_not_looked_up() {
    for site in sites() {
        let mut tokens = Vec::new();
        for _ in 0..9 {
            tokens.push(site.client.login("alice").await);
        }
        let all: Vec<_> = tokens.iter().map(String::as_str).collect();
        site.events.take();
        assert_eq!(site.whoami(&all).await, "nobody");
        assert_eq!(
            site.events.take(),
            [EventKind::TooManyTokens, EventKind::DuplicateTokens]
        );
        let answer = site.mark("logout", &all).await;
        assert_eq!(answer.cookie(SESSION).as_deref(), Some(""));
        for token in &all[..8] {
            assert_eq!(site.whoami(&[token]).await, "nobody");
        }
        assert_eq!(site.whoami(&[all[8]]).await, "alice@1");
    }
}

/// R72, R76: a request causes at most sixteen loads, of which each asks for another session, and forged tokens
/// cause none.
#[tokio::test]
async fn a_request_causes_at_most_sixteen_loads() {
    let store = FaultyStore::new(MemoryStore::new());
    let layer = SessionLayer::new(keys()).with_store(store.clone());
    let site = site(layer.into_any());
    let mut cookies = Vec::new();
    for _ in 0..12 {
        let guest = site.client.guest().await;
        cookies.push((GUEST, guest));
        let token = site.client.login("alice").await;
        site.mark("logout", &[&token]).await;
        cookies.push((SESSION, token));
    }
    for _ in 0..500 {
        cookies.push((SESSION, "forged".to_owned()));
    }
    let load = "load".parse().unwrap();
    let cookies: Vec<_> = cookies
        .iter()
        .map(|(name, token)| (*name, &**token))
        .collect();
    let before = store.calls(load);
    site.client.whoami(&cookies).await;
    assert_eq!(store.calls(load) - before, 16);
    let before = store.calls(load);
    site.client.mark("logout", &cookies).await;
    assert_eq!(store.calls(load) - before, 16);
    // Several tokens of one session are one load.
    let [old, new] = site.replaced("elevate").await;
    let before = store.calls(load);
    assert_eq!(site.whoami(&[&old, &new]).await, "alice@2");
    assert_eq!(store.calls(load) - before, 1);
}

/// R71: a store that fails for one of several tokens fails the request.
#[tokio::test]
async fn a_store_that_fails_for_one_of_several_fails_the_request() {
    for after in 0..2 {
        let store = FaultyStore::new(MemoryStore::new());
        let layer = SessionLayer::new(keys()).with_store(store.clone());
        let site = site(layer.into_any());
        let [old, new] = site.replaced("login:alice").await;
        store.fail("load".parse().unwrap(), 1, after);
        let answer = site
            .client
            .get("/whoami", &named(SESSION, &[&old, &new]))
            .await;
        assert_eq!(answer.status, 503);
        assert!(answer.sets_nothing());
        assert_eq!(site.whoami(&[&old, &new]).await, "alice@1");
    }
}

/// R63, R76: the session that a stricter policy ended does not count as alive beside another.
#[tokio::test]
async fn an_expired_session_beside_a_live_one_changes_nothing() {
    for site in both_modes().map(|layer| {
        let idle = SessionPolicy::aal2()
            .idle(Duration::from_secs(600))
            .unwrap();
        site(layer.with_policy(idle))
    }) {
        let old = site.client.login("alice").await;
        site.clock.advance(Duration::from_secs(700));
        let new = site.client.login("bob").await;
        for both in orders(&old, &new) {
            assert_eq!(site.whoami(&both).await, "bob@1");
        }
        site.events.take();
        let logout = site.mark("logout", &[&old, &new]).await;
        assert_eq!(logout.cookie(SESSION).as_deref(), Some(""));
        assert_eq!(site.whoami(&[&old, &new]).await, "nobody");
    }
}

/// R76: the cookie of a federated login under way has the same rule: what is over does not count.
#[test]
fn a_transaction_that_is_over_beside_one_under_way_changes_nothing() {
    let cookie = TransactionCookie::<String>::new(&keys(), "oidc").unwrap();
    let clock = clock();
    let old = cookie
        .begin(&"old".to_owned(), common::now(&clock))
        .unwrap();
    clock.advance(Duration::from_secs(700));
    let new = cookie
        .begin(&"new".to_owned(), common::now(&clock))
        .unwrap();
    let pair = |value: &HeaderValue| {
        value
            .to_str()
            .unwrap()
            .split(';')
            .next()
            .unwrap()
            .to_owned()
    };
    for both in orders(&pair(&old), &pair(&new)) {
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, both.join("; ").parse().unwrap());
        let read = cookie.read(&headers, common::now(&clock));
        assert_eq!(read.as_deref(), Some("new"));
    }
}
