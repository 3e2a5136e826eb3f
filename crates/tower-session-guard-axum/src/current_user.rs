//! [`CurrentUser`]: the user of a request, loaded once.

use std::{fmt, ops::Deref, sync::Arc};

use axum_core::extract::{FromRef, FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;
use tower_session_guard::{AuthenticatedSession, Session};

use crate::{app_user::AppUser, load::load, rejection::UserRejection};

/// The user whom the request's session names, as an extractor.
///
/// The user is loaded once a request, however many extractors and guards ask. It is who was logged in when the request came; marks of
/// the running handler do not change it. It derefs to the application's user.
///
/// | the session's user | a handler that takes `CurrentUser<U>` | one that takes `Option<CurrentUser<U>>` |
/// |---|---|---|
/// | is there | is called | is called |
/// | is nobody | is answered with 401 | gets `None` |
/// | was deleted or disabled | with 401, and the session ends | gets `None`, and the session ends |
/// | has [other credentials](AppUser::credential_stamp) by now | with 401, and the session ends | gets `None`, and the session ends |
/// | cannot be loaded | with 503 | with 503 |
///
/// Where an administrator [acts](AppUser::to_impersonation) as the user, the administrator is loaded as well and has to be there with
/// unchanged credentials. If the user is gone the administrator returns to their own session, otherwise the session ends.
///
/// # Examples
///
/// ```
/// use axum::{Router, routing::get};
/// use tower_session_guard::{KeyRing, SessionLayer};
/// use tower_session_guard_axum::CurrentUser;
/// # use std::convert::Infallible;
/// # use tower_session_guard::Subject;
/// # use tower_session_guard_axum::AppUser;
/// # #[derive(Clone)]
/// # struct Database;
/// # struct User { name: String }
/// # impl AppUser for User {
/// #     type State = Database;
/// #     type Error = Infallible;
/// #     async fn load(_: &Subject, _: &Database) -> Result<Option<Self>, Infallible> { Ok(None) }
/// #     fn subject(&self) -> Subject { Subject::from(&*self.name) }
/// # }
///
/// async fn home(user: Option<CurrentUser<User>>) -> String {
///     user.map_or("Who are you?".into(), |user| format!("Hello, {}", user.name))
/// }
///
/// let app: Router = Router::new()
///     .route("/", get(home))
///     .with_state(Database)
///     .layer(SessionLayer::new(KeyRing::generate()?));
/// # Ok::<(), tower_session_guard::ConfigError>(())
/// ```
pub struct CurrentUser<U> {
    users: Arc<Users<U>>,
    session: AuthenticatedSession,
}

/// The user, and who acts as the user.
pub(crate) struct Users<U> {
    pub(crate) user: U,
    pub(crate) actor: Option<U>,
}

impl<U> CurrentUser<U> {
    pub(crate) fn new(users: Users<U>, session: AuthenticatedSession) -> Self {
        let users = Arc::new(users);
        Self { users, session }
    }

    /// The application's user.
    #[must_use]
    pub fn user(&self) -> &U {
        &self.users.user
    }

    /// Who acts as the user, if somebody [does](AppUser::to_impersonation).
    #[must_use]
    pub fn actor(&self) -> Option<&U> {
        self.users.actor.as_ref()
    }

    /// The session as it was when the request came.
    #[must_use]
    pub const fn authenticated(&self) -> &AuthenticatedSession {
        &self.session
    }

    /// The handle for marks and data.
    #[must_use]
    pub const fn session(&self) -> &Session {
        self.session.session()
    }
}

impl<U> Deref for CurrentUser<U> {
    type Target = U;

    fn deref(&self) -> &U {
        self.user()
    }
}

impl<U> Clone for CurrentUser<U> {
    fn clone(&self) -> Self {
        Self {
            users: Arc::clone(&self.users),
            session: self.session.clone(),
        }
    }
}

/// Without the user, of whom the application may not want to print everything.
impl<U> fmt::Debug for CurrentUser<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CurrentUser")
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}

impl<U, S> FromRequestParts<S> for CurrentUser<U>
where
    U: AppUser,
    U::State: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = UserRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, UserRejection> {
        load(parts, &U::State::from_ref(state)).await
    }
}

/// `None` where no user is there.
impl<U, S> OptionalFromRequestParts<S> for CurrentUser<U>
where
    U: AppUser,
    U::State: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = UserRejection;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &S,
    ) -> Result<Option<Self>, UserRejection> {
        match load(parts, &U::State::from_ref(state)).await {
            Ok(user) => Ok(Some(user)),
            Err(rejection) if rejection.is_absence() => Ok(None),
            Err(rejection) => Err(rejection),
        }
    }
}
