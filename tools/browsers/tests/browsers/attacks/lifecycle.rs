//! What a token that the attacker saw once is worth when its session goes on.

use super::{FIXATED, has, known};
use crate::{
    site::Target,
    stage::{Outcome, Stage},
};

/// The victim logs in again as the same user.
pub async fn token_known_before_the_next_login(stage: &mut Stage, target: Target) -> Outcome {
    known_before(stage, target, "/login?user=alice", "alice@1").await
}

/// The victim proves themselves at a higher level.
pub async fn token_known_before_the_elevation(stage: &mut Stage, target: Target) -> Outcome {
    known_before(stage, target, "/elevate", "alice@2").await
}

async fn known_before(stage: &mut Stage, target: Target, then: &str, who: &str) -> Outcome {
    let login = stage.post(target, "/login?user=alice").await;
    // Ours writes a cookie at every login, the careless one only to those who have none.
    let token = login.sets(target.session).unwrap();
    let seen = stage.post(target, then).await;
    assert_eq!(seen.who, who);
    assert!(has(&seen.cookie, &token));
    let seen = stage.whoami(target).await;
    assert_eq!(seen.who, who);
    Outcome {
        arrived: match has(&seen.cookie, &token) {
            true => "the token stays".to_owned(),
            false => "the token changes".to_owned(),
        },
        harm: known(stage, target, &token).await.then_some(FIXATED),
    }
}

/// Another user logs in at the same browser, without a logout in between.
pub async fn next_user_of_the_browser(stage: &mut Stage, target: Target) -> Outcome {
    let login = stage.post(target, "/login?user=alice").await;
    let token = login.sets(target.session).unwrap();
    stage.post(target, "/put?v=letter").await;
    let seen = stage.post(target, "/login?user=bob").await;
    assert_eq!(seen.who, "bob@1");
    let data = stage.read(target).await;
    let leaks = !data.is_empty() || known(stage, target, &token).await;
    Outcome {
        arrived: match &*data {
            "" => "finds no data".to_owned(),
            data => format!("finds the {data}"),
        },
        harm: leaks.then_some("the next user has the last one's data"),
    }
}
