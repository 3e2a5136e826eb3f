//! The second factor: stepping up to level 2, and down.

use std::time::Duration;

use axum::{
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use maud::{Markup, html};
use serde::Deserialize;
use tower_session_guard::{AssuranceLevel, ReturnPath, Session, StepUp};
use tower_session_guard_axum::CurrentUser;

use super::{Frame, Page, field::Field, login::too_many_tries};
use crate::{
    Site,
    failed::Failed,
    form::{Checked, Next, Nothing},
    users::User,
};

/// How long a second factor counts.
const SUDO: Duration = Duration::from_secs(15 * 60);

const WRONG: &str = "That is not the code.";

#[derive(Deserialize)]
pub(crate) struct SecondFactor {
    code: String,
    #[serde(flatten)]
    next: Next,
}

pub(crate) async fn form(
    State(site): State<Site>,
    user: CurrentUser<User>,
    frame: Frame,
    Query(next): Query<Next>,
) -> Result<Page, Failed> {
    let shown = shown_code(&site, &user).await?;
    let fields = fields(&frame, &next.path(), shown.as_deref(), None);
    Ok(frame.page("Confirm it is you", &fields))
}

/// The code, for the page of a demonstration; not for whoever acts as the user.
async fn shown_code(site: &Site, user: &CurrentUser<User>) -> Result<Option<String>, Failed> {
    match user.actor() {
        Some(_) => Ok(None),
        None => Ok(site.users.code(user.id).await?),
    }
}

fn fields(frame: &Frame, next: &ReturnPath, shown: Option<&str>, error: Option<&str>) -> Markup {
    let code = Field {
        name: "code",
        label: "Code",
        kind: Some("text"),
        autocomplete: "one-time-code",
        error,
        first: true,
        ..Field::default()
    };
    html! {
        form.card method="post" action="/step-up" {
            p { "What you are about to do needs your second factor. It counts for fifteen minutes." }
            (frame.csrf())
            input type="hidden" name="next" value=(next);
            (code.markup())
            button { "Confirm" }
            @match shown {
                Some(code) => p.hint {
                    "This is a demonstration: your account's code is always " b { (code) }
                    ". A real site asks for a passkey, or for what an authenticator app shows."
                },
                None => p.hint { "Only the user whom you act as knows the code." },
            }
        }
    }
}

pub(crate) async fn step_up(
    State(site): State<Site>,
    user: CurrentUser<User>,
    frame: Frame,
    Checked(factor): Checked<SecondFactor>,
) -> Result<Response, Failed> {
    let next = factor.next.path();
    let afterwards = Redirect::to(next.as_str());
    let shown = shown_code(&site, &user).await?;
    let again = move |status: StatusCode, error: &str| {
        let fields = fields(&frame, &next, shown.as_deref(), Some(error));
        (status, frame.page_with_error("Confirm it is you", &fields))
    };
    let account = format!("code of {}", user.id);
    if let Err(too_many) = site.tries.begin(&account, site.clock.now()) {
        return Ok(too_many_tries(too_many, again));
    }
    if !site.users.has_code(user.id, factor.code.trim()).await? {
        return Ok(again(StatusCode::UNPROCESSABLE_ENTITY, WRONG).into_response());
    }
    site.tries.succeeded(&account);
    let proof = StepUp::to(AssuranceLevel::AAL2).lasting(SUDO).by("code");
    user.session().elevate(proof);
    Ok(afterwards.into_response())
}

pub(crate) async fn step_down(session: Session, _: Checked<Nothing>) -> Redirect {
    session.step_down();
    Redirect::to("/")
}
