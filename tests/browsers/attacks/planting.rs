//! Cookies that somebody else puts into the victim's browser.

use crate::{
    site::Target,
    stage::{Outcome, Stage},
};

fn has(cookie: &[u8], value: &str) -> bool {
    cookie
        .windows(value.len())
        .any(|window| window == value.as_bytes())
}

/// A01: a sibling host sets the visitor's cookie for the whole domain; then the victim logs in.
pub async fn sibling_domain_cookie(stage: &mut Stage, target: Target) -> Outcome {
    let planted = stage.visitors_token(target).await;
    let domain = format!("Domain={}; Path=/; Secure", target.host);
    let cookies = [target.guest, target.session].map(|name| {
        [
            format!("{name}={planted}; {domain}").into_bytes(),
            format!("{name}={planted}; {domain}; HttpOnly").into_bytes(),
        ]
    });
    let evil = format!("evil.{}", target.host);
    stage.set(&evil, cookies.as_flattened()).await;
    let login = stage.post(target, "/login?user=alice").await;
    assert_eq!(login.who, "alice@1");
    fixated(stage, target, &planted, has(&login.cookie, &planted)).await
}

/// Whether the attacker is the victim now, by the token that they planted.
async fn fixated(stage: &mut Stage, target: Target, planted: &str, arrived: bool) -> Outcome {
    let mut harm = None;
    for name in [target.guest, target.session] {
        let cookie = format!("{name}={planted}");
        if stage.replay(target, cookie.as_bytes()).await != "nobody" {
            harm = Some("the attacker is the victim");
        }
    }
    Outcome::planted(arrived, harm)
}
