//! After the move: the same pages, with users and sessions of tower-session-guard.

use std::{convert::Infallible, time::Duration};

use axum::{
    Form, Router,
    extract::State,
    http::StatusCode,
    response::{Html, IntoResponse, Redirect, Response},
    routing::{get, post},
};
use tower_session_guard::{DataKey, RequireAuthentication, Session, SessionLayer, Subject};
use tower_session_guard_axum::{AppUser, CredentialStamp, CurrentUser, LoginPage, RequireUser};

use crate::{
    page::{self, PasswordForm, ThemeForm, failed},
    users::{Credentials, User, Users},
};

/// The user's theme.
pub const THEME: DataKey<String> = DataKey::new("theme");

impl AppUser for User {
    type State = Users;
    type Error = Infallible;

    async fn load(subject: &Subject, users: &Users) -> Result<Option<Self>, Infallible> {
        let id = subject.as_str().parse().ok();
        Ok(id.and_then(|id| users.find(id)))
    }

    fn subject(&self) -> Subject {
        Subject::from(self.id)
    }

    fn credential_stamp(&self) -> Option<CredentialStamp> {
        Some(CredentialStamp::of(&self.password))
    }
}

/// The application.
pub fn router(users: Users, sessions: SessionLayer) -> Router {
    pages(users).route("/logout", post(log_out)).layer(sessions)
}

/// All but the logout.
pub(super) fn pages(users: Users) -> Router {
    let members = RequireUser::<User>::with_state(&users).on_refusal_with(LoginPage::at("/login"));
    let lately = RequireAuthentication::new()
        .within(Duration::from_secs(600))
        .on_refusal_with(LoginPage::at("/login"));
    Router::new()
        .route("/", get(home))
        .route("/theme", post(set_theme))
        .route("/password", post(set_password).layer(lately))
        .route_layer(members)
        .route("/login", get(page::login).post(log_in))
        .with_state(users)
}

async fn log_in(
    session: Session,
    State(users): State<Users>,
    Form(credentials): Form<Credentials>,
) -> Response {
    let Some(user) = users.verify(&credentials) else {
        return (StatusCode::UNAUTHORIZED, page::login().await).into_response();
    };
    session.login(user.to_login().by("password"));
    Redirect::to("/").into_response()
}

async fn log_out(session: Session) -> Redirect {
    session.logout();
    Redirect::to("/login")
}

async fn home(user: CurrentUser<User>, session: Session) -> Result<Html<String>, StatusCode> {
    let theme = session.get(&THEME).map_err(failed)?;
    Ok(page::home(&user.name, theme.as_deref()))
}

async fn set_theme(session: Session, Form(form): Form<ThemeForm>) -> Result<Redirect, StatusCode> {
    let theme = page::known_theme(&form).ok_or(StatusCode::UNPROCESSABLE_ENTITY)?;
    session.insert(&THEME, theme).map_err(failed)?;
    Ok(Redirect::to("/"))
}

async fn set_password(
    user: CurrentUser<User>,
    State(users): State<Users>,
    Form(form): Form<PasswordForm>,
) -> Result<Redirect, StatusCode> {
    let changed = users.set_password(user.id, &form.password);
    let changed = changed.ok_or(StatusCode::NOT_FOUND)?;
    user.session().renew();
    changed.keep_session(user.session()).map_err(failed)?;
    Ok(Redirect::to("/"))
}
