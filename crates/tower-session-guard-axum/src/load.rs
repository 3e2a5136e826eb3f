//! Loads the user of a request, and ends the sessions of users who are gone or have other credentials.

use axum_core::extract::FromRequestParts;
use http::request::Parts;
use tower_session_guard::{AuthenticatedSession, Subject};

use crate::{
    app_user::AppUser,
    current_user::{CurrentUser, Users},
    rejection::UserRejection,
    stamp::{Compared, Whose, compare},
};

/// Where messages of this crate go.
macro_rules! tell {
    ($level:ident, $($what:tt)+) => {
        tracing::$level!(target: "tower_session_guard_axum", $($what)+)
    };
}
pub(crate) use tell;

/// The request's user, from its extensions or loaded.
pub(crate) async fn load<U>(
    parts: &mut Parts,
    state: &U::State,
) -> Result<CurrentUser<U>, UserRejection>
where
    U: AppUser,
{
    let session = AuthenticatedSession::from_request_parts(parts, &()).await?;
    // Another session layer within the first has another session.
    if let Some(known) = parts.extensions.get::<CurrentUser<U>>()
        && known.authenticated().id() == session.id()
    {
        return Ok(known.clone());
    }
    let users = load_users(&session, state).await?;
    let user: CurrentUser<U> = CurrentUser::new(users, session);
    parts.extensions.insert(user.clone());
    Ok(user)
}

async fn load_users<U>(
    session: &AuthenticatedSession,
    state: &U::State,
) -> Result<Users<U>, UserRejection>
where
    U: AppUser,
{
    let actor = match session.actor() {
        Some(actor) => Some(find::<U>(session, actor, Whose::Actors, state).await?),
        None => None,
    };
    let user = find(session, session.subject(), Whose::Users, state).await?;
    Ok(Users { user, actor })
}

/// The user whom `subject` names, if the session may go on as that user's; else it ends.
async fn find<U>(
    session: &AuthenticatedSession,
    subject: &Subject,
    whose: Whose,
    state: &U::State,
) -> Result<U, UserRejection>
where
    U: AppUser,
{
    let found = U::load(subject, state).await.map_err(|error| {
        let error = error.into();
        tell!(error, error = &*error, "the user could not be loaded");
        UserRejection::Unavailable
    })?;
    let Some(user) = found else {
        tell!(info, "a session ends whose user was deleted or disabled");
        end(session, whose);
        return Err(UserRejection::Gone);
    };
    if user.subject() != *subject {
        tell!(
            error,
            "`AppUser::load` returned a user whose `subject` is not the one it was asked for: return the user whom the subject names"
        );
        return Err(UserRejection::Unavailable);
    }
    match compare(session.session(), whose, user.credential_stamp()) {
        Compared::Same => return Ok(user),
        Compared::Changed => tell!(info, "a session ends whose user's credentials have changed"),
        Compared::Missing => tell!(
            warn,
            "a session ends that has no credential stamp: log in with `session.login(user.to_login())` and act with \
             `user.to_impersonation(actor)`, and keep the stamp out of `Session::clear`"
        ),
    }
    end(session, whose);
    Err(UserRejection::CredentialsChanged)
}

/// Ends the session. Of a session in which somebody acts, only the acting ends if the actor is still who they were.
fn end(session: &AuthenticatedSession, whose: Whose) {
    match (whose, session.actor()) {
        (Whose::Users, Some(_)) => session.session().end_impersonation(),
        _ => session.session().logout(),
    }
}
