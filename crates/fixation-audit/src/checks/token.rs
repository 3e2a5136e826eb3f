//! JSON Web Tokens: is the signature looked at, and does the token end?

use std::time::{SystemTime, UNIX_EPOCH};

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
        let token = id.text();
        let Some(jwt) = Jwt::parse(&token) else {
            continue;
        };
        tokens += 1;
        for (what, forged) in jwt.forgeries(&token) {
            let attacker = scene.with_value(&user, &id.name, &forged);
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
    let Some(exp) = of("exp") else {
        let note = Note::observed("it has no exp: it never ends").sent(sent);
        recorder.found(Id::TokenLifetime, note);
        return;
    };
    // Fresh from the login: without iat, the clock tells when it was issued.
    let seconds = exp - of("iat").unwrap_or_else(unix_now);
    if seconds > LONGEST {
        let seen = format!("it is good for {:.0} days", seconds / 86_400.0);
        let note = Note::observed(seen).sent(sent);
        recorder.found_as(Id::TokenLifetime, Severity::Low, note);
    }
}

fn unix_now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64()
}
