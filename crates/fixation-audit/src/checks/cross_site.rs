//! Requests that another site makes a browser send: a login under the attacker's account, and a logout.

use super::super::AuditError;
use super::super::catalogue::Id;
use super::super::recorder::{Note, Recorder};
use super::super::scene::{Scene, allowed, last_word};
use super::super::script::Flow;

pub(super) const FAMILY: &[Id] = &[Id::LoginCsrf, Id::LogoutCsrf];

pub(super) async fn run(scene: &Scene, recorder: &mut Recorder<'_>) -> Result<(), AuditError> {
    if scene.cookies.is_empty() {
        for id in FAMILY {
            recorder.not_judged(*id, "a browser sends a bearer token for no other site");
        }
        return Ok(());
    }
    login(scene, recorder).await?;
    match &scene.plan.logout {
        Some(logout) => self::logout(scene, recorder, logout).await?,
        None => recorder.not_judged(Id::LogoutCsrf, "no logout was described"),
    }
    for id in FAMILY {
        recorder.passed(*id);
    }
    Ok(())
}

/// The attacker prepares a login form with an own, valid token; the victim's browser submits it.
async fn login(scene: &Scene, recorder: &mut Recorder<'_>) -> Result<(), AuditError> {
    let Some((last, before)) = scene.login.steps().split_last() else {
        recorder.not_judged(Id::LoginCsrf, "the login is a closure");
        return Ok(());
    };
    let attacker = scene.visitor().await?;
    let victim = scene.visitor().await?;
    attacker.act_as(&scene.plan.accounts[0]);
    for step in before {
        if !allowed(attacker.send(step).await)? {
            recorder.not_judged(Id::LoginCsrf, "the login's first steps fail");
            return Ok(());
        }
    }
    let mut mixed = victim.snapshot();
    mixed.variables = attacker.snapshot().variables;
    let victim = scene.from(&mixed);
    allowed(victim.send_from_other_site(last).await)?;
    if scene.shows(victim.who(&scene.probe).await?.as_deref(), 0) {
        let sent = format!(
            "{} from a page of another site, with the attacker's name, password and CSRF token",
            last.label()
        );
        let seen = "the victim's browser is logged in to the attacker's account";
        recorder.found(Id::LoginCsrf, Note::confirmed(seen).sent(sent));
    }
    Ok(())
}

async fn logout(
    scene: &Scene,
    recorder: &mut Recorder<'_>,
    logout: &Flow,
) -> Result<(), AuditError> {
    let Some((last, before)) = logout.steps().split_last() else {
        recorder.not_judged(Id::LogoutCsrf, "the logout is a closure");
        return Ok(());
    };
    // The control: the same from the application's own page logs out.
    if let Err(reason) = scene.log_out(logout, &scene.user(0).await?).await? {
        recorder.not_judged(Id::LogoutCsrf, reason);
        return Ok(());
    }
    let attacker = scene.user(scene.plan.accounts.len() - 1).await?;
    for step in before {
        if !allowed(attacker.send(step).await)? {
            recorder.not_judged(Id::LogoutCsrf, "the logout's first steps fail");
            return Ok(());
        }
    }
    let victim = scene.user(0).await?;
    let mut mixed = victim.snapshot();
    for pick in before.iter().flat_map(|step| &step.picks) {
        if let Some(value) = attacker.recall(&pick.name) {
            mixed.variables.insert(pick.name.clone(), value);
        }
    }
    let victim = scene.from(&mixed);
    let exchange = match victim.send_from_other_site(last).await {
        Ok(exchange) => exchange,
        Err(error) => {
            allowed::<()>(Err(error))?;
            return Ok(());
        }
    };
    if !scene.shows(victim.who(&scene.probe).await?.as_deref(), 0) {
        let sent = format!("{} from a page of another site", last.label());
        let seen = format!(
            "{}, and the victim is logged out",
            last_word(std::slice::from_ref(&exchange))
        );
        recorder.found(Id::LogoutCsrf, Note::confirmed(seen).sent(sent));
    }
    Ok(())
}
