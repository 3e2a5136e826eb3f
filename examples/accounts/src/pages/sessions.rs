//! The page "your sessions".

use axum::{extract::State, response::Redirect};
use maud::{Markup, html};
use serde::Deserialize;
use tower_session_guard::{AssuranceLevel, SessionInfo, Timestamp};
use tower_session_guard_axum::{CurrentUser, Flash};

use super::{Frame, Page, time};
use crate::{
    Site,
    failed::Failed,
    form::{Checked, Nothing},
    users::User,
};

pub(crate) async fn list(
    State(site): State<Site>,
    user: CurrentUser<User>,
    frame: Frame,
) -> Result<Page, Failed> {
    let session = user.authenticated();
    let sessions = site.sessions.list(session.subject()).await?;
    let now = site.clock.now();
    let content = html! {
        ul.card.list {
            @for info in &sessions { (entry(&frame, info, info.id == session.id(), now)) }
        }
        @if sessions.len() > 1 {
            div.actions { (frame.button("/sessions/end-others", "End all others", "danger")) }
        }
        p.hint {
            "Something you do not recognise? End it: its browser is logged out at once. A session that is bound to its device is \
             of no use to whoever copies its cookies."
        }
    };
    Ok(frame.page("Your sessions", &content))
}

fn entry(frame: &Frame, info: &SessionInfo, current: bool, now: Timestamp) -> Markup {
    // A later release may have written what this one cannot read; the session can be ended all the same.
    let details = info.details.as_ref();
    let label = details.and_then(|details| details.label.as_deref());
    let label = label.unwrap_or("An unknown browser");
    html! {
        li {
            h2 {
                (label) " "
                @if current { span.badge { "this one" } }
            }
            @if let Some(details) = details {
                @if details.actor.is_some() { p { span.badge { "an administrator acts as you" } } }
                @if details.device_proved_at.is_some() {
                    p { span.badge.good { @if current { "bound to this device" } @else { "bound to its device" } } }
                }
                dl {
                    dt { "Logged in" } dd { (time::away(now, details.created_at)) }
                    dt { "Last seen" } dd { (time::away(now, details.last_seen_at)) }
                    dt { "Level" } dd { (details.level.map_or(0, AssuranceLevel::get)) }
                }
            }
            @if !current {
                form method="post" action="/sessions/end" {
                    (frame.csrf())
                    input type="hidden" name="id" value=(info.id);
                    button.quiet aria-label={ "End the session of " (label) } { "End" }
                }
            }
        }
    }
}

#[derive(Deserialize)]
pub(crate) struct Which {
    id: String,
}

pub(crate) async fn end(
    State(site): State<Site>,
    user: CurrentUser<User>,
    flash: Flash,
    Checked(which): Checked<Which>,
) -> Result<(Flash, Redirect), Failed> {
    let id = which.id.parse().map_err(|_| Failed::NOT_FOUND)?;
    // Another subject's session is none of this list, so its id ends nothing.
    let subject = user.authenticated().subject();
    if site.sessions.end(subject, &id).await? {
        Ok((
            flash.success("That session has ended."),
            Redirect::to("/sessions"),
        ))
    } else {
        Err(Failed::NOT_FOUND)
    }
}

pub(crate) async fn end_others(
    State(site): State<Site>,
    user: CurrentUser<User>,
    flash: Flash,
    _: Checked<Nothing>,
) -> Result<(Flash, Redirect), Failed> {
    site.sessions.end_others(user.authenticated()).await?;
    let told = flash.success("All your other sessions have ended.");
    Ok((told, Redirect::to("/sessions")))
}
