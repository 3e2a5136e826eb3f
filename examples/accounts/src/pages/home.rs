//! The first page: a welcome, or the user's account.

use axum::extract::State;
use maud::{Markup, html};
use tower_session_guard::{AssuranceLevel, EndCause, Session};

use super::{Frame, Page, time, transfer::TRANSFERS};
use crate::{Site, failed::Failed};

pub(crate) async fn home(State(site): State<Site>, frame: Frame) -> Result<Page, Failed> {
    let Some(user) = &frame.user else {
        let content = html! {
            (why_logged_out(&frame.session))
            div.card {
                p { "Nobody is logged in, so there is no session and no cookie." }
                p.actions { a.button href="/login" { "Log in" } a.button.quiet href="/signup" { "Sign up" } }
            }
        };
        return Ok(frame.page("Welcome", &content));
    };
    let (session, now) = (user.authenticated(), site.clock.now());
    let level = session.level();
    let device = if frame.session.is_bound() {
        "bound to this device"
    } else {
        // Right after the login the browser has not registered its device yet.
        "not bound, or not yet"
    };
    let facts = [
        ("Name", user.name.clone()),
        ("Role", user.role.as_str().to_owned()),
        ("Assurance level", level.to_string()),
        ("Last proved", time::away(now, session.authenticated_at())),
        ("Session began", time::away(now, session.created_at())),
        ("Ends at the latest", time::away(now, session.expires_at())),
        ("Browser", session.label().unwrap_or("unknown").to_owned()),
        ("Device", device.to_owned()),
    ];
    let transfers = frame.session.get(&TRANSFERS)?.unwrap_or_default();
    let content = html! {
        div.card {
            dl { @for (name, value) in facts { dt { (name) } dd { (value) } } }
            div.actions {
                @if level >= AssuranceLevel::AAL2 {
                    (frame.button("/step-down", "Give up level 2", "quiet"))
                } @else {
                    a.button href="/step-up" { "Step up to level 2" }
                }
                @if user.actor().is_none() {
                    a.button.quiet href="/password" { "Change password" }
                    a.button.quiet href="/delete" { "Delete account" }
                }
            }
        }
        @if !transfers.is_empty() {
            h2 { "Transfers of this session" }
            ul.card { @for transfer in transfers { li { (transfer) } } }
        }
    };
    Ok(frame.page("Your account", &content))
}

/// Tells a user who was logged in until now why that is over.
pub(crate) fn why_logged_out(session: &Session) -> Markup {
    let why = match session.why_ended() {
        None => return html! {},
        // As much as the cookie alone tells: what a store has dropped, it no longer knows of.
        Some(EndCause::Expired) => {
            "You were logged out, because you did nothing here for a while, or because no login lasts longer."
        }
        Some(EndCause::Replaced) => {
            "This browser was logged in again or stepped up in another tab. If you do not see it here, log in once more."
        }
        Some(EndCause::Reused) => {
            "You were logged out for safety: your session was used in a way that looks like a copy of its cookie."
        }
        Some(_) => {
            "You are not logged in any more: you did nothing here for a while, logged out elsewhere or changed your password, or an administrator ended your session."
        }
    };
    html! { p.notice role="status" { (why) } }
}
