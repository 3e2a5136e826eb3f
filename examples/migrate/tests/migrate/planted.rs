//! A session that an attacker planted before the user logged in under it.

use migrate::from_axum_login::both::Adopt;

use crate::{browser::Browser, site::Site};

/// A browser with the cookie that the attacker planted, of an anonymous session.
async fn with_planted(site: &Site) -> Browser {
    let mut attacker = Browser::default();
    attacker.post(&site.long_before, "/begin", "").await;
    assert!(attacker.old_cookie().is_some());
    attacker
}

/// A01: the login wrote the user's id into the session that was there.
#[tokio::test]
async fn a_planted_session_that_was_not_rotated_is_not_adopted() {
    let site = Site::from_tower_sessions();
    let mut attacker = with_planted(&site).await;
    let mut victim = attacker.clone();
    victim.log_in(&site.long_before, "/login").await;
    // The attack works under the old application.
    assert_eq!(
        attacker.home(&site.before).await.as_deref(),
        Some("alice, plain")
    );

    assert_eq!(attacker.home(&site.both).await, None);
    assert!(!attacker.has_new_cookie());
    // The victim logs in again.
    assert_eq!(victim.home(&site.both).await, None);
    victim.log_in(&site.both, "/login").await;
    assert!(victim.home(&site.both).await.is_some());
    for app in [&site.before, &site.both] {
        assert_eq!(attacker.home(app).await, None);
    }
}

/// A03: the note of the attacker's own login does not vouch for the victim's.
#[tokio::test]
async fn a_planted_login_of_another_user_is_not_adopted() {
    let [noted, plain] = Site::each();
    for site in [noted, plain, Site::from_axum_login(Adopt::All)] {
        let mut attacker = Browser::default();
        attacker
            .post(&site.before, "/login", "name=bob&password=demo")
            .await;
        let mut victim = attacker.clone();
        victim.log_in(&site.long_before, "/login").await;
        assert_eq!(attacker.home(&site.both).await, None, "{}", site.name);
        assert_eq!(victim.home(&site.both).await, None, "{}", site.name);
        assert_eq!(site.live_sessions().await, 0);
    }
}

/// A01: whether such a login rotated is not known.
#[tokio::test]
async fn a_login_without_a_note_logs_in_again() {
    for site in Site::each() {
        let mut alice = Browser::logged_in(&site.long_before, "/login").await;
        let old = alice.old_cookie().unwrap().to_owned();
        assert_eq!(alice.home(&site.both).await, None, "{}", site.name);
        assert!(!site.old_store_has(&old).await);
        alice.log_in(&site.both, "/login").await;
        assert!(alice.home(&site.both).await.is_some());
    }
}

/// A01: a login that rotated leaves the attacker with an id of no session.
#[tokio::test]
async fn a_planted_session_that_was_rotated_is_the_users_alone() {
    for site in Site::each() {
        let mut attacker = with_planted(&site).await;
        let mut victim = attacker.clone();
        victim.log_in(&site.before, "/login").await;
        assert_eq!(
            attacker.clone().home(&site.both).await,
            None,
            "{}",
            site.name
        );
        assert!(victim.home(&site.both).await.is_some(), "{}", site.name);
        assert_eq!(attacker.home(&site.both).await, None, "{}", site.name);
    }
}

/// A03: the same, where the session that was planted is one of the attacker's own login.
#[tokio::test]
async fn a_planted_login_that_was_rotated_is_the_users_alone() {
    for site in Site::each() {
        let mut attacker = Browser::default();
        attacker
            .post(&site.before, "/login", "name=bob&password=demo")
            .await;
        let mut victim = attacker.clone();
        victim.log_in(&site.before, "/login").await;
        assert_eq!(attacker.home(&site.both).await, None, "{}", site.name);
        assert_eq!(
            victim.home(&site.both).await.as_deref(),
            Some("alice, plain"),
            "{}",
            site.name
        );
    }
}

/// A01: axum-login gives an anonymous session a new id by itself.
#[tokio::test]
async fn a_login_of_axum_login_rotates_an_anonymous_session() {
    let site = Site::from_axum_login(Adopt::All);
    let mut attacker = with_planted(&site).await;
    let mut victim = attacker.clone();
    victim.log_in(&site.long_before, "/login").await;
    assert_eq!(attacker.home(&site.both).await, None);
    assert!(victim.home(&site.both).await.is_some());
}
