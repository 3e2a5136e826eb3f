//! JSON Web Tokens: is the signature looked at, and does the token end?

use super::super::AuditError;
use super::super::catalogue::{Id, Severity};
use super::super::recorder::{Note, Recorder};
use super::super::scene::{Identifier, Scene};
use super::super::shape::Jwt;

pub(super) const FAMILY: &[Id] = &[Id::UnverifiedToken, Id::TokenLifetime];

/// The longest that NIST SP 800-63B lets a session last at the lowest level, 30 days.
const LONGEST: f64 = 30.0 * 86_400.0;

pub(super) async fn run(scene: &Scene, recorder: &mut Recorder<'_>) -> Result<(), AuditError> {
    let user = scene.user(0).await?.snapshot();
    let mut tokens = 0;
    for id in scene.identifiers(&user) {
        let token = String::from_utf8_lossy(&id.value).into_owned();
        let Some(jwt) = Jwt::parse(&token) else {
            continue;
        };
        tokens += 1;
        for (what, forged) in jwt.forgeries(&token) {
            let mut attacker = user.clone();
            if attacker.variables.contains_key(&id.name) {
                attacker.variables.insert(id.name.clone(), forged);
            } else {
                attacker
                    .jar
                    .plant(&scene.place, id.name.as_bytes(), forged.as_bytes());
            }
            if scene.reaches(&attacker, 0).await? {
                let sent = format!("the claims of {} with {what}", scene.show(&id));
                recorder.found(
                    Id::UnverifiedToken,
                    Note::confirmed("the account was reached").sent(sent),
                );
            }
        }
        lifetime(recorder, &id, &jwt);
    }
    for check in FAMILY {
        if tokens == 0 {
            recorder.not_judged(*check, "no identifier is a JSON Web Token");
        }
        recorder.passed(*check);
    }
    Ok(())
}

fn lifetime(recorder: &mut Recorder<'_>, id: &Identifier, jwt: &Jwt) {
    let alg = jwt.header["alg"].as_str().unwrap_or("none").to_owned();
    let of = |claim: &str| jwt.payload.get(claim).and_then(serde_json::Value::as_f64);
    let sent = format!("read {}, alg {alg}", id.name);
    match (of("exp"), of("iat")) {
        (None, _) => {
            recorder.found(
                Id::TokenLifetime,
                Note::observed("it has no exp: it never ends").sent(sent),
            );
        }
        (Some(_), None) => {
            let note = Note::observed("it has no iat: when it was issued cannot be told");
            recorder.found_as(Id::TokenLifetime, Severity::Low, note.sent(sent));
        }
        (Some(exp), Some(iat)) if exp - iat > LONGEST => {
            let seen = format!("it is good for {:.0} days", (exp - iat) / 86_400.0);
            recorder.found_as(
                Id::TokenLifetime,
                Severity::Low,
                Note::observed(seen).sent(sent),
            );
        }
        _ => {}
    }
}
