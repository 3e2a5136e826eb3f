//! Is the identifier taken from anywhere but the Cookie field?

use http::Method;

use super::super::browser::Snapshot;
use super::super::catalogue::Id;
use super::super::recorder::{Note, Recorder};
use super::super::scene::{Scene, allowed};
use super::super::script::{Body, Step};
use super::super::{AuditError, shape};
use super::chosen;

pub(super) const FAMILY: &[Id] = &[Id::IdFromUrl, Id::IdFromForm, Id::IdFromHeader];

/// Parameters that frameworks are known to read identifiers from.
const NAMES: &[&str] = &[
    "sid",
    "session",
    "session_id",
    "sessionid",
    "sessid",
    "JSESSIONID",
    "jsessionid",
    "PHPSESSID",
    "phpsessid",
    "token",
    "access_token",
    "auth_token",
    "id_token",
    "jwt",
];

/// Servers commonly refuse a request line beyond 8 KiB; the path and the rest need room too.
const LONGEST_LINE: usize = 6_000;

const HEADERS: &[&str] = &[
    "X-Session-Id",
    "X-Session-Token",
    "X-Session",
    "Session",
    "X-Auth-Token",
];

pub(super) async fn run(scene: &Scene, recorder: &mut Recorder<'_>) -> Result<(), AuditError> {
    let ids = if scene.cookies.is_empty() {
        // A bearer token comes in a header by design, and a form field for it is standard.
        for id in &FAMILY[1..] {
            recorder.not_judged(*id, "the session does not ride on a cookie");
        }
        &FAMILY[..1]
    } else {
        FAMILY
    };
    let tried_a_form = replayed(scene, recorder).await?;
    if !scene.cookies.is_empty() {
        fixed(scene, recorder).await?;
    }
    let has_form = |step: &Step| matches!(step.body, Body::Form(_));
    if !tried_a_form && !scene.login.steps().iter().any(has_form) {
        recorder.not_judged(
            Id::IdFromForm,
            "the login sends no form, and the probe's path takes none",
        );
    }
    for id in ids {
        recorder.passed(*id);
    }
    Ok(())
}

/// Names to send the value under: the cookie's own, that without a prefix, and the common ones.
fn names(cookies: &[Vec<u8>]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for cookie in cookies {
        let name = String::from_utf8_lossy(cookie).into_owned();
        let prefixes = ["__Host-Http-", "__Host-", "__Http-", "__Secure-"];
        let bare = prefixes.iter().find_map(|prefix| name.strip_prefix(prefix));
        names.extend(bare.map(ToOwned::to_owned));
        names.extend(bare.map(str::to_ascii_lowercase));
        names.push(name.to_ascii_lowercase());
        names.push(name);
    }
    names.extend(NAMES.iter().map(|name| (*name).to_owned()));
    let mut seen = Vec::new();
    names.retain(|name| {
        !seen.contains(name) && {
            seen.push(name.clone());
            true
        }
    });
    names
}

/// A logged-in user's identifier, sent by other ways and not by its own. Says whether a form could be tried.
async fn replayed(scene: &Scene, recorder: &mut Recorder<'_>) -> Result<bool, AuditError> {
    let user = scene.user(0).await?.snapshot();
    let ids = scene.identifiers(&user);
    let Some(id) = ids.iter().max_by_key(|id| id.value.len()) else {
        return Ok(false);
    };
    let Ok(value) = String::from_utf8(id.value.clone()) else {
        return Ok(false);
    };
    let mut carriers = scene.cookies.clone();
    carriers.extend(scene.variables.iter().map(|name| name.clone().into_bytes()));
    let names = names(&carriers);
    let bare = without_variables(&scene.probe.step, &scene.variables);
    let form_is_read = takes_a_form(scene, &user).await?;
    let mut found = false;
    for (check, way, step) in ways(scene, &bare, &names, &value) {
        if check != Id::IdFromUrl && scene.cookies.is_empty() {
            continue;
        }
        let who = match scene.fresh().who(&scene.probe.asking(step)).await {
            Ok(who) => who,
            Err(AuditError::Transport(_)) => None,
            Err(error) => return Err(error),
        };
        if scene.shows(who.as_deref(), 0) {
            found = true;
            let sent = format!("{} {way}, and no cookie", scene.show(id));
            recorder.found(check, Note::confirmed("the account was reached").sent(sent));
        }
    }
    // A probe that was refused in every way shows something only if the genuine session would still have been let in.
    if !found && !scene.reaches(&user, 0).await? {
        for id in FAMILY {
            recorder.not_judged(*id, ENDED);
        }
    }
    Ok(form_is_read)
}

/// Why a series of refused requests says nothing.
pub(super) const ENDED: &str = "the genuine session ended while others were tried; \
    does the application limit the sessions of an address or an account?";

