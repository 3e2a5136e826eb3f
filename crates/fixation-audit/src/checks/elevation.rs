//! Does an elevation change the identifier, and end the old one?

use super::super::AuditError;
use super::super::catalogue::{Id, Severity};
use super::super::recorder::{Note, Recorder};
use super::super::scene::{Scene, last_word};

pub(super) const FAMILY: &[Id] = &[Id::IdKeptAtElevation, Id::OldIdAliveAfterElevation];

pub(super) async fn run(scene: &Scene, recorder: &mut Recorder<'_>) -> Result<(), AuditError> {
    let Some(elevate) = &scene.plan.elevate else {
        for id in FAMILY {
            recorder.not_judged(*id, "no elevation was described");
        }
        return Ok(());
    };
    let user = scene.user(0).await?;
    let before = user.snapshot();
    let probe = scene.plan.elevated.as_ref();
    let already = match probe {
        Some(probe) => user.who(probe).await?.is_some(),
        None => false,
    };
    let performed = if already {
        Err("the user is elevated from the login on".to_owned())
    } else {
        scene.perform(elevate, &user).await?
    };
    let done = performed.is_ok();
    let shown = match probe {
        Some(probe) if done => user.who(probe).await?.is_some(),
        _ => done,
    };
    if !shown {
        for id in FAMILY {
            let reason = match &performed {
                Err(reason) if already => reason.clone(),
                Err(reason) => format!("the elevation failed: {reason}"),
                Ok(trail) => format!(
                    "the elevation failed: {} and the user is not elevated",
                    last_word(trail)
                ),
            };
            recorder.not_judged(*id, reason);
        }
        return Ok(());
    }
    let after = user.snapshot();
    let kept = scene.kept(&before, &after);
    let all_kept = !kept.is_empty() && kept.len() == scene.identifiers(&after).len();
    if probe.is_none() && all_kept {
        for id in FAMILY {
            let reason = "the identifier stays, and nothing shows that the elevation worked: describe how to see it";
            recorder.not_judged(*id, reason);
        }
        return Ok(());
    }
    let elevated = match probe {
        Some(probe) => scene.from(&before).who(probe).await?.is_some(),
        None => false,
    };
    let alive = scene.reaches(&before, 0).await?;
    let sent = "logged in, copied the cookies, elevated; then used the copy";
    if all_kept {
        let seen = format!("unchanged: {}", scene.show_all(&kept));
        if elevated {
            let seen = format!("{seen}; the copy is elevated");
            recorder.found(Id::IdKeptAtElevation, Note::confirmed(seen).sent(sent));
        } else {
            recorder.found_as(
                Id::IdKeptAtElevation,
                Severity::Medium,
                Note::observed(seen).sent(sent),
            );
        }
    } else if elevated {
        let note = Note::confirmed("the cookie's value changed; the copy is elevated all the same");
        recorder.found(Id::OldIdAliveAfterElevation, note.sent(sent));
    } else if alive {
        let note = Note::confirmed("the copy is still logged in, at the earlier level");
        recorder.found_as(
            Id::OldIdAliveAfterElevation,
            Severity::Medium,
            note.sent(sent),
        );
    }
    for id in FAMILY {
        recorder.passed(*id);
    }
    Ok(())
}
