//! The attacks. Each plays the same against the careless twin and against ours.

pub mod forgery;
pub mod lifecycle;
pub mod names;
pub mod planting;
pub mod races;

use crate::{
    site::{Seen, Target},
    stage::{Outcome, Stage},
};

pub const FIXATED: &str = "the attacker is the victim";
const SWAPPED: &str = "the victim acts as the attacker";
const LOGGED_OUT: &str = "the victim is logged out";

/// Whether `value` is somewhere in the `Cookie` field.
fn has(cookie: &[u8], value: &str) -> bool {
    let mut windows = cookie.windows(value.len());
    windows.any(|window| window == value.as_bytes())
}

/// Whether a token that the attacker knows is somebody's.
async fn known(stage: &Stage, target: Target, token: &str) -> bool {
    for name in [target.guest, target.session] {
        let cookie = format!("{name}={token}");
        if stage.replay(target, cookie.as_bytes()).await != "nobody" {
            return true;
        }
    }
    false
}

/// After the victim's login: whether the attacker is the victim, by the token that they planted.
async fn fixated(stage: &mut Stage, target: Target, token: &str, login: &Seen) -> Outcome {
    assert_eq!(login.who, "alice@1");
    let harm = known(stage, target, token).await.then_some(FIXATED);
    // Nor is anything left of what the attacker put into their session.
    let data = stage.read(target).await;
    assert!(harm.is_some() || data.is_empty(), "{data:?}");
    Outcome::planted(has(&login.cookie, token), harm)
}

/// The two names that a token could be planted under.
fn names(target: Target) -> impl Iterator<Item = &'static str> {
    let second = (target.guest != target.session).then_some(target.guest);
    [target.session].into_iter().chain(second)
}

/// `token` under each name, with these attributes, for scripts and not.
fn planted(target: Target, token: &str, attributes: &str) -> Vec<Vec<u8>> {
    let cookies = names(target).flat_map(|name| {
        ["", "; HttpOnly"].map(|more| format!("{name}={token}; {attributes}{more}").into_bytes())
    });
    cookies.collect()
}

/// The sibling host.
fn evil(target: Target) -> String {
    format!("evil.{}", target.host)
}
