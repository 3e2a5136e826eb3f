//! Requests that another origin makes the victim's browser send.

use super::{SWAPPED, evil};
use crate::{
    site::{STRANGER, Target},
    stage::{Outcome, Stage},
};

/// A page of another site submits the login form with the attacker's credentials.
pub async fn login_by_a_cross_site_form(stage: &mut Stage, target: Target) -> Outcome {
    let login = stage.url(target.host, "/login?user=mallory");
    let submit = format!(
        "const form = document.createElement('form');
        form.method = 'post';
        form.action = '{login}';
        document.body.append(form);
        form.submit()"
    );
    stage.leave(STRANGER, &submit).await;
    logged_in_by(stage, target, "cross-site").await
}

/// A page of a sibling host does the same silently.
pub async fn login_by_a_siblings_fetch(stage: &mut Stage, target: Target) -> Outcome {
    let login = stage.url(target.host, "/login?user=mallory");
    let send = format!(
        "await fetch('{login}', {{ method: 'POST', mode: 'no-cors', credentials: 'include' }})"
    );
    stage.script(&evil(target), &send).await;
    logged_in_by(stage, target, "same-site").await
}

async fn logged_in_by(stage: &mut Stage, target: Target, from: &str) -> Outcome {
    let login = stage.last(target, "/login");
    assert_eq!(login.from, from);
    let seen = stage.whoami(target).await;
    assert!(["nobody", "mallory@1"].contains(&&*seen.who), "{seen:?}");
    Outcome {
        arrived: format!("answered {}", login.status.as_u16()),
        harm: (seen.who != "nobody").then_some(SWAPPED),
    }
}
