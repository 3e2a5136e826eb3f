//! What becomes of a binding when its session changes or ends.

use crate::{BOUND, REFRESH, REGISTER, SESSION, stage::Stage};

/// D10: the browser's own session outlives the cookies, and its next refresh ends it.
#[tokio::test]
async fn after_a_logout_the_refresh_is_refused() {
    let Some(mut stage) = Stage::begin("after_a_logout_the_refresh_is_refused").await else {
        return;
    };
    stage.bound().await;
    assert_eq!(stage.fetch("POST", "/logout").await, "bye");
    let logout = stage.answered("/logout").pop().unwrap();
    for removed in [SESSION, BOUND] {
        assert!(logout.sets.contains(&format!("-{removed}")), "{logout:?}");
        assert!(!stage.has(removed).await);
    }
    assert_eq!(stage.whoami().await, "nobody");
    assert_eq!(stage.refreshes(), [401]);
    let refused = stage.answered(REFRESH).pop().unwrap();
    assert!(
        refused.sets.is_empty() && !refused.challenges,
        "{refused:?}"
    );
    assert_eq!(stage.whoami().await, "nobody");
    assert_eq!(
        stage.refreshes(),
        [401],
        "the browser has given the binding up"
    );
    assert!(!stage.has(BOUND).await);
    stage.end().await;
}

#[tokio::test]
async fn an_elevation_keeps_the_binding() {
    let Some(mut stage) = Stage::begin("an_elevation_keeps_the_binding").await else {
        return;
    };
    stage.bound().await;
    let registrations = stage.answered(REGISTER).len();
    stage.fetch("POST", "/elevate").await;
    let elevation = stage.answered("/elevate").pop().unwrap();
    assert_eq!(elevation.sets, [SESSION]);
    assert!(!elevation.offers);
    assert_eq!(stage.whoami().await, "alice@2 bound");
    stage.bound_cookie_expires().await;
    assert_eq!(stage.whoami().await, "alice@2 bound");
    assert_eq!(stage.refreshes(), [200]);
    assert_eq!(stage.answered(REGISTER).len(), registrations);
    stage.end().await;
}

/// D02, D10: the session before has ended, and with it its binding.
#[tokio::test]
async fn another_users_login_begins_another_binding() {
    let Some(mut stage) = Stage::begin("another_users_login_begins_another_binding").await else {
        return;
    };
    stage.bound().await;
    stage.logs_in("bob").await;
    let login = stage.answered("/login").pop().unwrap();
    assert!(
        login.offers && login.sets.contains(&format!("-{BOUND}")),
        "{login:?}"
    );
    assert_eq!(stage.answered(REGISTER).pop().unwrap().status, 200);
    assert_eq!(stage.whoami().await, "bob@1 bound");
    stage.bound_cookie_expires().await;
    assert_eq!(stage.whoami().await, "bob@1 bound");
    let refreshes = stage.refreshes();
    assert_eq!(refreshes.last(), Some(&200), "{refreshes:?}");
    assert!(refreshes.contains(&401), "{refreshes:?}");
    stage.bound_cookie_expires().await;
    assert_eq!(stage.whoami().await, "bob@1 bound");
    assert_eq!(stage.refreshes()[refreshes.len()..], [200]);
    stage.end().await;
}

/// The session before lives on, since its token was gone at the login, as it is after a restart of the browser. Its binding
/// would renew a cookie that is of no use to the session that the browser has now.
#[tokio::test]
async fn beside_another_sessions_token_a_binding_renews_nothing() {
    let name = "beside_another_sessions_token_a_binding_renews_nothing";
    let Some(mut stage) = Stage::begin(name).await else {
        return;
    };
    stage.bound().await;
    for cookie in [SESSION, BOUND] {
        stage.browser.delete_cookie(cookie).await;
    }
    stage.logs_in("bob").await;
    assert_eq!(stage.whoami().await, "bob@1 bound");
    stage.bound_cookie_expires().await;
    assert_eq!(stage.whoami().await, "bob@1 bound");
    let refreshes = stage.answered(REFRESH);
    let refused: Vec<_> = refreshes.iter().filter(|one| one.status == 401).collect();
    assert_eq!(refused.len(), 1, "{refreshes:#?}");
    assert!(refused[0].came_with(SESSION) && refused[0].is_proved);
    assert_eq!(refreshes.last().unwrap().status, 200);
    stage.end().await;
}
