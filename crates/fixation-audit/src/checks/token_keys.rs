//! JSON Web Tokens: can the key be guessed, brought along, or taken for another kind?

use serde_json::Value;

use super::super::browser::Snapshot;
use super::super::catalogue::Id;
use super::super::recorder::{Note, Recorder};
use super::super::scene::{Identifier, Scene};
use super::super::script::Step;
use super::super::shape::Jwt;
use super::super::{AuditError, forge};
use super::channel::ENDED;

pub(super) const FAMILY: &[Id] = &[
    Id::WeakTokenKey,
    Id::TokenKeyFromHeader,
    Id::TokenKeyConfused,
];

/// Where servers publish their public keys.
const KEY_SETS: &[&str] = &[
    "/.well-known/jwks.json",
    "/.well-known/openid-configuration",
    "/jwks.json",
    "/oauth/jwks",
    "/oauth2/jwks",
];

pub(super) async fn run(scene: &Scene, recorder: &mut Recorder<'_>) -> Result<(), AuditError> {
    let user = scene.user(0).await?.snapshot();
    let token = scene
        .identifiers(&user)
        .into_iter()
        .find_map(|id| Some((Jwt::parse(&id.text())?, id)));
    let Some((jwt, id)) = token else {
        for check in FAMILY {
            recorder.not_judged(*check, "no identifier is a JSON Web Token");
        }
        return Ok(());
    };
    weak(scene, recorder, &user, &id, &jwt).await?;
    from_header(scene, recorder, &user, &id, &jwt).await?;
    confused(scene, recorder, &user, &id, &jwt).await?;
    if !scene.reaches(&user, 0).await? {
        for check in FAMILY {
            recorder.not_judged(*check, ENDED);
        }
    }
    for check in FAMILY {
        recorder.passed(*check);
    }
    Ok(())
}

async fn weak(
    scene: &Scene,
    recorder: &mut Recorder<'_>,
    user: &Snapshot,
    id: &Identifier,
    jwt: &Jwt,
) -> Result<(), AuditError> {
    let alg = jwt.header["alg"].as_str().unwrap_or_default();
    if !alg.starts_with("HS") {
        let reason = format!("the token is signed with {alg}, and not with a shared secret");
        recorder.not_judged(Id::WeakTokenKey, reason);
        return Ok(());
    }
    let Some(secret) = forge::weak_secret(&id.text()) else {
        return Ok(());
    };
    let mut claims = jwt.payload.clone();
    claims["fixation-audit"] = true.into();
    let forged = forge::signed(&jwt.header, &claims, secret.as_bytes());
    let sent = format!(
        "the common secrets of a short list, tried on {}",
        scene.show(id)
    );
    let seen = "one of them signs it";
    let reached = match forged {
        Some(forged) => {
            let forged = scene.with_value(user, &id.name, &forged);
            scene.reaches(&forged, 0).await?
        }
        None => false,
    };
    let note = if reached {
        Note::confirmed(format!("{seen}; a token made with it reached the account"))
    } else {
        Note::observed(seen)
    };
    recorder.found(Id::WeakTokenKey, note.sent(sent));
    Ok(())
}

async fn from_header(
    scene: &Scene,
    recorder: &mut Recorder<'_>,
    user: &Snapshot,
    id: &Identifier,
    jwt: &Jwt,
) -> Result<(), AuditError> {
    for (what, forged) in forge::with_own_key(jwt) {
        let forged = scene.with_value(user, &id.name, &forged);
        if scene.reaches(&forged, 0).await? {
            let sent = format!("the claims of {} with {what}", scene.show(id));
            let note = Note::confirmed("the account was reached").sent(sent);
            recorder.found(Id::TokenKeyFromHeader, note);
        }
    }
    Ok(())
}

async fn confused(
    scene: &Scene,
    recorder: &mut Recorder<'_>,
    user: &Snapshot,
    id: &Identifier,
    jwt: &Jwt,
) -> Result<(), AuditError> {
    let alg = jwt.header["alg"].as_str().unwrap_or_default();
    if !(alg.starts_with("RS") || alg.starts_with("PS")) {
        let reason = format!("the token is signed with {alg}, and not with an RSA key");
        recorder.not_judged(Id::TokenKeyConfused, reason);
        return Ok(());
    }
    let Some(keys) = published_keys(scene).await? else {
        recorder.not_judged(Id::TokenKeyConfused, "the server publishes no RSA keys");
        return Ok(());
    };
    for forged in forge::with_public_key(jwt, &keys) {
        let forged = scene.with_value(user, &id.name, &forged);
        if scene.reaches(&forged, 0).await? {
            let sent = format!(
                "the claims of {} under alg HS256, with the public key as the secret",
                scene.show(id)
            );
            let note = Note::confirmed("the account was reached").sent(sent);
            recorder.found(Id::TokenKeyConfused, note);
        }
    }
    Ok(())
}

/// The first set of keys that the server publishes.
async fn published_keys(scene: &Scene) -> Result<Option<Value>, AuditError> {
    for path in KEY_SETS {
        let Some(found) = json(scene, path).await? else {
            continue;
        };
        if found.get("keys").is_some() {
            return Ok(Some(found));
        }
        if let Some(uri) = found.get("jwks_uri").and_then(Value::as_str)
            && let Some(keys) = json(scene, uri).await?
        {
            return Ok(Some(keys));
        }
    }
    Ok(None)
}

async fn json(scene: &Scene, target: &str) -> Result<Option<Value>, AuditError> {
    let allowed = scene
        .world
        .base
        .join(target)
        .is_some_and(|place| scene.world.allows(&place));
    if !allowed {
        return Ok(None);
    }
    match scene.fresh().send(&Step::get(target)).await {
        Ok(answer) => Ok(answer.json().filter(|_| answer.status() == 200)),
        Err(AuditError::Transport(_)) => Ok(None),
        Err(error) => Err(error),
    }
}
