//! Several sessions of one account: how many there may be, and what ends the others.

use super::super::browser::{Browser, Snapshot};
use super::super::catalogue::Id;
use super::super::recorder::{Note, Recorder};
use super::super::scene::Scene;
use super::super::script::{Account, Flow};
use super::super::{AuditError, chance};

pub(super) const FAMILY: &[Id] = &[Id::SessionLimit, Id::OthersNotEnded, Id::PasswordChange];

pub(super) async fn run(scene: &Scene, recorder: &mut Recorder<'_>) -> Result<(), AuditError> {
    match scene.plan.session_limit {
        Some(limit) => self::limit(scene, recorder, limit).await?,
        None => recorder.not_judged(Id::SessionLimit, "no limit of sessions was announced"),
    }
    match &scene.plan.end_others {
        Some(flow) => end_others(scene, recorder, flow).await?,
        None => recorder.not_judged(
            Id::OthersNotEnded,
            "how to end the other sessions was not described",
        ),
    }
    match &scene.plan.change_password {
        Some(flow) => change_password(scene, recorder, flow).await?,
        None => recorder.not_judged(
            Id::PasswordChange,
            "no change of the password was described",
        ),
    }
    for id in FAMILY {
        recorder.passed(*id);
    }
    Ok(())
}

/// More logins than announced, each in a browser; then all are asked.
async fn limit(scene: &Scene, recorder: &mut Recorder<'_>, limit: usize) -> Result<(), AuditError> {
    let mut browsers: Vec<Snapshot> = Vec::new();
    for _ in 0..=limit {
        let browser = scene.fresh();
        // A limit may be kept by refusing the login that goes beyond it.
        if scene.try_login(&browser, 0).await? {
            browsers.push(browser.snapshot());
        }
    }
    let mut alive = 0;
    for browser in &browsers {
        alive += usize::from(scene.reaches(browser, 0).await?);
    }
    if alive > limit {
        let sent = format!("{} logins, each in a browser", limit + 1);
        let seen = format!("{alive} sessions are alive at once; {limit} were announced");
        recorder.found(Id::SessionLimit, Note::confirmed(seen).sent(sent));
    }
    Ok(())
}

const ENDED_BY_LOGIN: &str = "a second login ends the first by itself";

/// Two sessions of the first account, where a second login leaves the first alone.
async fn two_at_once(scene: &Scene) -> Result<Option<(Snapshot, Browser)>, AuditError> {
    let first = scene.user(0).await?.snapshot();
    let second = scene.user(0).await?;
    let both = scene.reaches(&first, 0).await?;
    Ok(both.then_some((first, second)))
}

async fn end_others(
    scene: &Scene,
    recorder: &mut Recorder<'_>,
    flow: &Flow,
) -> Result<(), AuditError> {
    let Some((other, user)) = two_at_once(scene).await? else {
        recorder.not_judged(Id::OthersNotEnded, ENDED_BY_LOGIN);
        return Ok(());
    };
    let trail = match scene.perform(flow, &user).await? {
        Ok(trail) => trail,
        Err(reason) => {
            recorder.not_judged(Id::OthersNotEnded, reason);
            return Ok(());
        }
    };
    if let Some(reason) = scene.did_nothing(flow, &user, &trail).await? {
        recorder.not_judged(Id::OthersNotEnded, reason);
    } else if scene.reaches(&other, 0).await? {
        let sent = "logged in with two browsers, and ended the other sessions from the second";
        let note = Note::confirmed("the first is still logged in").sent(sent);
        recorder.found(Id::OthersNotEnded, note);
    }
    Ok(())
}

async fn change_password(
    scene: &Scene,
    recorder: &mut Recorder<'_>,
    flow: &Flow,
) -> Result<(), AuditError> {
    let Some((other, user)) = two_at_once(scene).await? else {
        recorder.not_judged(Id::PasswordChange, ENDED_BY_LOGIN);
        return Ok(());
    };
    let account = scene.plan.accounts[0].clone();
    // Letters of both cases, digits and a sign: what policies ask for.
    let fresh = format!("Fa1-{:032x}", u128::from_ne_bytes(chance::bytes()));
    scene.world.secrets.learn(fresh.as_bytes());
    user.remember("new_password", fresh.clone());
    if let Err(reason) = scene.perform(flow, &user).await? {
        recorder.not_judged(Id::PasswordChange, reason);
    }
    let changed = Account {
        password: fresh,
        ..account.clone()
    };
    // Whether it happened is for the login to say, and not for the answer.
    let logs_in = scene.logs_in(&changed).await;
    if matches!(logs_in, Ok(false)) {
        let reason = "the change did not happen: the new password does not log in";
        recorder.not_judged(Id::PasswordChange, reason);
        return Ok(());
    }
    let alive = scene.reaches(&other, 0).await;
    // Whatever went wrong since: the account gets its password back first.
    back(scene, flow, &changed, &account).await?;
    logs_in?;
    if alive? {
        let sent = "logged in with two browsers, and changed the password from the second";
        let note = Note::confirmed("the first is still logged in").sent(sent);
        recorder.found(Id::PasswordChange, note);
    }
    Ok(())
}

/// Changes the password back. Whatever keeps that from working, the user has to know what is left.
async fn back(
    scene: &Scene,
    flow: &Flow,
    changed: &Account,
    account: &Account,
) -> Result<(), AuditError> {
    let why = match try_back(scene, flow, changed, account).await {
        Ok(true) => return Ok(()),
        Ok(false) => "the old password does not log in".to_owned(),
        Err(error) => error.to_string(),
    };
    Err(AuditError::Config(format!(
        "the audit changed the first account's password and could not change it back ({why}): \
         set it anew before the next audit"
    )))
}

async fn try_back(
    scene: &Scene,
    flow: &Flow,
    changed: &Account,
    account: &Account,
) -> Result<bool, AuditError> {
    let user = scene.fresh();
    scene.login.run(&user, changed).await?;
    user.remember("new_password", account.password.clone());
    flow.run(&user, changed).await?;
    scene.logs_in(account).await
}
