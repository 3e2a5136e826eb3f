//! Does what a browser held before the login work after it? In the same browser, and planted in another one.

use super::super::browser::{Agent, Snapshot};
use super::super::catalogue::{Id, Severity};
use super::super::recorder::{Note, Recorder};
use super::super::scene::Scene;
use super::super::{AuditError, shape};

pub(super) const FAMILY: &[Id] = &[
    Id::IdKeptAtLogin,
    Id::OldIdAliveAfterLogin,
    Id::PlantedCookie,
];

pub(super) async fn run(scene: &Scene, recorder: &mut Recorder<'_>) -> Result<(), AuditError> {
    let visitor = scene.visitor().await?.snapshot();
    if visitor.jar.matching(&scene.place).is_empty() {
        for id in FAMILY {
            recorder.not_judged(*id, "a visitor holds no cookie before the login");
        }
        return Ok(());
    }
    same_browser(scene, recorder).await?;
    planted(scene, recorder).await?;
    for id in FAMILY {
        recorder.passed(*id);
    }
    Ok(())
}

async fn same_browser(scene: &Scene, recorder: &mut Recorder<'_>) -> Result<(), AuditError> {
    let victim = scene.visitor().await?;
    let before = victim.snapshot();
    scene.must_login(&victim, 0).await?;
    let after = victim.snapshot();
    let kept = scene.kept(&before, &after);
    let sent = "visited as a guest, copied the cookies, logged in; then called up the account with the copy";
    if scene.reaches(&before, 0).await? {
        if kept.is_empty() {
            let note =
                Note::confirmed("the copy is logged in, although the cookie's value changed");
            recorder.found(Id::OldIdAliveAfterLogin, note.sent(sent));
        } else {
            let seen = format!(
                "unchanged: {}; the copy is logged in",
                scene.show_all(&kept)
            );
            recorder.found(Id::IdKeptAtLogin, Note::confirmed(seen).sent(sent));
        }
    } else if !kept.is_empty() {
        let seen = format!(
            "unchanged: {}; the copy is not logged in by itself, the login adds another cookie",
            scene.show_all(&kept)
        );
        recorder.found_as(
            Id::IdKeptAtLogin,
            Severity::Low,
            Note::observed(seen).sent(sent),
        );
    } else if scene.reaches(&promoted(scene, &before), 0).await? {
        let seen = "a guest's token under the session cookie's name is logged in";
        recorder.found(Id::OldIdAliveAfterLogin, Note::confirmed(seen).sent(sent));
    }
    Ok(())
}

/// The guest's values under the names that the session has after the login.
fn promoted(scene: &Scene, before: &Snapshot) -> Snapshot {
    let mut promoted = before.clone();
    let guest = before.jar.matching(&scene.place);
    // The longest value is the likeliest to be a token.
    if let Some(token) = guest.into_iter().max_by_key(|cookie| cookie.value.len()) {
        for name in &scene.cookies {
            promoted.jar.plant(&scene.place, name, &token.value);
        }
    }
    promoted
}

async fn planted(scene: &Scene, recorder: &mut Recorder<'_>) -> Result<(), AuditError> {
    let attacker = scene.visitor().await?.snapshot();
    let victim = scene.from(&attacker);
    if !scene.try_login(&victim, 0).await? {
        recorder.not_judged(
            Id::PlantedCookie,
            "a login over an attacker's cookies does not work",
        );
        return Ok(());
    }
    if !scene.reaches(&attacker, 0).await? {
        return Ok(());
    }
    let cookies = attacker.jar.matching(&scene.place);
    let signed = cookies
        .iter()
        .any(|cookie| shape::looks_signed(&String::from_utf8_lossy(&cookie.value)));
    let names: Vec<_> = cookies
        .iter()
        .map(|cookie| {
            let value = scene.world.secrets.show(&cookie.value);
            format!("{} = {value}", String::from_utf8_lossy(&cookie.name))
        })
        .collect();
    let seen = if signed && !adopts_changed(scene, &attacker).await? {
        "the attacker is logged in as the victim; the cookie is signed, a changed one is refused, and it is fixable all the same"
    } else {
        "the attacker is logged in as the victim"
    };
    let sent = format!(
        "an attacker's cookies from a visit ({}), put into a victim's browser that then logged in",
        names.join(", ")
    );
    if fixes_another_device(scene).await? {
        recorder.found(Id::PlantedCookie, Note::confirmed(seen).sent(sent));
    } else {
        let seen = format!("{seen}; {ALIKE}");
        recorder.found_as(
            Id::PlantedCookie,
            Severity::Medium,
            Note::confirmed(seen).sent(sent),
        );
    }
    Ok(())
}

/// What is said of an attack that works between browsers of the same name only.
pub(super) const ALIKE: &str =
    "it works only while both send the same User-Agent, which an attacker can copy";

/// Whether the same works with an attacker whose browser calls itself something else.
async fn fixes_another_device(scene: &Scene) -> Result<bool, AuditError> {
    let attacker = scene.from(&elsewhere(Snapshot::default()));
    scene.visit(&attacker).await?;
    let attacker = attacker.snapshot();
    is_fixed_from_elsewhere(scene, &attacker).await
}

/// Whether a victim who logs in over these cookies hands the login to an attacker with another browser.
pub(super) async fn is_fixed_from_elsewhere(
    scene: &Scene,
    attacker: &Snapshot,
) -> Result<bool, AuditError> {
    let agent = Agent::Usual;
    let victim = scene.from(&Snapshot {
        agent,
        ..attacker.clone()
    });
    Ok(scene.try_login(&victim, 0).await? && scene.reaches_from_elsewhere(attacker, 0).await?)
}

fn elsewhere(kept: Snapshot) -> Snapshot {
    let agent = Agent::Other;
    Snapshot { agent, ..kept }
}

/// Whether the same works with the signatures changed: then nobody checks them.
async fn adopts_changed(scene: &Scene, attacker: &Snapshot) -> Result<bool, AuditError> {
    let mut changed = attacker.clone();
    for cookie in attacker.jar.matching(&scene.place) {
        let value = shape::tampered(&String::from_utf8_lossy(&cookie.value));
        changed
            .jar
            .plant(&scene.place, &cookie.name, value.as_bytes());
    }
    let victim = scene.from(&changed);
    Ok(scene.try_login(&victim, 0).await? && scene.reaches(&changed, 0).await?)
}
