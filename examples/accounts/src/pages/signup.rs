//! Making an account.

use axum::{
    extract::{Form, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Redirect, Response},
};
use maud::{Markup, html};
use serde::Deserialize;
use tower_session_guard::Session;
use tower_session_guard_axum::AppUser;

use super::{Frame, Page, browser, field::Field, own};
use crate::{
    Site, demo,
    failed::Failed,
    users::{Name, Password, Role},
};

const NO_NAME: &str = "That is not such a name.";
const TAKEN: &str = "This name is taken. Choose another one.";

#[derive(Deserialize)]
pub(crate) struct Wishes {
    name: String,
    password: String,
}

pub(crate) async fn form(frame: Frame) -> Page {
    frame.page("Sign up", &fields("", None, None))
}

fn fields(name: &str, bad_name: Option<&str>, bad_password: Option<&str>) -> Markup {
    let name = Field {
        name: "name",
        label: "Name",
        autocomplete: "username",
        value: name,
        hint: Some(Name::RULE),
        error: bad_name,
        first: bad_password.is_none() || bad_name.is_some(),
        ..Field::default()
    };
    let password = Field {
        name: "password",
        label: "Password",
        kind: Some("password"),
        autocomplete: "new-password",
        hint: Some(Password::RULE),
        error: bad_password,
        first: !name.first,
        ..Field::default()
    };
    html! {
        form.card method="post" action="/signup" {
            (name.markup())
            (password.markup())
            button { "Sign up" }
            p.hint { "You have an account already? " a href="/login" { "Log in" } "." }
        }
    }
}

pub(crate) async fn sign_up(
    State(site): State<Site>,
    headers: HeaderMap,
    session: Session,
    frame: Frame,
    Form(wishes): Form<Wishes>,
) -> Result<Response, Failed> {
    let typed = wishes.name.clone();
    let again = move |bad_name, bad_password| {
        let fields = fields(&typed, bad_name, bad_password);
        let page = frame.page_with_error("Sign up", &fields);
        Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
    };
    let (name, password) = match (Name::parse(&wishes.name), Password::new(&wishes.password)) {
        (Some(name), Some(password)) => (name, password),
        (name, password) => {
            let bad_name = name.is_none().then_some(NO_NAME);
            let bad_password = password.is_none().then_some(own::BAD_LENGTH);
            return again(bad_name, bad_password);
        }
    };
    // A demonstration has one code for all.
    let made = site.users.create(&name, password, demo::CODE, Role::Member);
    let Some(user) = made.await? else {
        return again(Some(TAKEN), None);
    };
    let login = user.to_login().by("password");
    session.login(login.labelled(browser::label(&headers)));
    Ok(Redirect::to("/logged-in").into_response())
}
