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
    let tried = after_the_logout(scene, recorder, logout).await?
        && under_way(scene, recorder, logout).await?;
    if tried {
        recorder.passed(Id::SessionBack);
    } else {
        recorder.not_judged(Id::SessionBack, "the logout failed");
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
        for exchange in &held {
            browser.take(exchange);
        }
        if !scene.shows(browser.who(&scene.probe).await?.as_deref(), 0) {
            let sent = "called up pages as a guest, logged in, and only then let the pages' answers arrive";
            let seen = "the browser is not logged in any more; it holds the guest's cookie again";
            recorder.found(Id::LateResponse, Note::confirmed(seen).sent(sent));
            return Ok(());
        }
    }
    recorder.passed(Id::LateResponse);
    Ok(())
}

/// Responses composed for the user reach the browser after the logout. Says whether there was a logout.
async fn after_the_logout(
    scene: &Scene,
    recorder: &mut Recorder<'_>,
    logout: &Flow,
) -> Result<bool, AuditError> {
    let user = scene.user(0).await?;
    let held = hold(&user, &scene.pages()).await?;
    if scene.perform(logout, &user).await?.is_none() {
        return Ok(false);
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
    Ok(true)
}

/// Requests that are under way during the logout and may save the session afterwards.
async fn under_way(
    scene: &Scene,
    recorder: &mut Recorder<'_>,
    logout: &Flow,
) -> Result<bool, AuditError> {
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
    let left = scene.perform(logout, &user).await?.is_some();
    for task in running {
        if let Ok(Ok(exchanges)) = task.await {
            exchanges.iter().for_each(|exchange| user.take(exchange));
        }
    }
    if !left {
        return Ok(false);
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
    Ok(true)
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
