//! What crosses the login: a guest's data, and a guest's CSRF token.

use super::super::browser::Snapshot;
use super::super::catalogue::Id;
use super::super::recorder::{Note, Recorder};
use super::super::scene::{Scene, allowed};
use super::super::script::Step;
use super::super::{AuditError, Browser, chance, shape};

pub(super) const FAMILY: &[Id] = &[Id::DataSurvivesLogin, Id::CsrfSurvivesLogin];

pub(super) async fn run(scene: &Scene, recorder: &mut Recorder<'_>) -> Result<(), AuditError> {
    data(scene, recorder).await?;
    match &scene.plan.csrf {
        Some((page, guarded)) => csrf(scene, recorder, page, guarded).await?,
        None => recorder.not_judged(Id::CsrfSurvivesLogin, "no CSRF token was described"),
    }
    Ok(())
}

async fn data(scene: &Scene, recorder: &mut Recorder<'_>) -> Result<(), AuditError> {
    if scene.plan.data.is_none() {
        recorder.not_judged(Id::DataSurvivesLogin, "no session data was described");
        return Ok(());
    }
    let attacker = scene.visitor().await?;
    let marker = put(scene, &attacker).await?;
    let stored = shown(scene, &attacker, &marker).await?;
    if !stored {
        recorder.not_judged(
            Id::DataSurvivesLogin,
            "the application shows a visitor no value that the visitor stored",
        );
        return Ok(());
    }
    let victim = scene.from(&attacker.snapshot());
    if !scene.try_login(&victim, 0).await? {
        recorder.not_judged(Id::DataSurvivesLogin, NO_LOGIN);
        return Ok(());
    }
    if shown(scene, &victim, &marker).await? {
        let seen = "the value is there in the user's session";
        let sent = "a visitor stored a value; the visitor's cookies were put into a victim's browser, which logged in";
        recorder.found(Id::DataSurvivesLogin, Note::confirmed(seen).sent(sent));
    }
    recorder.passed(Id::DataSurvivesLogin);
    Ok(())
}

/// Stores a fresh marker and hands it out.
pub(super) async fn put(scene: &Scene, browser: &Browser) -> Result<String, AuditError> {
    let marker = format!("marker{:016x}", u64::from_ne_bytes(chance::bytes()));
    browser.remember("marker", marker.clone());
    if let Some((put, _)) = &scene.plan.data {
        allowed(browser.send(put).await)?;
    }
    Ok(marker)
}

/// Whether the application shows this browser the marker.
pub(super) async fn shown(
    scene: &Scene,
    browser: &Browser,
    marker: &str,
) -> Result<bool, AuditError> {
    let Some((_, get)) = &scene.plan.data else {
        return Ok(false);
    };
    // Without the variable: an application that only echoes the request shows nothing of the session.
    browser.remember("marker", "");
    match browser.send(get).await {
        Ok(answer) => Ok(answer.text().contains(marker)),
        Err(error) => allowed::<()>(Err(error)),
    }
}

/// Whether one guest with these cookies reads what another guest with the same ones stored.
pub(super) async fn guest_data_crosses(scene: &Scene, kept: &Snapshot) -> Result<bool, AuditError> {
    if scene.plan.data.is_none() {
        return Ok(false);
    }
    let marker = put(scene, &scene.from(kept)).await?;
    shown(scene, &scene.from(kept), &marker).await
}

async fn csrf(
    scene: &Scene,
    recorder: &mut Recorder<'_>,
    page: &Step,
    guarded: &Step,
) -> Result<(), AuditError> {
    let attacker = scene.visitor().await?;
    if !allowed(attacker.send(page).await)? {
        recorder.not_judged(Id::CsrfSurvivesLogin, "a visitor gets no CSRF token");
        return Ok(());
    }
    let tokens: Vec<_> = page
        .picks
        .iter()
        .filter_map(|pick| Some((pick.name.clone(), attacker.recall(&pick.name)?)))
        .collect();
    let victim = scene.from(&attacker.snapshot());
    if !scene.try_login(&victim, 0).await? {
        recorder.not_judged(Id::CsrfSurvivesLogin, NO_LOGIN);
        return Ok(());
    }
    let made_up: Vec<_> = tokens
        .iter()
        .map(|(name, token)| {
            let imitation = shape::imitate(token.as_bytes());
            (
                name.clone(),
                String::from_utf8_lossy(&imitation).into_owned(),
            )
        })
        .collect();
    let old = answer(&victim, guarded, &tokens).await?;
    let refused = answer(&victim, guarded, &made_up).await?;
    let own = if allowed(victim.send(page).await)? {
        answer(&victim, guarded, &[]).await?
    } else {
        None
    };
    match own {
        Some(own) if refused.as_ref() == Some(&own) => recorder.not_judged(
            Id::CsrfSurvivesLogin,
            "the request gets the same answer with a made-up token",
        ),
        Some(own) if old.as_ref() == Some(&own) => {
            let seen =
                "the request was taken with the visitor's token, and refused with a made-up one";
            let sent = "a visitor's CSRF token, in the session of a user who logged in over the visitor's cookies";
            recorder.found(Id::CsrfSurvivesLogin, Note::confirmed(seen).sent(sent));
        }
        Some(_) => {}
        None => recorder.not_judged(
            Id::CsrfSurvivesLogin,
            "the request is refused with the user's own token too",
        ),
    }
    recorder.passed(Id::CsrfSurvivesLogin);
    Ok(())
}

/// Why nothing can be said of what crosses the login.
const NO_LOGIN: &str = "a login over a visitor's cookies does not work";

/// How the application answered the request itself, and not what a redirect led to. Nothing where it refused.
async fn answer(
    browser: &Browser,
    guarded: &Step,
    tokens: &[(String, String)],
) -> Result<Option<(u16, String)>, AuditError> {
    for (name, token) in tokens {
        browser.remember(name, token.clone());
    }
    match browser.send_for(guarded).await {
        Ok(exchanges) => Ok(exchanges
            .first()
            .filter(|first| first.answer.accepted())
            .map(|first| {
                let target = first.answer.location().unwrap_or_default();
                let path = target.split(['?', '#']).next().unwrap_or_default();
                (first.answer.status(), path.to_owned())
            })),
        Err(error) => {
            allowed::<()>(Err(error))?;
            Ok(None)
        }
    }
}
