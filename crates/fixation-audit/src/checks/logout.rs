//! Does a logout end the session, on the server and in the browser?

use super::super::browser::{Exchange, Snapshot};
use super::super::catalogue::Id;
use super::super::jar::{self, StoredCookie};
use super::super::recorder::{Note, Recorder};
use super::super::scene::Scene;
use super::super::{AuditError, Browser};

pub(super) const FAMILY: &[Id] = &[
    Id::OldIdAliveAfterLogout,
    Id::TokenAliveAfterLogout,
    Id::RememberedAliveAfterLogout,
    Id::RemovalIgnored,
];

pub(super) async fn run(scene: &Scene, recorder: &mut Recorder<'_>) -> Result<(), AuditError> {
    let Some(logout) = &scene.plan.logout else {
        for id in FAMILY {
            recorder.not_judged(*id, "no logout was described");
        }
        return Ok(());
    };
    let user = scene.user(0).await?;
    let before = user.snapshot();
    let trail = match scene.log_out(logout, &user).await? {
        Ok(trail) => trail,
        Err(reason) => {
            for id in FAMILY {
                recorder.not_judged(*id, reason.clone());
            }
            return Ok(());
        }
    };
    removal(scene, recorder, &before, &user, &trail);
    let ids = scene.identifiers(&before);
    if scene.reaches(&before, 0).await? {
        let sent = format!("{} from before the logout", scene.show_all(&ids));
        let (check, seen) = match scene.self_contained(&ids).await? {
            Some(how) => (
                Id::TokenAliveAfterLogout,
                format!("the account was reached; {how}"),
            ),
            None => (
                Id::OldIdAliveAfterLogout,
                "the account was reached".to_owned(),
            ),
        };
        recorder.found(check, Note::confirmed(seen).sent(sent));
    }
    remembered(scene, recorder, &before).await?;
    for id in FAMILY {
        recorder.passed(*id);
    }
    Ok(())
}

/// Cookies that log in by themselves, each without the session's.
async fn remembered(
    scene: &Scene,
    recorder: &mut Recorder<'_>,
    before: &Snapshot,
) -> Result<(), AuditError> {
    if scene.others.is_empty() {
        recorder.not_judged(
            Id::RememberedAliveAfterLogout,
            "no second cookie logs in by itself",
        );
    }
    for name in &scene.others {
        let mut only = Snapshot {
            agent: before.agent,
            ..Snapshot::default()
        };
        let held = before.jar.matching(&scene.place);
        for cookie in held.into_iter().filter(|cookie| cookie.name == *name) {
            only.jar.plant(&scene.place, name, &cookie.value);
        }
        let who = scene.from(&only).who(&scene.probe).await?;
        if scene.shows(who.as_deref(), 0) {
            let name = String::from_utf8_lossy(name);
            let sent = format!("the cookie {name} alone, from before the logout");
            recorder.found(
                Id::RememberedAliveAfterLogout,
                Note::confirmed("the account was reached").sent(sent),
            );
        }
    }
    Ok(())
}

fn removal(
    scene: &Scene,
    recorder: &mut Recorder<'_>,
    before: &Snapshot,
    user: &Browser,
    trail: &[Exchange],
) {
    let removed: Vec<Vec<u8>> = trail
        .iter()
        .flat_map(|exchange| exchange.answer.set_cookies())
        .filter_map(|field| jar::read(field).ok())
        .filter(|cookie| cookie.is_removal && scene.all_cookies().any(|name| *name == cookie.name))
        .map(|cookie| cookie.name)
        .collect();
    if removed.is_empty() {
        recorder.not_judged(Id::RemovalIgnored, "the logout removes no session cookie");
        return;
    }
    let held = before.jar.matching(&scene.place);
    // What comes after the logout, such as the page that it leads to, may start a guest's session under the same name.
    let was_there = |cookie: &StoredCookie| {
        held.iter()
            .any(|old| old.name == cookie.name && old.value == cookie.value)
    };
    let after = user.snapshot();
    let left = after.jar.matching(&scene.place);
    if let Some(cookie) = left
        .into_iter()
        .find(|cookie| removed.contains(&cookie.name) && was_there(cookie))
    {
        let name = String::from_utf8_lossy(&cookie.name).into_owned();
        let refusal = user
            .refused()
            .into_iter()
            .rev()
            .find(|(refused, _)| *refused == name);
        let why = refusal.map_or("it names another Domain or Path", |(_, refusal)| {
            refusal.reason()
        });
        let seen = format!("a browser goes on sending {name} after its removal: {why}");
        recorder.found(
            Id::RemovalIgnored,
            Note::confirmed(seen).sent("logged in, logged out"),
        );
    }
}
