//! What users do to their own accounts: another password, and no account any more.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use maud::{Markup, html};
use serde::Deserialize;
use tower_session_guard_axum::{AppUser, CurrentUser, Flash};

use super::{Frame, Page, field::Field, login::too_many_tries};
use crate::{
    Site,
    failed::Failed,
    form::{Checked, Nothing},
    users::{Password, User},
};

pub(crate) const BAD_LENGTH: &str = "That password is too short or too long.";
const WRONG: &str = "That is not your password.";

#[derive(Deserialize)]
pub(crate) struct Change {
    old: String,
    new: String,
}

pub(crate) async fn password_form(frame: Frame) -> Page {
    let fields = fields(&frame, None, None);
    frame.page("Change your password", &fields)
}

fn fields(frame: &Frame, bad_old: Option<&str>, bad_new: Option<&str>) -> Markup {
    let old = Field {
        name: "old",
        label: "Present password",
        kind: Some("password"),
        autocomplete: "current-password",
        error: bad_old,
        first: bad_new.is_none(),
        ..Field::default()
    };
    let new = Field {
        name: "new",
        label: "New password",
        kind: Some("password"),
        autocomplete: "new-password",
        hint: Some(Password::RULE),
        error: bad_new,
        first: bad_new.is_some(),
        ..Field::default()
    };
    html! {
        form.card method="post" action="/password" {
            (frame.csrf())
            (old.markup())
            (new.markup())
            button { "Change password" }
            p.hint { "All your other sessions end with it." }
        }
    }
}

pub(crate) async fn change_password(
    State(site): State<Site>,
    user: CurrentUser<User>,
    flash: Flash,
    frame: Frame,
    Checked(change): Checked<Change>,
) -> Result<Response, Failed> {
    let again = move |status: StatusCode, bad_old: Option<&str>, bad_new: Option<&str>| {
        let fields = fields(&frame, bad_old, bad_new);
        (
            status,
            frame.page_with_error("Change your password", &fields),
        )
    };
    let Some(new) = Password::new(&change.new) else {
        let page = again(StatusCode::UNPROCESSABLE_ENTITY, None, Some(BAD_LENGTH));
        return Ok(page.into_response());
    };
    // Those of the login count too: it is the same password.
    if let Err(too_many) = site.tries.begin(&user.name, site.clock.now()) {
        let page = |status, error: &str| again(status, Some(error), None);
        return Ok(too_many_tries(too_many, page));
    }
    if !site.users.has_password(Some(user.id), &change.old).await? {
        let page = again(StatusCode::UNPROCESSABLE_ENTITY, Some(WRONG), None);
        return Ok(page.into_response());
    }
    site.tries.succeeded(&user.name);
    let changed = site.users.set_password(user.id, new).await?;
    let changed = changed.ok_or(Failed::NOT_FOUND)?;
    // This session goes on, under a new token and with the new password's stamp; all others end.
    changed.keep_session(user.session())?;
    user.session().renew();
    site.sessions.end_others(user.authenticated()).await?;
    let told = flash.success("Your password is changed, and your other sessions have ended.");
    Ok((told, Redirect::to("/")).into_response())
}

pub(crate) async fn delete_form(frame: Frame) -> Page {
    let content = html! {
        div.card {
            p { "Your account is deleted at once, and you are logged out everywhere. Nobody can bring it back." }
            div.actions { (frame.button("/delete", "Delete my account", "danger")) a.button.quiet href="/" { "Keep it" } }
        }
    };
    frame.page("Delete your account", &content)
}

pub(crate) async fn delete(
    State(site): State<Site>,
    user: CurrentUser<User>,
    flash: Flash,
    _: Checked<Nothing>,
) -> Result<(Flash, Redirect), Failed> {
    site.users.delete(user.id).await?;
    user.session().logout();
    site.sessions.end_all(&user.subject()).await?;
    Ok((flash.success("Your account is deleted."), Redirect::to("/")))
}
