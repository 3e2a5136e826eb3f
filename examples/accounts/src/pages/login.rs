//! Logging in and out.

use axum::{
    extract::{Form, Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use maud::{Markup, html};
use serde::Deserialize;
use tower_session_guard::{ReturnPath, Session};
use tower_session_guard_axum::AppUser;

use super::{Frame, Page, browser, field::Field, home::why_logged_out};
use crate::{
    Site, demo,
    failed::Failed,
    form::{Checked, Next, Nothing},
    users::{Name, TooMany},
};

const WRONG: &str = "Name and password do not match.";
const DISABLED: &str = "An administrator has switched this account off.";
const DROPPED: &str = "Your browser dropped the cookie of the login. It keeps one over HTTPS, and most browsers also from localhost.";

#[derive(Deserialize)]
pub(crate) struct Credentials {
    name: String,
    password: String,
    remember: Option<String>,
    #[serde(flatten)]
    next: Next,
}

pub(crate) async fn form(frame: Frame, Query(next): Query<Next>) -> Page {
    let fields = fields("", false, &next.path(), None);
    let content = html! { (why_logged_out(&frame.session)) (fields) };
    frame.page("Log in", &content)
}

/// The form, with what was typed and ticked before; never the password.
fn fields(name: &str, remember: bool, next: &ReturnPath, error: Option<&str>) -> Markup {
    let name = Field {
        name: "name",
        label: "Name",
        autocomplete: "username",
        value: name,
        first: name.is_empty(),
        ..Field::default()
    };
    let password = Field {
        name: "password",
        label: "Password",
        kind: Some("password"),
        autocomplete: "current-password",
        error,
        first: !name.first,
        ..Field::default()
    };
    html! {
        form.card method="post" action="/login" {
            input type="hidden" name="next" value=(next);
            (name.markup())
            (password.markup())
            label.inline {
                input name="remember" type="checkbox" value="yes" checked[remember];
                "Stay logged in for 30 days"
            }
            button { "Log in" }
            p.hint { "You have no account? " a href="/signup" { "Sign up" } "." }
            p.hint {
                "This is a demonstration: there are " b { "alice" } ", " b { "bob" } " and the administrator " b { "admin" }
                "; the password of all is " b { (demo::PASSWORD) } "."
            }
        }
    }
}

pub(crate) async fn log_in(
    State(site): State<Site>,
    headers: HeaderMap,
    session: Session,
    frame: Frame,
    Form(credentials): Form<Credentials>,
) -> Result<Response, Failed> {
    let (typed, next) = (&*credentials.name, credentials.next.path());
    let (in_query, remember) = (next.in_query(), credentials.remember.is_some());
    let again = move |status: StatusCode, error: &str| {
        let fields = fields(typed, remember, &next, Some(error));
        (status, frame.page_with_error("Log in", &fields))
    };
    // As long as a name may be and one more: what is remembered of a try has a limit.
    let account = typed.trim().to_ascii_lowercase();
    let account: String = account.chars().take(Name::MAX_LEN + 1).collect();
    if let Err(too_many) = site.tries.begin(&account, site.clock.now()) {
        return Ok(too_many_tries(too_many, again));
    }
    let Some(user) = site.users.verify(typed, &credentials.password).await? else {
        return Ok(again(StatusCode::UNPROCESSABLE_ENTITY, WRONG).into_response());
    };
    site.tries.succeeded(&account);
    if user.disabled {
        return Ok(again(StatusCode::FORBIDDEN, DISABLED).into_response());
    }
    let mut login = user.to_login().by("password");
    if remember {
        login = login.remembered();
    }
    // That is all: the layer rotates.
    session.login(login.labelled(browser::label(&headers)));
    Ok(Redirect::to(&format!("/logged-in?next={in_query}")).into_response())
}

/// The page where no try counts, which says when the next one does.
pub(crate) fn too_many_tries(
    TooMany(pause): TooMany,
    page: impl FnOnce(StatusCode, &str) -> (StatusCode, Page),
) -> Response {
    let minutes = pause.as_secs().div_ceil(60);
    let plural = if minutes == 1 { "" } else { "s" };
    let error = format!("Too many tries have failed. Try again in {minutes} minute{plural}.");
    let retry_after = [(header::RETRY_AFTER, pause.as_secs().to_string())];
    (retry_after, page(StatusCode::TOO_MANY_REQUESTS, &error)).into_response()
}

/// Where a login leads first: a browser that drops the cookie would otherwise ask for the password again, without a word.
pub(crate) async fn logged_in(frame: Frame, Query(next): Query<Next>) -> Response {
    let next = next.path();
    if frame.user.is_some() {
        return Redirect::to(next.as_str()).into_response();
    }
    let fields = fields("", false, &next, Some(DROPPED));
    frame.page_with_error("Log in", &fields).into_response()
}

pub(crate) async fn log_out(session: Session, _: Checked<Nothing>) -> Redirect {
    session.logout();
    Redirect::to("/")
}

/// A use of the session, and nothing else.
pub(crate) async fn stay(Checked(next): Checked<Next>) -> Redirect {
    Redirect::to(next.path().as_str())
}
