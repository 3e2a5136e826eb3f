//! How a session is bound after its login.

use std::sync::atomic::Ordering::Relaxed;

use tower_session_guard::testing::StoreOperation;

use crate::{APP, BOUND, REGISTER, SESSION, stage::Stage};

/// D01, D02, D09: the answer to a login is a redirect as a rule.
#[tokio::test]
async fn a_login_that_redirects_binds_the_session() {
    let Some(mut stage) = Stage::begin("a_login_that_redirects_binds_the_session").await else {
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
    let login = &stage.answered("/login")[0];
    assert_eq!((login.status, login.offers), (303, true));
    // The page repeats the offer if it is asked for before the binding, and of two registrations one counts.
    let registrations = stage.answered(REGISTER);
    let good: Vec<_> = registrations
        .iter()
        .filter(|one| one.status == 200)
        .collect();
    assert_eq!(good.len(), 1, "{registrations:#?}");
    assert!(good[0].is_proved && good[0].challenges);
    assert_eq!(good[0].sets, [BOUND]);
    assert_eq!(stage.whoami().await, "alice@1 bound");
    assert_eq!(stage.fetch("GET", "/bound").await, "welcome");
    stage.answered("/bound")[0].came_bound(true);
    stage.end().await;
}

/// D02: the registration comes without any cookie then.
#[tokio::test]
async fn a_login_at_another_sites_provider_binds_the_session() {
    let Some(mut stage) = Stage::begin("a_login_at_another_sites_provider_binds_the_session").await
    else {
        return;
    };
    stage.browser.open(&format!("https://{APP}/sso")).await;
    let first = stage.follow_link("/whoami").await;
    assert!(first.starts_with("alice@1"), "{first}");
    stage.registers(1).await;
    let callback = &stage.answered("/callback")[0];
    assert_eq!((&*callback.from, callback.offers), ("cross-site", true));
    let registration = &stage.answered(REGISTER)[0];
    assert_eq!(registration.status, 200, "{:#?}", stage.seen());
    assert!(registration.cookies.is_empty(), "{registration:?}");
    assert_eq!(stage.whoami().await, "alice@1 bound");
    stage.end().await;
}

/// D11, D13: its request leaves before the binding and arrives after it.
#[tokio::test]
async fn a_page_that_crosses_with_the_binding_finds_its_user() {
    let Some(mut stage) = Stage::begin("a_page_that_crosses_with_the_binding_finds_its_user").await
    else {
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
    holds.release(REGISTER);
    stage
        .until("it registers", |stage| stage.answered(REGISTER).len() == 1)
        .await;
    holds.release("/crossing");
    assert_eq!(stage.arrives("/crossing").await, "alice@1");
    assert_eq!(stage.answered(REGISTER)[0].status, 200);
    let crossed = &stage.answered("/crossing")[0];
    crossed.came_bound(false);
    assert!(!crossed.offers);
    stage.registers(1).await;
    assert_eq!(stage.whoami().await, "alice@1 bound");
    stage.end().await;
}

/// D01: the browser tries an offer once.
#[tokio::test]
async fn a_registration_that_the_store_failed_is_offered_again() {
    let Some(mut stage) =
        Stage::begin("a_registration_that_the_store_failed_is_offered_again").await
    else {
        return;
    };
    stage.page().await;
    stage.controls.store.fail(StoreOperation::Load, 1, 0);
    stage.fetch("POST", "/login?user=alice").await;
    stage
        .until("it registers", |stage| !stage.answered(REGISTER).is_empty())
        .await;
    assert_eq!(stage.answered(REGISTER)[0].status, 503);
    assert!(!stage.has(BOUND).await && stage.has(SESSION).await);
    assert_eq!(stage.whoami().await, "alice@1");
    stage.registers(2).await;
    assert_eq!(stage.answered(REGISTER)[1].status, 200);
    assert_eq!(stage.whoami().await, "alice@1 bound");
    stage.end().await;
}

/// D02: the browser sends the same registration again.
#[tokio::test]
async fn a_registration_whose_answer_was_lost_binds_the_session() {
    let name = "a_registration_whose_answer_was_lost_binds_the_session";
    let Some(mut stage) = Stage::begin(name).await else {
        return;
    };
    stage.page().await;
    stage.controls.loses.store(1, Relaxed);
    stage.fetch("POST", "/login?user=alice").await;
    stage.registers(2).await;
    assert_eq!(stage.whoami().await, "alice@1 bound");
    stage.end().await;
}

/// A script that posts a form as a user does who presses its button. The driver does not wait for the page behind it.
pub fn form(action: &str) -> String {
    format!(
        "const form = document.createElement('form');
        form.method = 'post';
        form.action = '{action}';
        document.body.append(form);
        setTimeout(() => form.submit(), 50);"
    )
}
