//! Is an identifier adopted that the server never made?

use super::super::browser::Snapshot;
use super::super::catalogue::{Id, Severity};
use super::super::recorder::{Note, Recorder};
use super::super::scene::Scene;
use super::super::{AuditError, shape};
use super::{carry, login};

pub(super) const FAMILY: &[Id] = &[Id::ChosenId];

pub(super) async fn run(scene: &Scene, recorder: &mut Recorder<'_>) -> Result<(), AuditError> {
    let mut models = models(scene).await?;
    if models.is_empty() {
        recorder.not_judged(Id::ChosenId, "the session does not ride on a cookie");
        return Ok(());
    }
    let plain = models
        .iter()
        .map(|(name, _)| (name.clone(), b"fixation-audit-4711".to_vec()))
        .collect();
    for (_, value) in &mut models {
        *value = shape::imitate(value);
    }
    for made_up in [models, plain] {
        let mut attacker = Snapshot::default();
        for (name, value) in &made_up {
            attacker.jar.plant(&scene.place, name, value);
        }
        let names: Vec<_> = made_up
            .iter()
            .map(|(name, _)| String::from_utf8_lossy(name))
            .collect();
        let sent = format!(
            "made-up values for {}, put into a victim's browser",
            names.join(", ")
        );
        let victim = scene.from(&attacker);
        if scene.try_login(&victim, 0).await? && scene.reaches(&attacker, 0).await? {
            let seen = "the maker of the values is logged in as the victim";
            if login::is_fixed_from_elsewhere(scene, &attacker).await? {
                recorder.found(Id::ChosenId, Note::confirmed(seen).sent(sent));
            } else {
                let note = Note::confirmed(format!("{seen}; {}", login::ALIKE)).sent(sent);
                recorder.found_as(Id::ChosenId, Severity::Medium, note);
            }
            return Ok(());
        }
        if carry::guest_data_crosses(scene, &attacker).await? {
            let seen = "two browsers with the made-up values share one guest's data";
            recorder.found_as(
                Id::ChosenId,
                Severity::Medium,
                Note::confirmed(seen).sent(sent),
            );
            return Ok(());
        }
    }
    recorder.passed(Id::ChosenId);
    Ok(())
}

/// Names and genuine values, before the login and after it, to imitate.
pub(super) async fn models(scene: &Scene) -> Result<Vec<(Vec<u8>, Vec<u8>)>, AuditError> {
    let browser = scene.visitor().await?;
    let guest = browser.snapshot();
    scene.must_login(&browser, 0).await?;
    let user = browser.snapshot();
    let mut models: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    for cookie in user.jar.matching(&scene.place) {
        if scene.cookies.contains(&cookie.name) {
            models.push((cookie.name.clone(), cookie.value.clone()));
        }
    }
    for cookie in guest.jar.matching(&scene.place) {
        if !models.iter().any(|(name, _)| *name == cookie.name) {
            models.push((cookie.name.clone(), cookie.value.clone()));
        }
    }
    Ok(models)
}
