//! Logging in, stepping up and down, logging out.

use std::time::Duration;

use axum::{
    body::Body,
    extract::{Form, Query},
    http::{HeaderMap, StatusCode, header, request::Parts},
    response::{Html, IntoResponse, Redirect, Response},
};
use serde::Deserialize;
use tower_session_guard::{
    AssuranceLevel, Login, Refusal, RequireAuthentication, ReturnPath, Session,
};

use super::{
    form::{Checked, Nothing},
    page::{Text, csrf, page},
    users,
};

/// How long a second factor counts.
const SUDO: Duration = Duration::from_secs(15 * 60);

/// How old a proof may be where it matters.
const LATELY: Duration = Duration::from_secs(10 * 60);

type OnRefusal = fn(&Refusal, &Parts) -> Response<Body>;

/// Lets users through.
pub(crate) fn members() -> RequireAuthentication<OnRefusal> {
    RequireAuthentication::new().on_refusal(ask)
}

/// Lets users through who proved who they are in the last ten minutes, at whatever level.
pub(crate) fn proved_in_the_last_ten_minutes() -> RequireAuthentication<OnRefusal> {
    RequireAuthentication::new().within(LATELY).on_refusal(ask)
}

/// Lets users through who gave their second factor in the last ten minutes.
pub(crate) fn step_up_of_the_last_ten_minutes() -> RequireAuthentication<OnRefusal> {
    RequireAuthentication::at_least(AssuranceLevel::AAL2)
        .within(LATELY)
        .on_refusal(ask)
}

/// Sends a user to prove what is missing, and back to the page that asked for it.
fn ask(refusal: &Refusal, request: &Parts) -> Response<Body> {
    // The browser comes back with a GET: to the page whose form it was, where that is another one.
    let back = match request.uri.path() {
        path if path.starts_with("/sessions/") => ReturnPath::parse("/sessions"),
        _ => ReturnPath::of_request(request),
    };
    let back = back.in_query();
    match refusal {
        Refusal::NotAuthenticated => Redirect::to(&format!("/login?next={back}")).into_response(),
        other if other.asks_for_login() => {
            Redirect::to(&format!("/step-up?next={back}")).into_response()
        }
        other => other.status().into_response(),
    }
}

#[derive(Deserialize)]
pub(crate) struct Next {
    #[serde(default)]
    next: String,
}

impl Next {
    /// Where to go afterwards: a page of ours, whatever the query says.
    fn path(&self) -> ReturnPath {
        ReturnPath::parse(&self.next)
    }
}

pub(crate) async fn form(session: Session, Query(next): Query<Next>) -> Html<String> {
    login_page(&session, &next.path(), "")
}

fn login_page(session: &Session, next: &ReturnPath, error: &str) -> Html<String> {
    // No CSRF token: an anonymous request has no session to bind one to. tower-http's layer guards the login.
    let body = format!(
        r#"{error}<form class="card" method="post" action="/login">
<input type="hidden" name="next" value="{next}">
<label>Name <input name="name" autocomplete="username" required autofocus></label>
<label>Password <input name="password" type="password" autocomplete="current-password" required></label>
<label class="inline"><input name="remember" type="checkbox" value="yes"> Stay logged in for 30 days</label>
<button>Log in</button>
<p class="hint">This is a demonstration: the users are <b>alice</b> and <b>bob</b>, the password of both
is <b>{password}</b>.</p>
</form>"#,
        next = Text(next),
        password = users::PASSWORD,
    );
    page(session, "Log in", &body)
}

#[derive(Deserialize)]
pub(crate) struct Credentials {
    name: String,
    password: String,
    remember: Option<String>,
    #[serde(flatten)]
    next: Next,
}

pub(crate) async fn login(
    session: Session,
    headers: HeaderMap,
    Form(credentials): Form<Credentials>,
) -> Response {
    let next = credentials.next.path();
    let Some(user) = users::verify(&credentials.name, &credentials.password) else {
        let error = r#"<p class="error">Name and password do not match.</p>"#;
        let page = login_page(&session, &next, error);
        return (StatusCode::UNPROCESSABLE_ENTITY, page).into_response();
    };
    let mut login = Login::new(user).labelled(browser(&headers));
    if credentials.remember.is_some() {
        login = login.remembered();
    }
    session.login(login); // that is all: the layer rotates
    Redirect::to(&format!("/logged-in?next={}", next.in_query())).into_response()
}

/// Where a login leads first: a browser that drops the cookie would otherwise ask for the password again, without a word.
pub(crate) async fn logged_in(session: Session, Query(next): Query<Next>) -> Response {
    let next = next.path();
    if session.is_authenticated() {
        return Redirect::to(next.as_str()).into_response();
    }
    let error = r#"<p class="error">Your browser dropped the cookie of the login. It keeps one over HTTPS, and most
browsers also from <b>localhost</b>.</p>"#;
    login_page(&session, &next, error).into_response()
}

/// What a person recognises a browser by.
fn browser(headers: &HeaderMap) -> String {
    let agent = headers.get(header::USER_AGENT);
    let agent = agent.and_then(|agent| agent.to_str().ok()).unwrap_or("");
    let first = |words: &[(&str, &'static str)], or: &'static str| {
        let word = words.iter().find(|(word, _)| agent.contains(word));
        word.map_or(or, |(_, name)| name)
    };
    let browsers = [
        ("Firefox/", "Firefox"),
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ];
    let systems = [
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS", "macOS"),
        ("Linux", "Linux"),
    ];
    let browser = first(&browsers, "A browser");
    format!("{browser} on {}", first(&systems, "an unknown system"))
}

pub(crate) async fn step_up_form(session: Session, Query(next): Query<Next>) -> Html<String> {
    step_up_page(&session, &next.path(), "")
}

fn step_up_page(session: &Session, next: &ReturnPath, error: &str) -> Html<String> {
    let body = format!(
        r#"{error}<form class="card" method="post" action="/step-up">
<p>What you are about to do needs your second factor. It counts for fifteen minutes.</p>
{csrf}<input type="hidden" name="next" value="{next}">
<label>Code <input name="code" inputmode="numeric" autocomplete="one-time-code" required autofocus></label>
<button>Confirm</button>
<p class="hint">This is a demonstration: the code is always <b>{code}</b>.</p>
</form>"#,
        csrf = csrf(session),
        next = Text(next),
        code = users::CODE,
    );
    page(session, "Confirm it is you", &body)
}

#[derive(Deserialize)]
pub(crate) struct SecondFactor {
    code: String,
    #[serde(flatten)]
    next: Next,
}

pub(crate) async fn step_up(session: Session, Checked(factor): Checked<SecondFactor>) -> Response {
    let next = factor.next.path();
    if factor.code != users::CODE {
        let error = r#"<p class="error">That is not the code.</p>"#;
        let page = step_up_page(&session, &next, error);
        return (StatusCode::UNPROCESSABLE_ENTITY, page).into_response();
    }
    session.elevate_for(AssuranceLevel::AAL2, SUDO);
    Redirect::to(next.as_str()).into_response()
}

pub(crate) async fn step_down(session: Session, _: Checked<Nothing>) -> Redirect {
    session.step_down();
    Redirect::to("/")
}

pub(crate) async fn logout(session: Session, _: Checked<Nothing>) -> Redirect {
    session.logout();
    Redirect::to("/")
}
