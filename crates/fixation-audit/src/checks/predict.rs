//! How identifiers are chosen: a sample of logins, counters and the randomness that is left.

use super::super::AuditError;
use super::super::catalogue::{Id, Severity};
use super::super::entropy;
use super::super::recorder::{Note, Recorder};
use super::super::scene::{Identifier, Scene};
use super::super::shape;

pub(super) const FAMILY: &[Id] = &[Id::LowEntropy, Id::Predictable];

/// NIST SP 800-63B asks for 64 bits at least; below that the estimate is beyond doubt too.
const LEAST_BITS: f64 = 64.0;

pub(super) async fn run(scene: &Scene, recorder: &mut Recorder<'_>) -> Result<(), AuditError> {
    let mut sample: Vec<Vec<Identifier>> = Vec::new();
    for _ in 0..scene.plan.samples {
        let browser = scene.fresh();
        scene.login.run(&browser, &scene.plan.accounts[0]).await?;
        sample.push(scene.identifiers(&browser.snapshot()));
    }
    let usual = sample.first().map_or(0, Vec::len);
    if usual == 0 || sample.iter().any(|ids| ids.len() != usual) {
        let what =
            "not every login of the sample gave an identifier; is there a limit on their rate?";
        return Err(AuditError::LoginFailed(what.to_owned()));
    }
    let mut opaque = 0;
    for at in 0..usual {
        let values: Vec<String> = sample
            .iter()
            .filter_map(|ids| ids.get(at))
            .map(|id| String::from_utf8_lossy(&id.value).into_owned())
            .collect();
        if values.iter().any(|value| shape::is_self_contained(value)) {
            continue;
        }
        opaque += 1;
        judge(scene, recorder, &sample[0][at].name, &values).await?;
    }
    for id in FAMILY {
        if opaque == 0 {
            recorder.not_judged(
                *id,
                "no identifier is opaque; a signature, not chance, protects a self-contained token",
            );
        }
        recorder.passed(*id);
    }
    Ok(())
}

async fn judge(
    scene: &Scene,
    recorder: &mut Recorder<'_>,
    name: &str,
    values: &[String],
) -> Result<(), AuditError> {
    let sent = format!("{} logins in a row", values.len());
    if let Some(pattern) = entropy::pattern(values) {
        let hit = match pattern.next_values(values) {
            next if next.is_empty() => false,
            next => guessed(scene, name, &next).await?,
        };
        let seen = format!("{name} {}", pattern.describe());
        if hit {
            let seen = format!(
                "{seen}; the next value, computed beforehand, reached the next user's account"
            );
            recorder.found(Id::Predictable, Note::confirmed(seen).sent(sent.clone()));
        } else {
            recorder.found_as(
                Id::Predictable,
                Severity::Medium,
                Note::observed(seen).sent(sent.clone()),
            );
        }
    }
    let bits = entropy::bits(values);
    if bits < LEAST_BITS {
        let shared = entropy::shared_prefix(values);
        let seen = format!(
            "{name} varies by about {bits:.0} bits; {shared} characters at the start never change"
        );
        recorder.found(Id::LowEntropy, Note::observed(seen).sent(sent));
    }
    Ok(())
}

/// Whether one of the values is the session of the user who logs in next.
async fn guessed(scene: &Scene, name: &str, next: &[String]) -> Result<bool, AuditError> {
    scene.user(0).await?;
    for value in next {
        let mut attacker = super::super::browser::Snapshot::default();
        if scene.variables.iter().any(|variable| variable == name) {
            attacker.variables.insert(name.to_owned(), value.clone());
        } else {
            attacker
                .jar
                .plant(&scene.place, name.as_bytes(), value.as_bytes());
        }
        if scene.reaches(&attacker, 0).await? {
            return Ok(true);
        }
    }
    Ok(false)
}
