//! A second login over a first: of the same user, and of another.

use super::super::AuditError;
use super::super::browser::{Exchange, Snapshot};
use super::super::catalogue::{Id, Severity};
use super::super::recorder::{Note, Recorder};
use super::super::scene::{Scene, allowed};
use super::super::script::Account;
use super::carry;

pub(super) const FAMILY: &[Id] = &[
    Id::IdKeptAtReauth,
    Id::OldIdAliveAfterReauth,
    Id::IdKeptAtSwitch,
    Id::OldIdAliveAfterSwitch,
    Id::DataSurvivesSwitch,
];

const SAME_USER: &[Id] = &[Id::IdKeptAtReauth, Id::OldIdAliveAfterReauth];
const OTHER_USER: &[Id] = &[
    Id::IdKeptAtSwitch,
    Id::OldIdAliveAfterSwitch,
    Id::DataSurvivesSwitch,
];

pub(super) async fn run(scene: &Scene, recorder: &mut Recorder<'_>) -> Result<(), AuditError> {
    if scene.cookies.is_empty() {
        for id in FAMILY {
            recorder.not_judged(
                *id,
                "a login does not come with an earlier session: it rides on no cookie",
            );
        }
        return Ok(());
    }
    same_user(scene, recorder).await?;
    if scene.tells_apart() {
        return other_user(scene, recorder).await;
    }
    for id in OTHER_USER {
        recorder.not_judged(
            *id,
            "needs a second account that the probe tells from the first",
        );
    }
    Ok(())
}

async fn same_user(scene: &Scene, recorder: &mut Recorder<'_>) -> Result<(), AuditError> {
    let user = scene.user(0).await?;
    let before = user.snapshot();
    let elevated_before = is_elevated(scene, &before).await?;
    user.drain_trail();
    let sent_again = allowed(scene.login.run(&user, &scene.plan.accounts[0]).await)?;
    let trail = user.drain_trail();
    if !sent_again || !scene.shows(user.who(&scene.probe).await?.as_deref(), 0) {
        for id in SAME_USER {
            recorder.not_judged(*id, "the application refuses a second login");
        }
        return Ok(());
    }
    let kept = scene.kept(&before, &user.snapshot());
    if scene.reaches(&before, 0).await? {
        if was_ignored(scene, &before, &trail).await? {
            let reason = "the application ignores a login where somebody is logged in";
            for id in SAME_USER {
                recorder.not_judged(*id, reason);
            }
            return Ok(());
        }
        let sent = "logged in, copied the cookies, logged in again; then called up the account with the copy";
        let elevated = !elevated_before && is_elevated(scene, &before).await?;
        let ids = scene.identifiers(&before);
        // What is computed from the same data comes out the same: nothing stands for an identifier that could change.
        let computed = scene.self_contained(&ids).await?;
        if kept.len() == ids.len() && computed.is_none() {
            let kept = scene.show_all(&kept);
            let seen = format!("unchanged: {kept}; the copy is still logged in");
            let note = Note::confirmed(seen).sent(sent);
            // The copy was this user's before. It is worth more afterwards where a fresh login is a higher level.
            if elevated {
                recorder.found(Id::IdKeptAtReauth, note);
            } else {
                recorder.found_as(Id::IdKeptAtReauth, Severity::Low, note);
            }
        } else {
            let seen = match computed {
                Some(how) => format!("the copy is still logged in; {how}"),
                None => "the cookie's value changed; the copy is still logged in".to_owned(),
            };
            recorder.found(Id::OldIdAliveAfterReauth, Note::confirmed(seen).sent(sent));
        }
    }
    for id in SAME_USER {
        recorder.passed(*id);
    }
    Ok(())
}

async fn is_elevated(scene: &Scene, kept: &Snapshot) -> Result<bool, AuditError> {
    match &scene.plan.elevated {
        Some(probe) => Ok(scene.from(kept).who(probe).await?.is_some()),
        None => Ok(false),
    }
}

/// Whether a wrong password gets the same answer as the right one got: then no login happened, and nothing can be judged.
async fn was_ignored(
    scene: &Scene,
    before: &Snapshot,
    right: &[Exchange],
) -> Result<bool, AuditError> {
    let sets_cookie = |exchange: &Exchange| exchange.answer.set_cookies().next().is_some();
    if !uses_password(scene) || right.iter().any(sets_cookie) {
        return Ok(false);
    }
    let account = Account {
        password: "fixation-audit-wrong".to_owned(),
        ..scene.plan.accounts[0].clone()
    };
    let browser = scene.from(before);
    if !allowed(scene.login.run(&browser, &account).await)? {
        return Ok(false);
    }
    let wrong = browser.drain_trail();
    let alike = |(right, wrong): (&Exchange, &Exchange)| {
        right.answer.status() == wrong.answer.status() && right.answer.text() == wrong.answer.text()
    };
    Ok(right.len() == wrong.len() && right.iter().zip(&wrong).all(alike))
}

/// A login that sends no password (a test route, a closure) answers the same to any.
fn uses_password(scene: &Scene) -> bool {
    let uses = |text: &String| text.contains("{password}") || text.contains("{basic}");
    scene
        .login
        .steps()
        .iter()
        .any(|step| step.texts().iter().any(uses))
}

async fn other_user(scene: &Scene, recorder: &mut Recorder<'_>) -> Result<(), AuditError> {
    let browser = scene.user(0).await?;
    let marker = carry::put(scene, &browser).await?;
    let before = browser.snapshot();
    let stored = carry::shown(scene, &browser, &marker).await?;
    if !scene.try_login(&browser, 1).await? {
        for id in OTHER_USER {
            recorder.not_judged(
                *id,
                "the application does not log a second user in over the first",
            );
        }
        return Ok(());
    }
    let sent = "logged in, copied the cookies, logged in as the second user; then used the copy";
    if scene.reaches(&before, 1).await? {
        let kept = scene.kept(&before, &browser.snapshot());
        let seen = if kept.is_empty() {
            "the copy is logged in as the second user".to_owned()
        } else {
            format!(
                "unchanged: {}; the copy is logged in as the second user",
                scene.show_all(&kept)
            )
        };
        recorder.found(Id::IdKeptAtSwitch, Note::confirmed(seen).sent(sent));
    } else if scene.reaches(&before, 0).await? {
        let note = Note::confirmed("the copy is still logged in as the first user");
        recorder.found(Id::OldIdAliveAfterSwitch, note.sent(sent));
    }
    if scene.plan.data.is_none() {
        recorder.not_judged(Id::DataSurvivesSwitch, "no session data was described");
    } else if !stored {
        let reason = "the application shows the user no value that the user stored";
        recorder.not_judged(Id::DataSurvivesSwitch, reason);
    } else if carry::shown(scene, &browser, &marker).await? {
        let note = Note::confirmed("the first user's value is there for the second user");
        let sent =
            "the first user stored a value; the second logged in over the session and read it";
        recorder.found(Id::DataSurvivesSwitch, note.sent(sent));
    }
    for id in OTHER_USER {
        recorder.passed(*id);
    }
    Ok(())
}
