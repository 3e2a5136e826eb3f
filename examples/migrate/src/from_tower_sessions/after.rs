//! After the move: the same pages, with a session of tower-session-guard.

use std::time::Duration;

use axum::{
    Form, Router,
    extract::{FromRef, State},
    http::{StatusCode, request::Parts},
    response::{Html, IntoResponse, Redirect, Response},
    routing::{get, post},
};
use tower_session_guard::{
    AuthenticatedSession, DataKey, Login, Refusal, RequireAuthentication, Session, SessionLayer,
    Sessions,
};

use crate::{
    page::{self, PasswordForm, ThemeForm, failed},
    users::{Credentials, User, Users},
};

/// The user's theme.
pub const THEME: DataKey<String> = DataKey::new("theme");

#[derive(Clone, FromRef)]
struct App {
    users: Users,
    sessions: Sessions,
}

/// The application.
pub fn router(users: Users, sessions: SessionLayer) -> Router {
    let pages = pages(users, sessions.sessions());
    pages.route("/logout", post(log_out)).layer(sessions)
}

/// All but the logout.
pub(super) fn pages(users: Users, sessions: Sessions) -> Router {
    let members = RequireAuthentication::new().on_refusal(to_login);
    let lately = RequireAuthentication::new()
        .within(Duration::from_secs(600))
        .on_refusal(to_login);
    Router::new()
        .route("/", get(home))
        .route("/theme", post(set_theme))
        .route("/password", post(set_password).layer(lately))
        .route_layer(members)
        .route("/login", get(page::login).post(log_in))
        .with_state(App { users, sessions })
}

fn to_login(_: &Refusal, _: &Parts) -> Response {
    Redirect::to("/login").into_response()
}

async fn log_in(
    session: Session,
    State(users): State<Users>,
    Form(credentials): Form<Credentials>,
) -> Response {
    let Some(user) = users.verify(&credentials) else {
        return (StatusCode::UNAUTHORIZED, page::login().await).into_response();
    };
    session.login(Login::new(user.id).by("password"));
    Redirect::to("/").into_response()
}

async fn log_out(session: Session) -> Redirect {
    session.logout();
    Redirect::to("/login")
}

async fn home(
    session: AuthenticatedSession,
    State(users): State<Users>,
) -> Result<Html<String>, StatusCode> {
    let user = user_of(&session, &users).ok_or(StatusCode::NOT_FOUND)?;
    let theme = session.session().get(&THEME).map_err(failed)?;
    Ok(page::home(&user.name, theme.as_deref()))
}

async fn set_theme(session: Session, Form(form): Form<ThemeForm>) -> Result<Redirect, StatusCode> {
    let theme = page::known_theme(&form).ok_or(StatusCode::UNPROCESSABLE_ENTITY)?;
    session.insert(&THEME, theme).map_err(failed)?;
    Ok(Redirect::to("/"))
}

async fn set_password(
    session: AuthenticatedSession,
    State(sessions): State<Sessions>,
    State(users): State<Users>,
    Form(form): Form<PasswordForm>,
) -> Result<Redirect, StatusCode> {
    let user = user_of(&session, &users).ok_or(StatusCode::NOT_FOUND)?;
    users.set_password(user.id, &form.password);
    sessions.end_others(&session).await.map_err(failed)?;
    session.session().renew();
    Ok(Redirect::to("/"))
}

fn user_of(session: &AuthenticatedSession, users: &Users) -> Option<User> {
    users.find(session.subject().as_str().parse().ok()?)
}
