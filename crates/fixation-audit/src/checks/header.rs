//! How the server reads the Cookie field: duplicates, and other spellings of the name.

use super::super::AuditError;
use super::super::catalogue::{Id, Severity};
use super::super::recorder::{Note, Recorder};
use super::super::scene::Scene;
use super::super::shape;
use super::channel::ENDED;

pub(super) const FAMILY: &[Id] = &[Id::Duplicates, Id::NameDecoded, Id::NameNormalised];

type Pair = (Vec<u8>, Vec<u8>);

pub(super) async fn run(scene: &Scene, recorder: &mut Recorder<'_>) -> Result<(), AuditError> {
    let Some(name) = scene.cookies.first() else {
        for id in FAMILY {
            recorder.not_judged(*id, "the session does not ride on a cookie");
        }
        return Ok(());
    };
    duplicates(scene, recorder, name).await?;
    names(scene, recorder, name).await?;
    for id in FAMILY {
        recorder.passed(*id);
    }
    Ok(())
}

/// All cookies of a fresh login, the one with the name first.
async fn cookies(scene: &Scene, account: usize, name: &[u8]) -> Result<Vec<Pair>, AuditError> {
    let kept = scene.user(account).await?.snapshot();
    let all = kept.jar.matching(&scene.place);
    let mut pairs: Vec<Pair> = all
        .into_iter()
        .filter(|cookie| !scene.others.contains(&cookie.name))
        .map(|cookie| (cookie.name.clone(), cookie.value.clone()))
        .collect();
    pairs.sort_by_key(|(other, _)| other != name);
    Ok(pairs)
}

fn line(pairs: &[Pair]) -> Vec<u8> {
    let joined = pairs
        .iter()
        .map(|(name, value)| [name, &b"="[..], value].concat());
    joined.collect::<Vec<_>>().join(&b"; "[..])
}

async fn duplicates(
    scene: &Scene,
    recorder: &mut Recorder<'_>,
    name: &[u8],
) -> Result<(), AuditError> {
    let good = cookies(scene, 0, name).await?;
    let [(_, value), rest @ ..] = &good[..] else {
        return Ok(());
    };
    let junk = (name.to_vec(), shape::imitate(value));
    let mut rivals = vec![("a made-up one", junk)];
    if scene.tells_apart()
        && let Some(evil) = cookies(scene, 1, name).await?.into_iter().next()
    {
        rivals.push(("another user's", evil));
    }
    for (whose, rival) in rivals {
        let genuine = (name.to_vec(), value.clone());
        let first = line(&[&[genuine.clone(), rival.clone()], rest].concat());
        let last = line(&[&[rival, genuine], rest].concat());
        let mut seen = Vec::new();
        for cookie in [&first, &last] {
            let own = scene.reaches_with(&scene.fresh(), cookie, 0).await?;
            let other =
                scene.tells_apart() && scene.reaches_with(&scene.fresh(), cookie, 1).await?;
            seen.push((own, other));
        }
        // Many refused cookies later, the genuine one has to be good still.
        if !scene.reaches_with(&scene.fresh(), &line(&good), 0).await? {
            recorder.not_judged(Id::Duplicates, ENDED);
            return Ok(());
        }
        if seen[0] != seen[1] || seen[0].1 {
            let both_other = seen[0].1 && seen[1].1;
            let name = String::from_utf8_lossy(name);
            let word = |(own, other): (bool, bool)| match (own, other) {
                (true, _) => "the user",
                (_, true) => "the other user",
                _ => "nobody",
            };
            let seen = format!(
                "genuine first: {}; genuine last: {}",
                word(seen[0]),
                word(seen[1])
            );
            let sent = format!("two cookies named {name}, the genuine and {whose}, in both orders");
            // Frameworks take the first or the last, and no owner can change that. A reader that prefers a planted
            // session wherever it stands is another thing.
            let severity = if both_other {
                Severity::Medium
            } else {
                Severity::Low
            };
            let note = Note::confirmed(seen).sent(sent);
            recorder.found_as(Id::Duplicates, severity, note);
        }
    }
    Ok(())
}

async fn names(scene: &Scene, recorder: &mut Recorder<'_>, name: &[u8]) -> Result<(), AuditError> {
    let good = cookies(scene, 0, name).await?;
    let [(_, value), rest @ ..] = &good[..] else {
        return Ok(());
    };
    for (id, what, field) in spellings(name, value) {
        let mut cookie = field;
        if !rest.is_empty() {
            cookie.extend_from_slice(b"; ");
            cookie.extend_from_slice(&line(rest));
        }
        if scene.reaches_with(&scene.fresh(), &cookie, 0).await? {
            let sent = format!("the session cookie alone, with {what}");
            recorder.found(id, Note::confirmed("the account was reached").sent(sent));
        }
    }
    if !scene.reaches_with(&scene.fresh(), &line(&good), 0).await? {
        for id in [Id::NameDecoded, Id::NameNormalised] {
            recorder.not_judged(id, ENDED);
        }
    }
    Ok(())
}

/// Cookies that are not the session's, and that a lenient reader takes for it.
fn spellings(name: &[u8], value: &[u8]) -> Vec<(Id, &'static str, Vec<u8>)> {
    let with =
        |before: &[u8], name: &[u8], after: &[u8]| [before, name, after, b"=", value].concat();
    let encoded = |byte: u8| format!("%{byte:02X}").into_bytes();
    let head = name
        .first()
        .map(|byte| [&encoded(*byte)[..], &name[1..]].concat());
    let all: Vec<u8> = name.iter().flat_map(|byte| encoded(*byte)).collect();
    let swapped: Vec<u8> = name
        .iter()
        .map(|b| {
            if b.is_ascii_lowercase() {
                b.to_ascii_uppercase()
            } else {
                b.to_ascii_lowercase()
            }
        })
        .collect();
    let mut list = vec![
        (
            Id::NameDecoded,
            "its name percent-encoded",
            with(b"", &all, b""),
        ),
        (
            Id::NameNormalised,
            "byte A0 before its name",
            with(b"\xa0", name, b""),
        ),
        (
            Id::NameNormalised,
            "byte A0 after its name",
            with(b"", name, b"\xa0"),
        ),
        (
            Id::NameNormalised,
            "byte 85 before its name",
            with(b"\x85", name, b""),
        ),
        (
            Id::NameNormalised,
            "U+00A0 before its name",
            with("\u{a0}".as_bytes(), name, b""),
        ),
        (
            Id::NameNormalised,
            "U+2000 before its name",
            with("\u{2000}".as_bytes(), name, b""),
        ),
        (
            Id::NameNormalised,
            "U+3000 after its name",
            with(b"", name, "\u{3000}".as_bytes()),
        ),
        (
            Id::NameNormalised,
            "an equals sign before its name",
            with(b"=", name, b""),
        ),
        (
            Id::NameNormalised,
            "its name after a comma",
            with(b"a=b,", name, b""),
        ),
        (
            Id::NameNormalised,
            "two dots before its name",
            with(b"..", name, b""),
        ),
    ];
    if let Some(head) = head {
        list.push((
            Id::NameDecoded,
            "its name's first letter percent-encoded",
            with(b"", &head, b""),
        ));
    }
    if swapped != name {
        list.push((
            Id::NameNormalised,
            "its name in the other case",
            with(b"", &swapped, b""),
        ));
    }
    list
}
