//! During the move: the old stack around the new one, so that old logins become new ones.

use axum::{
    Router,
    http::{StatusCode, request::Parts},
    response::Redirect,
    routing::post,
};
use tower_session_guard::{Login, Session, SessionLayer, Timestamp};
use tower_session_guard_axum::AppUser;
use tower_sessions_0_14::{Session as OldSession, SessionStore, session};

use super::{
    after,
    before::{self, AuthSession},
};
use crate::{note::RotatedLogin, page::failed, users::Users};

/// Which old logins become new ones.
#[derive(Clone, Copy, Debug)]
pub enum Adopt {
    /// Those with the [note](RotatedLogin) that they rotated. All others have to log in again.
    Noted,
    /// Those without a note as well, as logins of long ago: what asks for a fresh proof asks for one.
    ///
    /// For applications where every login came to an anonymous session, which axum-login 0.18 gives a new id. Where a
    /// user could log in while another was, take [`Noted`](Self::Noted).
    All,
}

/// The application: that of after, with the old sessions outside.
pub fn router<S>(users: Users, old_store: S, sessions: SessionLayer, which: Adopt) -> Router
where
    S: SessionStore + Clone,
{
    after::pages(users.clone())
        .route("/logout", post(log_out))
        .layer(sessions.login_at_arrival(move |request| adopt(request, which)))
        // Outside: the hook finds the old session in the request's extensions.
        .layer(before::auth_layer(users, old_store))
}

/// Makes a new login of an old one, and ends the old one, adopted or not.
async fn adopt(request: Parts, which: Adopt) -> Option<Login> {
    let old = request.extensions.get::<AuthSession>()?;
    match take(old, which).await {
        Ok(login) => login,
        Err(error) => {
            failed(error);
            None
        }
    }
}

async fn take(old: &AuthSession, which: Adopt) -> Result<Option<Login>, session::Error> {
    let Some(user) = &old.user else {
        // An anonymous session stays.
        return Ok(None);
    };
    let noted: Option<RotatedLogin> = old.session.get(RotatedLogin::KEY).await?;
    let theme: Option<String> = old.session.get(before::THEME).await?;
    // An old session that cannot be ended opens nothing: the next request tries again.
    end(&old.session).await?;
    let logged_in_at = match (noted, which) {
        (Some(noted), _) if noted.user == user.id => noted.at,
        (None, Adopt::All) => 0,
        // Somebody may know the session's id from before the login.
        (Some(_), _) | (None, Adopt::Noted) => {
            tracing::info!(user.id, "an old login is over");
            return Ok(None);
        }
    };
    tracing::info!(user.id, "an old login becomes a new one");
    let login = user
        .to_login()
        .by("password")
        .authenticated_at(Timestamp::from_unix_seconds(logged_in_at));
    Ok(match theme {
        Some(theme) => login.insert(&after::THEME, &theme).map_err(failed).ok(),
        None => Some(login),
    })
}

/// Logs out of both: an old session that is left would log in with the next request.
async fn log_out(session: Session, old: AuthSession) -> Result<Redirect, StatusCode> {
    session.logout();
    end(&old.session).await.map_err(failed)?;
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
