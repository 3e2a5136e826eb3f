//! Responses that arrive late, and requests that end late.

use super::super::browser::{Exchange, Snapshot};
use super::super::catalogue::Id;
use super::super::recorder::{Note, Recorder};
use super::super::scene::{Scene, allowed};
use super::super::script::{Flow, Step};
use super::super::{AuditError, Browser};

pub(super) const FAMILY: &[Id] = &[Id::LateResponse, Id::SessionBack];

/// How many requests are sent at once where no slow one was described.
const AT_ONCE: usize = 6;

pub(super) async fn run(scene: &Scene, recorder: &mut Recorder<'_>) -> Result<(), AuditError> {
    before_the_login(scene, recorder).await?;
    let Some(logout) = &scene.plan.logout else {
        recorder.not_judged(Id::SessionBack, "no logout was described");
        return Ok(());
    };
    if recorder.is_found(Id::OldIdAliveAfterLogout) || recorder.is_found(Id::TokenAliveAfterLogout)
    {
        recorder.not_judged(
            Id::SessionBack,
            "the session does not end at the logout to begin with",
        );
        return Ok(());
    }
    let mut tried = after_the_logout(scene, recorder, logout).await?;
    if tried.is_ok() {
        tried = under_way(scene, recorder, logout).await?;
    }
    match tried {
        Ok(()) => recorder.passed(Id::SessionBack),
        Err(reason) => recorder.not_judged(Id::SessionBack, reason),
    }
    Ok(())
}

async fn hold(browser: &Browser, steps: &[Step]) -> Result<Vec<Exchange>, AuditError> {
    let mut held = Vec::new();
    for step in steps {
        match browser.hold(step).await {
            Ok(exchanges) => held.extend(exchanges),
            Err(error) => {
                allowed::<()>(Err(error))?;
            }
        }
    }
    Ok(held)
}

/// Responses composed for a visitor reach the browser after it has logged in.
async fn before_the_login(scene: &Scene, recorder: &mut Recorder<'_>) -> Result<(), AuditError> {
    for first_visit in [true, false] {
        let browser = if first_visit {
            scene.fresh()
        } else {
            scene.visitor().await?
        };
        let held = hold(&browser, &scene.pages()).await?;
        scene.must_login(&browser, 0).await?;
        let usual = scene.identifiers(&browser.snapshot()).len();
        for exchange in &held {
            browser.take(exchange);
        }
        // An answer that removes the cookie ends the login in this browser, and fixes nothing.
        let holds_one = scene.identifiers(&browser.snapshot()).len() == usual;
        if holds_one && !scene.shows(browser.who(&scene.probe).await?.as_deref(), 0) {
            let sent = "called up pages as a guest, logged in, and only then let the pages' answers arrive";
            let seen = "the browser is not logged in any more; it holds the guest's cookie again";
            recorder.found(Id::LateResponse, Note::confirmed(seen).sent(sent));
            return Ok(());
        }
    }
    recorder.passed(Id::LateResponse);
    Ok(())
}

/// Responses composed for the user reach the browser after the logout. Says why there was none.
async fn after_the_logout(
    scene: &Scene,
    recorder: &mut Recorder<'_>,
    logout: &Flow,
) -> Result<Result<(), String>, AuditError> {
    let user = scene.user(0).await?;
    let held = hold(&user, &scene.pages()).await?;
    if let Err(reason) = scene.log_out(logout, &user).await? {
        return Ok(Err(reason));
    }
    for exchange in &held {
        user.take(exchange);
    }
    if scene.shows(user.who(&scene.probe).await?.as_deref(), 0) {
        let sent =
            "called up pages as a user, logged out, and only then let the pages' answers arrive";
        recorder.found(
            Id::SessionBack,
            Note::confirmed("the browser is logged in again").sent(sent),
        );
    }
    Ok(Ok(()))
}

/// Requests that are under way during the logout and may save the session afterwards.
async fn under_way(
    scene: &Scene,
    recorder: &mut Recorder<'_>,
    logout: &Flow,
) -> Result<Result<(), String>, AuditError> {
    let user = scene.user(0).await?;
    let before = user.snapshot();
    let steps = busy_steps(scene);
    user.remember("marker", "fixation-audit");
    let running: Vec<_> = steps
        .into_iter()
        .map(|step| {
            let user = user.clone();
            tokio::spawn(async move { user.hold(&step).await })
        })
        .collect();
    scene.world.transport.settle().await;
    let left = scene.log_out(logout, &user).await?;
    for task in running {
        if let Ok(Ok(exchanges)) = task.await {
            exchanges.iter().for_each(|exchange| user.take(exchange));
        }
    }
    if let Err(reason) = left {
        return Ok(Err(reason));
    }
    let late: Snapshot = user.snapshot();
    if scene.reaches(&before, 0).await? || scene.reaches(&late, 0).await? {
        let sent =
            "logged out while other requests of the user were under way, and waited for them";
        recorder.found(
            Id::SessionBack,
            Note::confirmed("the account is reached again").sent(sent),
        );
    }
    Ok(Ok(()))
}

fn busy_steps(scene: &Scene) -> Vec<Step> {
    if let Some(slow) = &scene.plan.slow {
        return vec![slow.clone()];
    }
    let put = scene.plan.data.iter().map(|(put, _)| put.clone());
    let mut steps: Vec<_> = put.chain(scene.pages()).collect();
    steps = steps.iter().cycle().take(AT_ONCE).cloned().collect();
    steps
}
