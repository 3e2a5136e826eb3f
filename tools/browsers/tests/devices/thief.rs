//! What a stolen jar of cookies is worth.

use std::time::Duration;

use crate::{BOUND, SESSION, stage::Stage};

/// D11, A50: whoever has every cookie and not the key is the user for as long as a bound cookie lives.
#[tokio::test]
async fn a_stolen_jar_is_worthless_when_its_bound_cookie_ends() {
    let Some(mut stage) =
        Stage::begin("a_stolen_jar_is_worthless_when_its_bound_cookie_ends").await
    else {
        return;
    };
    stage.bound().await;
    let stolen = stage.browser.cookies().await;
    let names: Vec<_> = stolen.iter().map(|(name, _)| &**name).collect();
    assert!(
        names.contains(&SESSION) && names.contains(&BOUND),
        "{names:?}"
    );
    assert_eq!(stage.replay(&stolen).await, "alice@1 bound");
    let token: Vec<_> = stolen
        .iter()
        .filter(|(name, _)| name == SESSION)
        .cloned()
        .collect();

    stage.controls.clock.advance(Duration::from_secs(60));
    assert_eq!(stage.replay(&token).await, "nobody");
    assert_eq!(stage.replay(&stolen).await, "alice@1 bound");
    stage.controls.clock.advance(Duration::from_secs(540));
    assert_eq!(stage.replay(&stolen).await, "nobody");
    // The user's own browser renews its cookie, which gives the thief nothing.
    stage.browser.delete_cookie(BOUND).await;
    assert_eq!(stage.whoami().await, "alice@1 bound");
    assert_eq!(stage.replay(&stolen).await, "nobody");
    stage.end().await;
}
