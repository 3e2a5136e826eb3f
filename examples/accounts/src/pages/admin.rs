//! What administrators do: switch accounts off and on, and act as a user.

use axum::{extract::State, http::StatusCode, response::Redirect};
use maud::{Markup, html};
use serde::Deserialize;
use tower_session_guard::AssuranceLevel;
use tower_session_guard_axum::{AppUser, CurrentUser, Flash};

use super::{Frame, Page};
use crate::{
    Site,
    failed::Failed,
    form::{Checked, Nothing},
    users::{Role, User},
};

pub(crate) async fn list(
    State(site): State<Site>,
    administrator: CurrentUser<User>,
    frame: Frame,
) -> Result<Page, Failed> {
    let users = site.users.all().await?;
    let content = html! {
        ul.card.list { @for user in &users { (entry(&frame, user, user.id == administrator.id)) } }
        p.hint {
            "Who acts as a user sees what the user sees, at level 1 and for a quarter of an hour. The log tells who did what as whom."
        }
    };
    Ok(frame.page("Users", &content))
}

fn entry(frame: &Frame, user: &User, own: bool) -> Markup {
    let button = |action: &str, label: &str, class: &str| {
        html! {
            form method="post" action=(action) {
                (frame.csrf())
                input type="hidden" name="id" value=(user.id);
                button class=(class) aria-label={ (label) ": " (user.name) } { (label) }
            }
        }
    };
    html! {
        li {
            h2 {
                (user.name) " "
                @if user.role == Role::Administrator { span.badge { (user.role.as_str()) } " " }
                @if user.disabled { span.badge.bad { "switched off" } }
            }
            @if own {
                p.hint { "This is you." }
            } @else {
                div.actions {
                    @if user.disabled {
                        (button("/admin/enable", "Switch on", "quiet"))
                    } @else {
                        @if user.role == Role::Member { (button("/admin/act", "Act as", "quiet")) }
                        (button("/admin/disable", "Switch off", "danger"))
                    }
                }
            }
        }
    }
}

#[derive(Deserialize)]
pub(crate) struct Whom {
    id: i64,
}

impl Whom {
    /// The user, unless it is the administrator who asks.
    async fn other_than(&self, own: &User, site: &Site) -> Result<User, Failed> {
        if self.id == own.id {
            let why = "You cannot do this to your own account.";
            return Err(Failed::because(StatusCode::CONFLICT, why));
        }
        let user = site.users.by_id(self.id).await?;
        user.ok_or(Failed::NOT_FOUND)
    }
}

pub(crate) async fn disable(
    State(site): State<Site>,
    administrator: CurrentUser<User>,
    flash: Flash,
    Checked(whom): Checked<Whom>,
) -> Result<(Flash, Redirect), Failed> {
    let user = whom.other_than(&administrator, &site).await?;
    site.users.set_disabled(user.id, true).await?;
    // From here on nobody is found under the subject. This closes the user's open pages at once, too.
    site.sessions.end_all(&user.subject()).await?;
    let told = format!("{} is switched off, and logged out everywhere.", user.name);
    Ok((flash.success(told), Redirect::to("/admin")))
}

pub(crate) async fn enable(
    State(site): State<Site>,
    administrator: CurrentUser<User>,
    flash: Flash,
    Checked(whom): Checked<Whom>,
) -> Result<(Flash, Redirect), Failed> {
    let user = whom.other_than(&administrator, &site).await?;
    site.users.set_disabled(user.id, false).await?;
    let told = format!("{} is switched on.", user.name);
    Ok((flash.success(told), Redirect::to("/admin")))
}

/// How long an administrator acts as a user at most.
const ACTING: std::time::Duration = std::time::Duration::from_secs(15 * 60);

pub(crate) async fn act(
    State(site): State<Site>,
    administrator: CurrentUser<User>,
    Checked(whom): Checked<Whom>,
) -> Result<Redirect, Failed> {
    let user = whom.other_than(&administrator, &site).await?;
    if user.role != Role::Member || user.disabled {
        let why = "An administrator acts as members only, and not as one who is switched off.";
        return Err(Failed::because(StatusCode::CONFLICT, why));
    }
    // At level 1: what the second factor guards stays the user's own.
    let acting = user
        .to_impersonation(&administrator)
        .at_level(AssuranceLevel::AAL1);
    let session = administrator.session();
    session.impersonate(acting.lasting(ACTING));
    if session.actor().is_none() {
        let why = "Your session is bound to this device, so nobody else's can take its place. Act as a user from a browser that binds none.";
        return Err(Failed::because(StatusCode::CONFLICT, why));
    }
    Ok(Redirect::to("/"))
}

/// The way back of an administrator who acts as a user.
pub(crate) async fn come_back(user: CurrentUser<User>, _: Checked<Nothing>) -> Redirect {
    user.session().end_impersonation();
    Redirect::to("/admin")
}
