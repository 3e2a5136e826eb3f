//! Does a logout end the session, on the server and in the browser?

use super::super::browser::Exchange;
use super::super::catalogue::Id;
use super::super::jar;
use super::super::recorder::{Note, Recorder};
use super::super::scene::Scene;
use super::super::{AuditError, Browser, shape};

pub(super) const FAMILY: &[Id] = &[
    Id::OldIdAliveAfterLogout,
    Id::TokenAliveAfterLogout,
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
    let Some(trail) = scene.perform(logout, &user).await? else {
        for id in FAMILY {
            recorder.not_judged(*id, "the application refuses the logout");
        }
        return Ok(());
    };
    removal(scene, recorder, &user, &trail);
    let ids = scene.identifiers(&before);
    if scene.reaches(&before, 0).await? {
        let carries = |id: &super::super::scene::Identifier| {
            shape::is_self_contained(&String::from_utf8_lossy(&id.value))
        };
        let check = if ids.iter().any(carries) {
            Id::TokenAliveAfterLogout
        } else {
            Id::OldIdAliveAfterLogout
        };
        let sent = format!("{} from before the logout", scene.show_all(&ids));
        recorder.found(check, Note::confirmed("the account was reached").sent(sent));
    }
    for id in FAMILY {
        recorder.passed(*id);
    }
    Ok(())
}

fn removal(scene: &Scene, recorder: &mut Recorder<'_>, user: &Browser, trail: &[Exchange]) {
    let removed: Vec<Vec<u8>> = trail
        .iter()
        .flat_map(|exchange| exchange.answer.set_cookies())
        .filter_map(|field| jar::read(field).ok())
        .filter(|cookie| cookie.is_removal && scene.cookies.contains(&cookie.name))
        .map(|cookie| cookie.name)
        .collect();
    let after = user.snapshot();
    let left = after.jar.matching(&scene.place);
    if let Some(cookie) = left
        .into_iter()
        .find(|cookie| removed.contains(&cookie.name))
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
