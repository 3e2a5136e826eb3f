//! Self-contained sessions: where a browser must send the token along, and what it has instead.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use crate::{BOUND, IDP, REGISTER, SEALED, SESSION, registrations::form, stage::Stage};

/// D01, D07, D10.
#[tokio::test]
async fn a_self_contained_session_is_bound_from_its_login_to_its_logout() {
    let name = "a_self_contained_session_is_bound_from_its_login_to_its_logout";
    let Some(mut stage) = Stage::begin_at(name, SEALED).await else {
        return;
    };
    stage.page().await;
    stage
        .browser
        .run(&form("/login?user=alice&next=/whoami"))
        .await;
    let first = stage.arrives("/whoami").await;
    assert!(first.starts_with("alice@1"), "{first}");
    stage.registers(1).await;
    assert_eq!(stage.whoami().await, "alice@1 bound");
    stage.bound_cookie_expires().await;
    let three = "const ask = () => fetch('/whoami').then(answer => answer.text());
        return Promise.all([ask(), ask(), ask()])";
    let who = stage.browser.run(three).await;
    assert_eq!(who, serde_json::json!(["alice@1 bound"; 3].to_vec()));
    assert_eq!(stage.refreshes(), [200]);
    stage.fetch("POST", "/elevate").await;
    stage.bound_cookie_expires().await;
    assert_eq!(stage.whoami().await, "alice@2 bound");
    assert_eq!(stage.refreshes(), [200, 200]);
    stage.fetch("POST", "/logout").await;
    assert_eq!(stage.whoami().await, "nobody");
    assert_eq!(stage.refreshes(), [200, 200, 401]);
    stage.end().await;
}

/// D02: the registration that comes without a cookie is refused, and the first page of the application's own offers again.
#[tokio::test]
async fn after_a_login_at_another_sites_provider_a_page_binds_the_session() {
    let name = "after_a_login_at_another_sites_provider_a_page_binds_the_session";
    let Some(mut stage) = Stage::begin_at(name, SEALED).await else {
        return;
    };
    stage.browser.open(&format!("https://{SEALED}/sso")).await;
    assert_eq!(stage.follow_link("/whoami").await, "alice@1");
    stage
        .until("it registers", |stage| !stage.answered(REGISTER).is_empty())
        .await;
    let refused = &stage.answered(REGISTER)[0];
    assert!(
        refused.status == 400 && refused.cookies.is_empty(),
        "{refused:?}"
    );
    assert_eq!(stage.whoami().await, "alice@1");
    stage.registers(2).await;
    assert_eq!(stage.whoami().await, "alice@1 bound");
    stage.end().await;
}

/// D11: the page comes with the token that the binding has replaced.
#[tokio::test]
async fn a_page_with_the_token_before_finds_its_user() {
    let name = "a_page_with_the_token_before_finds_its_user";
    let Some(mut stage) = Stage::begin_at(name, SEALED).await else {
        return;
    };
    stage.page().await;
    let holds = stage.controls.holds.clone();
    for path in [REGISTER, "/crossing"] {
        holds.hold(path);
    }
    stage
        .browser
        .run(&form("/login?user=alice&next=/crossing"))
        .await;
    let both = |_: &Stage| {
        [REGISTER, "/crossing"]
            .iter()
            .all(|path| holds.waiting(path) == 1)
    };
    stage.until("both have left", both).await;
    // The registration's answer is lost as well, and the browser sends it again with the token before.
    stage.controls.loses.store(1, Relaxed);
    holds.release(REGISTER);
    stage
        .until("it registers", |stage| stage.answered(REGISTER).len() == 2)
        .await;
    holds.release("/crossing");
    assert_eq!(stage.arrives("/crossing").await, "alice@1");
    stage.registers(2).await;
    assert!(stage.answered(REGISTER).iter().all(|one| one.status == 200));
    assert_eq!(stage.whoami().await, "alice@1 bound");
    stage.end().await;
}

/// D11: what a link from another site leads to does not wait for a refresh, and the next page does.
#[tokio::test]
async fn after_a_link_from_another_site_the_next_page_finds_its_user() {
    let name = "after_a_link_from_another_site_the_next_page_finds_its_user";
    let Some(mut stage) = Stage::begin_at(name, SEALED).await else {
        return;
    };
    stage.bound().await;
    stage.bound_cookie_expires().await;
    stage
        .browser
        .open(&format!("https://{IDP}/?to={SEALED}"))
        .await;
    assert_eq!(stage.follow_link("/whoami").await, "nobody");
    assert!(stage.refreshes().is_empty());
    assert_eq!(stage.whoami().await, "alice@1 bound");
    assert_eq!(stage.refreshes(), [200]);
    stage.end().await;
}

/// D11, A50.
#[tokio::test]
async fn a_stolen_token_is_worthless_without_its_bound_cookie() {
    let name = "a_stolen_token_is_worthless_without_its_bound_cookie";
    let Some(mut stage) = Stage::begin_at(name, SEALED).await else {
        return;
    };
    stage.page().await;
    let before = stage.controls.holds.clone();
    before.hold(REGISTER);
    stage.fetch("POST", "/login?user=alice").await;
    stage
        .until("it registers", |_| before.waiting(REGISTER) == 1)
        .await;
    let unbound = stage.browser.cookies().await;
    before.release(REGISTER);
    stage.registers(1).await;
    let stolen = stage.browser.cookies().await;
    assert_eq!(stage.replay(&stolen).await, "alice@1 bound");
    // The token from before the binding too, and the bound one alone.
    let token = |jar: &[(String, String)]| {
        let token = jar.iter().filter(|(name, _)| name == SESSION);
        token.cloned().collect::<Vec<_>>()
    };
    let tokens = [token(&unbound), token(&stolen)];
    assert_ne!(tokens[0], tokens[1]);
    stage.controls.clock.advance(Duration::from_secs(60));
    for token in &tokens {
        assert_eq!(stage.replay(token).await, "nobody");
    }
    stage.controls.clock.advance(Duration::from_secs(540));
    assert_eq!(stage.replay(&stolen).await, "nobody");
    stage.browser.delete_cookie(BOUND).await;
    assert_eq!(stage.whoami().await, "alice@1 bound");
    assert_eq!(stage.replay(&stolen).await, "nobody");
    stage.end().await;
}
