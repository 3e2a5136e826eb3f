//! [`UserRejection`]: why a request has no user.

use std::{error::Error, fmt};

use axum_core::response::{IntoResponse, Response};
use tower_session_guard::{AuthenticationRejection, Refusal};

use crate::explanation::Explanation;

/// Why a handler that needs its user was not called.
///
/// As a response it has an empty body: 401 with a challenge where no user is there, for whatever reason, 503 if the user or the session
/// could not be loaded, and 500 where the [`SessionLayer`](tower_session_guard::SessionLayer) is missing. A handler that takes
/// `Result<CurrentUser<U>, UserRejection>` answers by itself.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum UserRejection {
    /// Nobody is logged in, or the session could not be loaded.
    NotAuthenticated(AuthenticationRejection),
    /// The user was deleted or disabled. The session ends with this answer; that of an actor goes back to the actor's own.
    Gone,
    /// The user's credentials are others than at the login. The session ends with this answer.
    CredentialsChanged,
    /// The application could not load its user; the log says why. Nothing ended.
    Unavailable,
}

impl UserRejection {
    /// The same as what a guard refuses, which says the status and the challenge.
    #[must_use]
    pub const fn refusal(&self) -> Refusal {
        match self {
            Self::NotAuthenticated(rejection) => rejection.refusal(),
            Self::Gone | Self::CredentialsChanged => Refusal::NotAuthenticated,
            Self::Unavailable => Refusal::Unavailable,
        }
    }

    /// Whether there is no user, rather than that it could not be found out.
    pub(crate) fn is_absence(&self) -> bool {
        self.refusal() == Refusal::NotAuthenticated
    }
}

impl From<AuthenticationRejection> for UserRejection {
    fn from(rejection: AuthenticationRejection) -> Self {
        Self::NotAuthenticated(rejection)
    }
}

impl IntoResponse for UserRejection {
    fn into_response(self) -> Response {
        if let Self::NotAuthenticated(rejection) = self {
            return rejection.into_response();
        }
        Explanation::short(&self.refusal())
    }
}

impl fmt::Display for UserRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAuthenticated(rejection) => rejection.fmt(f),
            Self::Gone => f.write_str("the user was deleted or disabled"),
            Self::CredentialsChanged => {
                f.write_str("the user's credentials are others than at the login")
            }
            Self::Unavailable => f.write_str("the user could not be loaded"),
        }
    }
}

impl Error for UserRejection {}
