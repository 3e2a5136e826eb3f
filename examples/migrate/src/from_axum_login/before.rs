//! Before the move: users and sessions of axum-login.

use std::convert::Infallible;

use axum::{
    Form, Router,
    http::StatusCode,
    response::{Html, IntoResponse, Redirect, Response},
    routing::{get, post},
};
use axum_login::{
    AuthManagerLayer, AuthManagerLayerBuilder, AuthUser, AuthnBackend, login_required,
};
use tower_sessions_0_14::{Session, SessionManagerLayer, SessionStore};

use crate::{
    note::RotatedLogin,
    page::{self, ThemeForm, failed},
    users::{Credentials, User, Users},
};

/// The key of the user's theme.
pub const THEME: &str = "theme";

/// A session of axum-login with this application's users.
pub type AuthSession = axum_login::AuthSession<Users>;

impl AuthUser for User {
    type Id = u64;

    fn id(&self) -> u64 {
        self.id
    }

    fn session_auth_hash(&self) -> &[u8] {
        self.password.as_bytes()
    }
}

impl AuthnBackend for Users {
    type User = User;
    type Credentials = Credentials;
    type Error = Infallible;

    async fn authenticate(&self, credentials: Credentials) -> Result<Option<User>, Infallible> {
        Ok(self.verify(&credentials))
    }

    async fn get_user(&self, id: &u64) -> Result<Option<User>, Infallible> {
        Ok(self.find(*id))
    }
}

/// The layer with the sessions in this store.
pub fn auth_layer<S>(users: Users, store: S) -> AuthManagerLayer<Users, S>
where
    S: SessionStore + Clone,
{
    // Without `Secure`, since the example has no HTTPS.
    let sessions = SessionManagerLayer::new(store).with_secure(false);
    AuthManagerLayerBuilder::new(users, sessions).build()
}

/// The application.
pub fn router<S>(users: Users, store: S) -> Router
where
    S: SessionStore + Clone,
{
    Router::new()
        .route("/", get(home))
        .route("/theme", post(set_theme))
        .route_layer(login_required!(Users, login_url = "/login"))
        .route("/login", get(page::login).post(log_in))
        .route("/logout", post(log_out))
        .layer(auth_layer(users, store))
}

async fn log_in(
    mut auth: AuthSession,
    session: Session,
    Form(credentials): Form<Credentials>,
) -> Result<Response, StatusCode> {
    let user = auth.authenticate(credentials).await.map_err(failed)?;
    let Some(user) = user else {
        return Ok((StatusCode::UNAUTHORIZED, page::login().await).into_response());
    };
    // Every login begins under a new id, whatever the session held.
    session.cycle_id().await.map_err(failed)?;
    auth.login(&user).await.map_err(failed)?;
    session
        .insert(RotatedLogin::KEY, RotatedLogin::of(user.id))
        .await
        .map_err(failed)?;
    Ok(Redirect::to("/").into_response())
}

async fn log_out(mut auth: AuthSession) -> Result<Redirect, StatusCode> {
    auth.logout().await.map_err(failed)?;
    Ok(Redirect::to("/login"))
}

async fn home(auth: AuthSession, session: Session) -> Result<Html<String>, StatusCode> {
    let user = auth.user.ok_or(StatusCode::UNAUTHORIZED)?;
    let theme: Option<String> = session.get(THEME).await.map_err(failed)?;
    Ok(page::home(&user.name, theme.as_deref()))
}

async fn set_theme(session: Session, Form(form): Form<ThemeForm>) -> Result<Redirect, StatusCode> {
    let theme = page::known_theme(&form).ok_or(StatusCode::UNPROCESSABLE_ENTITY)?;
    session.insert(THEME, theme).await.map_err(failed)?;
    Ok(Redirect::to("/"))
}
