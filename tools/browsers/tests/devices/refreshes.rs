//! How a bound session goes on when its bound cookie has expired.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use tower_session_guard::testing::StoreOperation;

use crate::{APP, BOUND, IDP, REFRESH, stage::Stage};

/// D07, D09: requests of a page wait for the refresh, and it takes one trip.
#[tokio::test]
async fn three_requests_at_once_wait_for_one_refresh() {
    let Some(mut stage) = Stage::begin("three_requests_at_once_wait_for_one_refresh").await else {
        return;
    };
    stage.bound().await;
    let before = stage.answered("/whoami").len();
    stage.bound_cookie_expires().await;
    let three = "const ask = () => fetch('/whoami').then(answer => answer.text());
        return Promise.all([ask(), ask(), ask()])";
    let who = stage.browser.run(three).await;
    assert_eq!(who, serde_json::json!(["alice@1 bound"; 3].to_vec()));
    assert_eq!(stage.refreshes(), [200]);
    let refresh = &stage.answered(REFRESH)[0];
    assert!(
        refresh.is_proved,
        "the registration's answer had a challenge"
    );
    assert_eq!(refresh.sets, [BOUND]);
    for asked in &stage.answered("/whoami")[before..] {
        asked.came_bound(true);
    }
    stage.end().await;
}

/// D11: the refresh for a link of another site comes without any cookie.
#[tokio::test]
async fn a_link_from_another_site_finds_its_user_after_the_expiry() {
    let Some(mut stage) =
        Stage::begin("a_link_from_another_site_finds_its_user_after_the_expiry").await
    else {
        return;
    };
    stage.bound().await;
    stage.bound_cookie_expires().await;
    stage
        .browser
        .open(&format!("https://{IDP}/?to={APP}"))
        .await;
    assert_eq!(stage.follow_link("/whoami").await, "alice@1 bound");
    let refresh = stage.answered(REFRESH).pop().unwrap();
    assert_eq!(refresh.status, 200);
    assert!(refresh.cookies.is_empty(), "{refresh:?}");
    let page = stage.answered("/whoami").pop().unwrap();
    assert_eq!(page.from, "cross-site");
    page.came_bound(true);
    stage.end().await;
}

/// D10: while the store fails, a refresh is 503, and the browser keeps its session.
#[tokio::test]
async fn a_refresh_that_the_store_failed_succeeds_the_next_time() {
    let Some(mut stage) =
        Stage::begin("a_refresh_that_the_store_failed_succeeds_the_next_time").await
    else {
        return;
    };
    stage.bound().await;
    stage.bound_cookie_expires().await;
    for operation in [StoreOperation::Load, StoreOperation::Replace] {
        stage.controls.store.fail(operation, 1, 0);
        assert_eq!(stage.whoami().await, "nobody");
    }
    assert_eq!(stage.refreshes(), [503, 503]);
    let anonymous = stage.answered("/whoami").pop().unwrap();
    anonymous.came_bound(false);
    assert!(anonymous.challenges && anonymous.sets.is_empty());
    assert_eq!(stage.whoami().await, "alice@1 bound");
    assert_eq!(stage.refreshes(), [503, 503, 200]);
    stage.end().await;
}

/// D05: the browser sends the same proof again, which is counted once.
#[tokio::test]
async fn a_refresh_whose_answer_was_lost_is_answered_again() {
    let name = "a_refresh_whose_answer_was_lost_is_answered_again";
    let Some(mut stage) = Stage::begin(name).await else {
        return;
    };
    stage.bound().await;
    stage.bound_cookie_expires().await;
    stage.controls.loses.store(1, Relaxed);
    assert_eq!(stage.whoami().await, "alice@1 bound");
    assert_eq!(stage.refreshes(), [200, 200]);
    stage.end().await;
}

/// D05, D06: after more than 20 minutes, the refusal brings the next challenge.
#[tokio::test]
async fn a_browser_whose_challenge_is_too_old_answers_a_new_one() {
    let Some(mut stage) =
        Stage::begin("a_browser_whose_challenge_is_too_old_answers_a_new_one").await
    else {
        return;
    };
    stage.bound().await;
    stage.bound_cookie_expires().await;
    stage.controls.clock.advance(Duration::from_secs(660));
    assert_eq!(stage.whoami().await, "alice@1 bound");
    assert_eq!(stage.refreshes(), [403, 200]);
    stage.end().await;
}

/// The redirect takes the bound cookie away, and the browser has it renewed before it follows, with the body of a POST.
#[tokio::test]
async fn a_route_that_demands_a_fresh_proof_has_it_on_the_way() {
    let name = "a_route_that_demands_a_fresh_proof_has_it_on_the_way";
    let Some(mut stage) = Stage::begin(name).await else {
        return;
    };
    stage.bound().await;
    assert_eq!(stage.fetch("GET", "/lately").await, "welcome");
    let post = "return fetch('/lately', {method: 'POST', body: '5 to bob'}).then(a => a.text())";
    for _ in 0..2 {
        stage.controls.clock.advance(Duration::from_secs(121));
        assert_eq!(stage.browser.run(post).await, "5 to bob");
    }
    stage.controls.clock.advance(Duration::from_secs(121));
    stage.browser.open(&format!("https://{APP}/lately")).await;
    assert_eq!(stage.arrives("/lately").await, "welcome");
    let statuses: Vec<_> = stage
        .answered("/lately")
        .iter()
        .map(|seen| seen.status)
        .collect();
    assert_eq!(statuses, [200, 307, 200, 307, 200, 307, 200]);
    assert_eq!(stage.refreshes(), [200, 200, 200]);
    stage.end().await;
}
