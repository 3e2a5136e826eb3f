//! What only waiting shows: the announced idle limit, and the end that a token names.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::super::AuditError;
use super::super::catalogue::Id;
use super::super::recorder::{Note, Recorder};
use super::super::scene::Scene;
use super::super::shape::Jwt;

pub(super) const FAMILY: &[Id] = &[Id::IdleLimit, Id::TokenExpIgnored];

/// Clocks differ, and expiry is often looked for in steps.
const SLACK: Duration = Duration::from_secs(2);

pub(super) async fn run(scene: &Scene, recorder: &mut Recorder<'_>) -> Result<(), AuditError> {
    let user = scene.user(0).await?.snapshot();
    let started = SystemTime::now();
    let wait = scene.plan.wait;
    let idle = match scene.plan.idle_limit {
        None => {
            recorder.not_judged(Id::IdleLimit, "no idle limit was announced");
            None
        }
        Some(limit) if limit + SLACK > wait => {
            let reason = format!("needs a wait of {} s", (limit + SLACK).as_secs_f64().ceil());
            recorder.not_judged(Id::IdleLimit, reason);
            None
        }
        Some(limit) => Some(limit + SLACK),
    };
    let exp = match ends_in(scene, &user) {
        None => {
            let reason = "no identifier is a JSON Web Token with exp";
            recorder.not_judged(Id::TokenExpIgnored, reason);
            None
        }
        Some(left) if left + SLACK > wait => {
            let reason = format!("needs a wait of {} s", (left + SLACK).as_secs_f64().ceil());
            recorder.not_judged(Id::TokenExpIgnored, reason);
            None
        }
        Some(left) => Some(left + SLACK),
    };
    // One wait serves both: nothing is asked in between.
    let mut due: Vec<_> = idle
        .map(|after| (after, Id::IdleLimit))
        .into_iter()
        .chain(exp.map(|after| (after, Id::TokenExpIgnored)))
        .collect();
    due.sort_by_key(|(after, _)| *after);
    for (after, id) in due {
        let left = after.saturating_sub(started.elapsed().unwrap_or_default());
        recorder.progress(&format!("what expires: waiting {} s", left.as_secs()));
        pause(left).await;
        if scene.reaches(&user, 0).await? {
            let sent = format!(
                "logged in, waited {} s, called up the account",
                after.as_secs()
            );
            let note = Note::confirmed("the account was reached").sent(sent);
            recorder.found(id, note);
        }
        recorder.passed(id);
    }
    Ok(())
}

/// How long the first JSON Web Token is still good for.
fn ends_in(scene: &Scene, user: &super::super::browser::Snapshot) -> Option<Duration> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let ids = scene.identifiers(user);
    let exp = ids
        .iter()
        .find_map(|id| Jwt::parse(&id.text())?.payload.get("exp")?.as_f64())?;
    Duration::try_from_secs_f64(exp)
        .ok()
        .map(|exp| exp.saturating_sub(now))
}

/// Sleeps without a timer of the runtime, which a test may have paused or not enabled.
async fn pause(time: Duration) {
    let slept = tokio::task::spawn_blocking(move || std::thread::sleep(time));
    // The thread cannot fail; should the runtime end, there is nobody left to wait.
    let _ = slept.await;
}
