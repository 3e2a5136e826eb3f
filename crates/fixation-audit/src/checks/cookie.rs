//! The session cookie's attributes, tried out on the browser model.

use super::super::AuditError;
use super::super::catalogue::{Id, Severity};
use super::super::jar::StoredCookie;
use super::super::recorder::{Note, Recorder};
use super::super::scene::Scene;

pub(super) const FAMILY: &[Id] = &[
    Id::NotSecure,
    Id::NotHttpOnly,
    Id::NoSameSite,
    Id::DomainScope,
    Id::NoHostPrefix,
    Id::Refused,
    Id::NoNoStore,
    Id::CookieLifetime,
];

/// The longest that NIST SP 800-63B lets a session last at the lowest level, 30 days.
const LONGEST: i64 = 30 * 86_400;

pub(super) async fn run(scene: &Scene, recorder: &mut Recorder<'_>) -> Result<(), AuditError> {
    if scene.cookies.is_empty() {
        for id in FAMILY {
            recorder.not_judged(*id, "the session does not ride on a cookie");
        }
        return Ok(());
    }
    let browser = scene.visitor().await?;
    scene.must_login(&browser, 0).await?;
    let kept = browser.snapshot();
    for cookie in kept.jar.matching(&scene.place) {
        if scene.all_cookies().any(|name| *name == cookie.name) {
            attributes(scene, recorder, &kept.jar, cookie);
        }
    }
    for (name, refusal) in browser.refused() {
        let seen = format!("a browser refuses {name}: {}", refusal.reason());
        recorder.found(
            Id::Refused,
            Note::confirmed(seen).sent("visited and logged in"),
        );
    }
    let trail = browser.drain_trail();
    let storable = trail
        .iter()
        .find(|exchange| scene.sets_cookie(exchange) && exchange.may_be_stored());
    if let Some(exchange) = storable {
        let seen = format!("{} set the session cookie without no-store", exchange.label);
        recorder.found(
            Id::NoNoStore,
            Note::observed(seen).sent("visited and logged in"),
        );
    }
    for id in FAMILY {
        recorder.passed(*id);
    }
    Ok(())
}

fn attributes(
    scene: &Scene,
    recorder: &mut Recorder<'_>,
    jar: &super::super::CookieJar,
    cookie: &StoredCookie,
) {
    let name = String::from_utf8_lossy(&cookie.name).into_owned();
    let place = &scene.place;
    let is_this = |other: &&StoredCookie| other.name == cookie.name;
    if !cookie.secure && jar.matching(&place.over_plain_http()).iter().any(is_this) {
        if place.scheme() == "http" && place.is_loopback() {
            // Many applications set Secure where the request came over HTTPS, and this one did not.
            let seen = format!(
                "{name} came without Secure, over plain HTTP on this machine; \
                to see what users get, audit over HTTPS or send X-Forwarded-Proto: https"
            );
            let note = Note::observed(seen).sent("logged in");
            recorder.found_as(Id::NotSecure, Severity::Low, note);
        } else {
            let seen = format!("a browser sends {name} over plain HTTP too");
            recorder.found(Id::NotSecure, Note::confirmed(seen).sent("logged in"));
        }
    }
    if let Some(lifetime) = cookie.lifetime().filter(|seconds| *seconds > LONGEST) {
        let days = lifetime / 86_400;
        let seen = format!("a browser keeps {name} for {days} days");
        recorder.found(Id::CookieLifetime, Note::observed(seen).sent("logged in"));
    }
    if jar.visible_to_scripts(place).iter().any(is_this) {
        let seen = format!("a script on the page reads {name}");
        recorder.found(Id::NotHttpOnly, Note::confirmed(seen).sent("logged in"));
    }
    match cookie.same_site.as_deref() {
        Some("Strict" | "Lax") => {}
        other => {
            let seen = format!(
                "{name} has {}",
                other.map_or("no SameSite", |_| "SameSite=None")
            );
            recorder.found(Id::NoSameSite, Note::observed(seen).sent("logged in"));
        }
    }
    let sibling = place.on_host(&format!("sibling.{}", cookie.domain));
    if !cookie.host_only && jar.matching(&sibling).iter().any(is_this) {
        let seen = format!("a browser sends {name} to {} too", sibling.host());
        recorder.found(Id::DomainScope, Note::confirmed(seen).sent("logged in"));
    }
    if !cookie.is_host_bound() {
        let note = planted_by_sibling(scene, jar, cookie, &name);
        recorder.found(
            Id::NoHostPrefix,
            note.sent("logged in, and let a sibling host set the name"),
        );
    }
}

/// Whether a sibling host can put a second cookie of the name beside the genuine one.
fn planted_by_sibling(
    scene: &Scene,
    jar: &super::super::CookieJar,
    cookie: &StoredCookie,
    name: &str,
) -> Note {
    let place = &scene.place;
    let parent = place
        .host()
        .split_once('.')
        .map(|(_, parent)| parent)
        .unwrap_or_default();
    if place.is_address() || !parent.contains('.') {
        return Note::observed(format!(
            "{name} has no __Host- prefix; this host has no siblings to try it from"
        ));
    }
    let sibling = place.on_host(&format!("sibling.{parent}"));
    let mut jar = jar.clone();
    let mut field = cookie.name.clone();
    field.extend_from_slice(
        format!("=planted; Domain={parent}; Path=/; Secure; HttpOnly").as_bytes(),
    );
    let taken = jar.set(&sibling, &field).is_ok();
    let both = jar
        .matching(place)
        .into_iter()
        .filter(|other| other.name == cookie.name)
        .count()
        > 1;
    if taken && both {
        return Note::confirmed(format!(
            "a browser sends a {name} that {} planted",
            sibling.host()
        ));
    }
    Note::observed(format!("{name} has no __Host- prefix"))
}