/// Whether the probe, sent as a form with the genuine session, shows the user.
async fn takes_a_form(scene: &Scene, user: &Snapshot) -> Result<bool, AuditError> {
    let mut step = scene.probe.step.clone();
    step.method = Method::POST;
    step.body = Body::Form(Vec::new());
    match scene.from(user).who(&scene.probe.asking(step)).await {
        Ok(who) => Ok(scene.shows(who.as_deref(), 0)),
        Err(AuditError::Transport(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The step without the headers and parameters that send the session's token.
fn without_variables(step: &Step, variables: &[String]) -> Step {
    let sends = |(_, text): &(String, String)| {
        !variables
            .iter()
            .any(|name| text.contains(&format!("{{{name}}}")))
    };
    let mut step = step.clone();
    step.headers.retain(sends);
    step.query.retain(sends);
    step
}

fn ways(
    scene: &Scene,
    step: &Step,
    names: &[String],
    value: &str,
) -> Vec<(Id, &'static str, Step)> {
    let mut ways = Vec::new();
    let room = LONGEST_LINE / (value.len() + 16).max(1);
    for names in names.chunks(room.max(1)) {
        let pairs = || names.iter().map(|name| (name.clone(), value.to_owned()));
        let mut in_query = step.clone();
        in_query.query.extend(pairs());
        ways.push((Id::IdFromUrl, "in the query", in_query));
        let mut in_path = step.clone();
        let (path, query) = step
            .target
            .split_once('?')
            .map_or((&*step.target, ""), |(p, q)| (p, q));
        let parameters: String = names
            .iter()
            .map(|name| format!(";{name}={value}"))
            .collect();
        let mark = if query.is_empty() { "" } else { "?" };
        in_path.target = format!("{path}{parameters}{mark}{query}");
        ways.push((Id::IdFromUrl, "as a path parameter", in_path));
        let mut in_form = step.clone();
        in_form.method = Method::POST;
        in_form.body = Body::Form(pairs().collect());
        ways.push((Id::IdFromForm, "in a form", in_form));
    }
    // Some readers look at the one path parameter that they know.
    let mut first = step.clone();
    let (path, rest) = first
        .target
        .split_at(first.target.find('?').unwrap_or(first.target.len()));
    first.target = format!("{path};jsessionid={value}{rest}");
    ways.push((Id::IdFromUrl, "as the path parameter jsessionid", first));
    let mut in_header = step.clone();
    let own = scene
        .cookies
        .iter()
        .map(|name| String::from_utf8_lossy(name).into_owned());
    let headers = own.chain(HEADERS.iter().map(|name| (*name).to_owned()));
    in_header
        .headers
        .extend(headers.map(|name| (name, value.to_owned())));
    ways.push((Id::IdFromHeader, "in a header", in_header));
    let mut in_bearer = step.clone();
    in_bearer
        .headers
        .push(("Authorization".to_owned(), format!("Bearer {value}")));
    ways.push((Id::IdFromHeader, "as a bearer token", in_bearer));
    ways
}

/// A link or a form that sets the identifier with which the victim then logs in.
async fn fixed(scene: &Scene, recorder: &mut Recorder<'_>) -> Result<(), AuditError> {
    let models = chosen::models(scene).await?;
    for way in [Way::Link, Way::Form] {
        for made_up in [false, true] {
            // An attacker for each try: what one has fixed, the next would find fixed.
            let attacker = if made_up {
                maker(scene, &models)
            } else {
                scene.visitor().await?.snapshot()
            };
            if let Some(pairs) = pairs(scene, &attacker, &models)
                && login_by(scene, way, &pairs).await?
                && scene.reaches(&attacker, 0).await?
            {
                let (check, sent) = match way {
                    Way::Link => (
                        Id::IdFromUrl,
                        "a link with an identifier in its query, which the victim followed before logging in",
                    ),
                    Way::Form => (Id::IdFromForm, "a login form with an identifier in a field"),
                };
                let seen = "its maker is logged in as the victim";
                recorder.found(check, Note::confirmed(seen).sent(sent));
            }
        }
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum Way {
    Link,
    Form,
}

/// An attacker who made the values up.
fn maker(scene: &Scene, models: &[(Vec<u8>, Vec<u8>)]) -> Snapshot {
    let longest = models
        .iter()
        .map(|(_, value)| value)
        .max_by_key(|value| value.len());
    let value = longest
        .map(|value| shape::imitate(value))
        .unwrap_or_default();
    let mut attacker = Snapshot::default();
    for (name, _) in models {
        attacker.jar.plant(&scene.place, name, &value);
    }
    attacker
}

/// The attacker's value under every name that might be read.
fn pairs(
    scene: &Scene,
    attacker: &Snapshot,
    models: &[(Vec<u8>, Vec<u8>)],
) -> Option<Vec<(String, String)>> {
    let cookies = attacker.jar.matching(&scene.place);
    let longest = cookies
        .into_iter()
        .max_by_key(|cookie| cookie.value.len())?;
    let value = String::from_utf8(longest.value.clone()).ok()?;
    let names = names(
        &models
            .iter()
            .map(|(name, _)| name.clone())
            .collect::<Vec<_>>(),
    );
    Some(
        names
            .into_iter()
            .map(|name| (name, value.clone()))
            .collect(),
    )
}

async fn login_by(scene: &Scene, way: Way, pairs: &[(String, String)]) -> Result<bool, AuditError> {
    let change = |mut step: Step| {
        match (way, &mut step.body) {
            (Way::Link, _) => step.query.extend_from_slice(pairs),
            (Way::Form, Body::Form(fields)) => fields.extend_from_slice(pairs),
            (Way::Form, _) => {}
        }
        step
    };
    let victim = scene.fresh();
    if matches!(way, Way::Link) {
        for page in scene.pages() {
            allowed(victim.send(&change(page)).await)?;
        }
    }
    allowed(
        scene
            .login
            .map(change)
            .run(&victim, &scene.plan.accounts[0])
            .await,
    )
}
