//! The life of a binding, as the browser tells it.

use crate::{REFRESH, REGISTER, record::Told, stage::Stage};

/// D01, D07, D10: one registration, one refresh, and one refusal, which ends it.
#[tokio::test]
async fn a_binding_lives_from_the_login_to_the_logout() {
    let name = "a_binding_lives_from_the_login_to_the_logout";
    let Some(mut stage) = Stage::begin(name).await else {
        return;
    };
    stage.bound().await;
    stage.bound_cookie_expires().await;
    assert_eq!(stage.whoami().await, "alice@1 bound");
    stage.fetch("POST", "/logout").await;
    assert_eq!(stage.whoami().await, "nobody");
    let told = stage.told().await.iter().filter_map(Told::outcome);
    let expected = [
        "creation Success",
        "refresh Refreshed",
        "refresh FatalError",
        "termination RefreshFatalError",
    ];
    assert_eq!(told.collect::<Vec<_>>(), expected);
    let statuses = [REGISTER, REFRESH].map(|path| {
        let answered = stage.answered(path);
        answered.iter().map(|seen| seen.status).collect::<Vec<_>>()
    });
    assert_eq!(statuses, [vec![200], vec![200, 401]]);
    stage.end().await;
}
