//! Who was logged in stays so, and the old login is over.

use std::sync::atomic::Ordering::SeqCst;

use migrate::from_axum_login::both::Adopt;
use tower_session_guard::testing::StoreOperation;

use crate::{browser::Browser, site::Site};

/// R19: the move logs nobody out.
#[tokio::test]
async fn an_old_login_becomes_a_new_one() {
    for site in Site::each() {
        let mut alice = Browser::logged_in(&site.before, "/login").await;
        alice.post(&site.before, "/theme", "theme=dark").await;
        assert_eq!(
            alice.home(&site.before).await.as_deref(),
            Some("alice, dark"),
            "{}",
            site.name
        );
        assert!(!alice.has_new_cookie());

        assert_eq!(
            alice.home(&site.both).await.as_deref(),
            Some("alice, dark"),
            "{}",
            site.name
        );
        assert!(alice.has_new_cookie() && alice.old_cookie().is_none());
        assert_eq!(alice.home(&site.both).await.as_deref(), Some("alice, dark"));
        // The old stack can go.
        assert_eq!(
            alice.home(&site.after).await.as_deref(),
            Some("alice, dark")
        );
        assert_eq!(site.live_sessions().await, 1);
    }
}

#[tokio::test]
async fn a_post_at_the_first_request_is_carried_out() {
    for site in Site::each() {
        let mut alice = Browser::logged_in(&site.before, "/login").await;
        let answer = alice.post(&site.both, "/theme", "theme=light").await;
        assert_eq!(
            (answer.status, &*answer.location),
            (303, "/"),
            "{}",
            site.name
        );
        assert_eq!(
            alice.home(&site.both).await.as_deref(),
            Some("alice, light")
        );
    }
}

/// The old cookie opens one session and no second one.
#[tokio::test]
async fn the_old_session_ends_with_the_move() {
    for site in Site::each() {
        let mut alice = Browser::logged_in(&site.before, "/login").await;
        let mut thief = alice.clone();
        let old = alice.old_cookie().unwrap().to_owned();
        assert!(site.old_store_has(&old).await);
        alice.home(&site.both).await.unwrap();
        assert!(!site.old_store_has(&old).await, "{}", site.name);
        for app in [&site.both, &site.before] {
            assert_eq!(thief.clone().home(app).await, None, "{}", site.name);
        }
        assert_eq!(thief.home(&site.after).await, None);
        assert_eq!(site.live_sessions().await, 1);
    }
}

#[tokio::test]
async fn an_anonymous_old_session_stays_and_logs_nobody_in() {
    for site in Site::each() {
        let mut guest = Browser::default();
        guest.post(&site.long_before, "/begin", "").await;
        assert_eq!(guest.home(&site.both).await, None);
        assert!(
            site.old_store_has(guest.old_cookie().unwrap()).await,
            "{}",
            site.name
        );
        assert!(!guest.has_new_cookie());
    }
}

/// An old session that comes back, by an old node or a second login there, does not survive the logout.
#[tokio::test]
async fn a_logout_ends_both() {
    for site in Site::each() {
        let mut alice = Browser::logged_in(&site.both, "/login").await;
        alice.log_in(&site.before, "/login").await;
        let (old, mut thief) = (alice.old_cookie().unwrap().to_owned(), alice.clone());
        assert_eq!(
            alice.home(&site.both).await.as_deref(),
            Some("alice, plain")
        );
        let answer = alice.post(&site.both, "/logout", "").await;
        assert!(answer.asks_for_login());
        assert!(!site.old_store_has(&old).await, "{}", site.name);
        for app in [&site.before, &site.both, &site.after] {
            assert_eq!(alice.home(app).await, None, "{}", site.name);
            assert_eq!(thief.home(app).await, None, "{}", site.name);
        }
        assert_eq!(site.live_sessions().await, 0);
    }
}

/// A node that runs the old stack alone does not know the new sessions.
#[tokio::test]
async fn going_back_asks_for_a_new_login() {
    for site in Site::each() {
        let mut alice = Browser::logged_in(&site.before, "/login").await;
        alice.home(&site.both).await.unwrap();
        assert_eq!(alice.home(&site.before).await, None, "{}", site.name);
        alice.log_in(&site.before, "/login").await;
        assert!(alice.home(&site.before).await.is_some());
        // The new session was not touched.
        assert!(alice.home(&site.after).await.is_some());
    }
}

/// Otherwise one old login would open two sessions.
#[tokio::test]
async fn an_old_session_that_cannot_be_ended_waits_for_the_next_request() {
    for site in Site::each() {
        let mut alice = Browser::logged_in(&site.before, "/login").await;
        site.faults.refuses_deletes.store(true, SeqCst);
        assert_eq!(alice.home(&site.both).await, None);
        assert_eq!(site.live_sessions().await, 0, "{}", site.name);
        site.faults.refuses_deletes.store(false, SeqCst);
        assert!(alice.home(&site.both).await.is_some(), "{}", site.name);
    }
}

/// axum-login compares the hash before the hook is asked.
#[tokio::test]
async fn an_old_login_of_another_password_is_over() {
    let site = Site::from_axum_login(Adopt::All);
    let mut alice = Browser::logged_in(&site.before, "/login").await;
    site.users.set_password(1, "another");
    assert_eq!(alice.home(&site.both).await, None);
}

/// The hook has ended the old session before the new store fails.
#[tokio::test]
async fn a_login_that_the_new_store_refuses_is_over() {
    for site in Site::each() {
        let mut alice = Browser::logged_in(&site.before, "/login").await;
        let old = alice.old_cookie().unwrap().to_owned();
        site.store.fail(StoreOperation::Create, 1, 0);
        assert_eq!(
            alice.get(&site.both, "/").await.status,
            503,
            "{}",
            site.name
        );
        assert!(!site.old_store_has(&old).await);
        assert_eq!(alice.home(&site.both).await, None, "{}", site.name);
    }
}
