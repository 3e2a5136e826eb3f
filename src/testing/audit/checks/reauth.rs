//! A second login over a first: of the same user, and of another.

use super::super::AuditError;
use super::super::catalogue::Id;
use super::super::recorder::{Note, Recorder};
use super::super::scene::{Scene, allowed};
use super::super::script::Account;
use super::carry;

pub(super) const FAMILY: &[Id] = &[
    Id::IdKeptAtReauth,
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
    for id in &FAMILY[1..] {
        recorder.not_judged(
            *id,
            "needs a second account that the probe tells from the first",
        );
    }
    Ok(())
}

async fn same_user(scene: &Scene, recorder: &mut Recorder<'_>) -> Result<(), AuditError> {
    if ignores_logins(scene).await? {
        let reason = "the application ignores a login where somebody is logged in";
        recorder.not_judged(Id::IdKeptAtReauth, reason);
        return Ok(());
    }
    let user = scene.user(0).await?;
    let before = user.snapshot();
    if !scene.try_login(&user, 0).await? {
        recorder.not_judged(Id::IdKeptAtReauth, "the application refuses a second login");
        return Ok(());
    }
    let kept = scene.kept(&before, &user.snapshot());
    if scene.reaches(&before, 0).await? {
        let seen = if kept.is_empty() {
            "the cookie's value changed; the copy is still logged in".to_owned()
        } else {
            format!(
                "unchanged: {}; the copy is still logged in",
                scene.show_all(&kept)
            )
        };
        let sent = "logged in, copied the cookies, logged in again; then called up the account with the copy";
        recorder.found(Id::IdKeptAtReauth, Note::confirmed(seen).sent(sent));
    }
    recorder.passed(Id::IdKeptAtReauth);
    Ok(())
}

/// Whether a wrong password gets the same answer as the right one: then no login happened, and nothing can be judged.
async fn ignores_logins(scene: &Scene) -> Result<bool, AuditError> {
    if !uses_password(scene) {
        return Ok(false);
    }
    let Account {
        username, shown_as, ..
    } = scene.plan.accounts[0].clone();
    let wrong = Account {
        username,
        password: "fixation-audit-wrong".to_owned(),
        shown_as,
    };
    let (right_user, wrong_user) = (scene.user(0).await?, scene.user(0).await?);
    right_user.drain_trail();
    wrong_user.drain_trail();
    if !allowed(scene.login.run(&right_user, &scene.plan.accounts[0]).await)? {
        return Ok(false);
    }
    if !allowed(scene.login.run(&wrong_user, &wrong).await)? {
        return Ok(false);
    }
    let (right, wrong) = (right_user.drain_trail(), wrong_user.drain_trail());
    let set_nothing = !right
        .iter()
        .any(|exchange| exchange.answer.set_cookies().next().is_some());
    let same = right.len() == wrong.len()
        && right.iter().zip(&wrong).all(|(right, wrong)| {
            right.answer.status() == wrong.answer.status()
                && right.answer.text() == wrong.answer.text()
        });
    Ok(set_nothing && same)
}

/// A login that sends no password (a test route, a closure) answers the same to any.
fn uses_password(scene: &Scene) -> bool {
    use super::super::script::Body;
    scene.login.steps().iter().any(|step| {
        let in_pairs =
            |pairs: &[(String, String)]| pairs.iter().any(|(_, v)| v.contains("{password}"));
        in_pairs(&step.query)
            || in_pairs(&step.headers)
            || match &step.body {
                Body::Form(fields) => in_pairs(fields),
                Body::Json(json) => json.to_string().contains("{password}"),
                Body::Empty => false,
            }
    })
}

async fn other_user(scene: &Scene, recorder: &mut Recorder<'_>) -> Result<(), AuditError> {
    let browser = scene.user(0).await?;
    let marker = carry::put(scene, &browser).await?;
    let before = browser.snapshot();
    let stored = carry::shown(scene, &browser, &marker).await?;
    if !scene.try_login(&browser, 1).await? {
        for id in &FAMILY[1..] {
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
    } else if stored && carry::shown(scene, &browser, &marker).await? {
        let note = Note::confirmed("the first user's value is there for the second user");
        let sent =
            "the first user stored a value; the second logged in over the session and read it";
        recorder.found(Id::DataSurvivesSwitch, note.sent(sent));
    }
    for id in &FAMILY[1..] {
        recorder.passed(*id);
    }
    Ok(())
}
