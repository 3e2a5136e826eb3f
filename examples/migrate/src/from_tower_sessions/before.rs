//! Before the move: the user's id in a session of tower-sessions.

use axum::{
    Form, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use tower_sessions::{Session, SessionManagerLayer, SessionStore};

use crate::{
    note::RotatedLogin,
    page::{self, ThemeForm, failed},
    users::{Credentials, Users},
};

/// The key of the user's id.
pub const USER: &str = "user";

/// The key of the user's theme.
pub const THEME: &str = "theme";

/// The layer with the sessions in this store.
pub fn session_layer<S>(store: S) -> SessionManagerLayer<S>
where
    S: SessionStore,
{
    // Without `Secure`, since the example has no HTTPS.
    SessionManagerLayer::new(store).with_secure(false)
}

/// The application.
pub fn router<S>(users: Users, store: S) -> Router
where
    S: SessionStore + Clone,
{
    Router::new()
        .route("/", get(home))
        .route("/theme", post(set_theme))
        .route("/login", get(page::login).post(log_in))
        .route("/logout", post(log_out))
        .with_state(users)
        .layer(session_layer(store))
}

async fn log_in(
    session: Session,
    State(users): State<Users>,
    Form(credentials): Form<Credentials>,
) -> Result<Response, StatusCode> {
    let Some(user) = users.verify(&credentials) else {
        return Ok((StatusCode::UNAUTHORIZED, page::login().await).into_response());
    };
    // Every login begins under a new id.
    session.cycle_id().await.map_err(failed)?;
    session.insert(USER, user.id).await.map_err(failed)?;
    session
        .insert(RotatedLogin::KEY, RotatedLogin::of(user.id))
        .await
        .map_err(failed)?;
    Ok(Redirect::to("/").into_response())
}

async fn log_out(session: Session) -> Result<Redirect, StatusCode> {
    session.flush().await.map_err(failed)?;
    Ok(Redirect::to("/login"))
}

async fn home(session: Session, State(users): State<Users>) -> Result<Response, StatusCode> {
    let user: Option<u64> = session.get(USER).await.map_err(failed)?;
    let Some(user) = user.and_then(|id| users.find(id)) else {
        return Ok(Redirect::to("/login").into_response());
    };
    let theme: Option<String> = session.get(THEME).await.map_err(failed)?;
    Ok(page::home(&user.name, theme.as_deref()).into_response())
}

async fn set_theme(session: Session, Form(form): Form<ThemeForm>) -> Result<Redirect, StatusCode> {
    let theme = page::known_theme(&form).ok_or(StatusCode::UNPROCESSABLE_ENTITY)?;
    session.insert(THEME, theme).await.map_err(failed)?;
    Ok(Redirect::to("/"))
}
