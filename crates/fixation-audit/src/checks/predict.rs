//! How identifiers are chosen: a sample of logins, counters and the randomness that is left.

use super::super::AuditError;
use super::super::browser::Snapshot;
use super::super::catalogue::{Id, Severity};
use super::super::entropy::{self, Pattern};
use super::super::recorder::{Note, Recorder};
use super::super::scene::{Identifier, Scene};
use super::super::shape;

pub(super) const FAMILY: &[Id] = &[Id::LowEntropy, Id::Predictable];

/// NIST SP 800-63B asks for 64 bits at least; below that the estimate is beyond doubt too.
const LEAST_BITS: f64 = 64.0;

/// No signature that protects anything fits into fewer characters.
const SHORTEST_SIGNED: usize = 20;

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
    let mut drawn = Vec::new();
    for at in 0..usual {
        let values: Vec<String> = sample
            .iter()
            .filter_map(|ids| ids.get(at))
            .map(Identifier::text)
            .collect();
        let id = &sample[0][at];
        if values
            .iter()
            .any(|value| shape::self_contained(value).is_some())
            || is_computed(scene, id, &values).await?
        {
            let reason = "the session is self-contained; a signature protects it, and not chance";
            for id in FAMILY {
                recorder.not_judged(*id, reason);
            }
            return Ok(());
        }
        drawn.push((id.name.clone(), values));
    }
    judge(scene, recorder, &drawn).await?;
    for id in FAMILY {
        recorder.passed(*id);
    }
    Ok(())
}

/// Whether logins share values that the application verifies: they are computed from data and signed.
async fn is_computed(
    scene: &Scene,
    id: &Identifier,
    values: &[String],
) -> Result<bool, AuditError> {
    if entropy::pattern(values) != Some(Pattern::Repeats) {
        return Ok(false);
    }
    let user = scene.user(0).await?.snapshot();
    match scene.identifier(&user, &id.name) {
        // A number that names the user is no more guessable for being refused when changed.
        Some(own) if own.value.len() >= SHORTEST_SIGNED => scene.is_verified(&user, &own).await,
        _ => Ok(false),
    }
}

/// The values that are needed together count together: a user's number next to a random identifier is fine.
async fn judge(
    scene: &Scene,
    recorder: &mut Recorder<'_>,
    drawn: &[(String, Vec<String>)],
) -> Result<(), AuditError> {
    let count = drawn.first().map_or(0, |(_, values)| values.len());
    let sent = format!("{count} logins in a row");
    let names: Vec<_> = drawn.iter().map(|(name, _)| name.as_str()).collect();
    let names = names.join(" and ");
    let patterns: Vec<_> = drawn
        .iter()
        .map(|(_, values)| entropy::pattern(values))
        .collect();
    if patterns.iter().all(Option::is_some) {
        let patterns: Vec<_> = patterns.into_iter().flatten().collect();
        let described: Vec<_> = patterns.iter().map(Pattern::describe).collect();
        let seen = format!("{names} {}", described.join(" and "));
        let hit = guessed(scene, drawn, &patterns).await?;
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
    let bits: f64 = drawn.iter().map(|(_, values)| entropy::bits(values)).sum();
    if bits < LEAST_BITS {
        let shared: usize = drawn
            .iter()
            .map(|(_, values)| entropy::shared_prefix(values))
            .sum();
        let seen = format!(
            "{names} varies by about {bits:.0} bits; {shared} characters at the start never change"
        );
        recorder.found(Id::LowEntropy, Note::observed(seen).sent(sent));
    }
    Ok(())
}

/// Whether computed values are the session of the user who logs in next.
async fn guessed(
    scene: &Scene,
    drawn: &[(String, Vec<String>)],
    patterns: &[Pattern],
) -> Result<bool, AuditError> {
    scene.user(0).await?;
    let next: Vec<Vec<String>> = drawn
        .iter()
        .zip(patterns)
        .map(|((_, values), pattern)| pattern.next_values(values))
        .collect();
    let tries = next.iter().map(Vec::len).max().unwrap_or(0);
    if next.iter().any(Vec::is_empty) {
        return Ok(false);
    }
    for at in 0..tries {
        let mut attacker = Snapshot::default();
        for ((name, _), values) in drawn.iter().zip(&next) {
            let value = &values[at.min(values.len() - 1)];
            attacker = scene.with_value(&attacker, name, value);
        }
        if scene.reaches(&attacker, 0).await? {
            return Ok(true);
        }
    }
    Ok(false)
}
