//! During the move: the old layer around the new one, so that old logins that rotated become new ones.

use axum::{
    Router,
    http::{StatusCode, request::Parts},
    response::Redirect,
    routing::post,
};
use tower_session_guard::{Login, Session, SessionLayer, Timestamp};
use tower_sessions::{Session as OldSession, SessionStore, session};

use super::{
    after,
    before::{self, USER},
};
use crate::{note::RotatedLogin, page::failed, users::Users};

/// The application: that of after, with the old sessions outside.
pub fn router<S>(users: Users, old_store: S, sessions: SessionLayer) -> Router
where
    S: SessionStore + Clone,
{
    after::pages(users, sessions.sessions())
        .route("/logout", post(log_out))
        .layer(sessions.login_at_arrival(adopt))
        // Outside: the hook finds the old session in the request's extensions.
        .layer(before::session_layer(old_store))
}

/// Makes a new login of an old one that rotated, and ends the old one, rotated or not.
async fn adopt(request: Parts) -> Option<Login> {
    let old = request.extensions.get::<OldSession>()?;
    match take(old).await {
        Ok(login) => login,
        Err(error) => {
            failed(error);
            None
        }
    }
}

async fn take(old: &OldSession) -> Result<Option<Login>, session::Error> {
    let Some(user) = old.get::<u64>(USER).await? else {
        // An anonymous session stays.
        return Ok(None);
    };
    let rotated: Option<RotatedLogin> = old.get(RotatedLogin::KEY).await?;
    let theme: Option<String> = old.get(before::THEME).await?;
    // An old session that cannot be ended opens nothing: the next request tries again.
    end(old).await?;
    // Without the note, somebody may know the session's id from before the login.
    let Some(rotated) = rotated.filter(|rotated| rotated.user == user) else {
        tracing::info!(user, "an old login is over");
        return Ok(None);
    };
    tracing::info!(user, "an old login becomes a new one");
    let login = Login::new(user)
        .by("password")
        .authenticated_at(Timestamp::from_unix_seconds(rotated.at));
    Ok(match theme {
        Some(theme) => login.insert(&after::THEME, &theme).map_err(failed).ok(),
        None => Some(login),
    })
}

/// Logs out of both: an old session that is left would log in with the next request.
async fn log_out(session: Session, old: OldSession) -> Result<Redirect, StatusCode> {
    session.logout();
    end(&old).await.map_err(failed)?;
    Ok(Redirect::to("/login"))
}

/// Ends an old session, and has its layer remove the cookie.
async fn end(old: &OldSession) -> Result<(), session::Error> {
    if old.id().is_none() {
        return Ok(());
    }
    // First, since `flush` empties the session before it deletes it: if that failed, the layer would save an empty one.
    old.delete().await?;
    // Deletes once more. The session is gone, whatever comes of it.
    let _ = old.flush().await;
    Ok(())
}
