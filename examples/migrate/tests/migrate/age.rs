//! The new login is as old as the old one.

use std::time::Duration;

use migrate::from_axum_login::both::Adopt;

use crate::{browser::Browser, site::Site};

const CHANGE: &str = "password=another";

#[tokio::test]
async fn a_fresh_old_login_is_a_fresh_proof() {
    for site in Site::each() {
        let mut alice = Browser::logged_in(&site.before, "/login").await;
        let answer = alice.post(&site.both, "/password", CHANGE).await;
        assert_eq!(
            (answer.status, &*answer.location),
            (303, "/"),
            "{}",
            site.name
        );
        assert!(alice.home(&site.both).await.is_some());
    }
}

/// R19: a guard that asks for a proof of late does not take the move for one.
#[tokio::test]
async fn an_old_login_of_long_ago_is_not_a_fresh_proof() {
    for site in Site::each() {
        let mut alice = Browser::logged_in(&site.before, "/login").await;
        site.clock.advance(Duration::from_secs(700));
        let answer = alice.post(&site.both, "/password", CHANGE).await;
        assert!(answer.asks_for_login(), "{}", site.name);
        // Logged in all the same.
        assert!(alice.home(&site.both).await.is_some());
        alice.log_in(&site.both, "/login").await;
        let answer = alice.post(&site.both, "/password", CHANGE).await;
        assert_eq!(
            (answer.status, &*answer.location),
            (303, "/"),
            "{}",
            site.name
        );
    }
}

#[tokio::test]
async fn an_old_login_of_unknown_age_is_not_a_fresh_proof() {
    let site = Site::from_axum_login(Adopt::All);
    let mut alice = Browser::logged_in(&site.long_before, "/login").await;
    let answer = alice.post(&site.both, "/password", CHANGE).await;
    assert!(answer.asks_for_login());
    assert!(alice.home(&site.both).await.is_some());
}
