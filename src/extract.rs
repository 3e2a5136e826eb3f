//! Extractors for axum handlers.

use std::{error::Error, fmt, ops::Deref};

use axum_core::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Response},
};
use http::{StatusCode, request::Parts};

use crate::{
    guard::{refusal::Refusal, requirement::Requirement},
    session::{
        authenticated::AuthenticatedSession, authentication::AssuranceLevel, csrf::CsrfRejected,
        handle::Session,
    },
};

/// The route is not within a [`SessionLayer`](crate::SessionLayer): a mistake of the application.
///
/// As a response it is 500 with an empty body.
#[derive(Clone, Copy, Debug)]
pub struct MissingSessionLayer(());

impl fmt::Display for MissingSessionLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the route is not within a SessionLayer: add the layer to the router")
    }
}

impl Error for MissingSessionLayer {}

impl IntoResponse for MissingSessionLayer {
    fn into_response(self) -> Response {
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}

impl<S> FromRequestParts<S> for Session
where
    S: Sync,
{
    type Rejection = MissingSessionLayer;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let session = parts.extensions.get::<Self>();
        session.cloned().ok_or(MissingSessionLayer(()))
    }
}

/// Why a handler that needs a logged-in user was not called.
///
/// As a response it is the [`refusal`](Self::refusal)'s status and challenge with an empty body: 401 where
/// nobody is logged in, 403 where the level falls short, 500 where the layer is missing.
#[derive(Clone, Copy, Debug)]
pub struct AuthenticationRejection(Refusal);

impl AuthenticationRejection {
    /// What was refused.
    #[must_use]
    pub const fn refusal(&self) -> Refusal {
        self.0
    }
}

impl fmt::Display for AuthenticationRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for AuthenticationRejection {}

impl IntoResponse for AuthenticationRejection {
    fn into_response(self) -> Response {
        let mut response = self.0.status().into_response();
        self.0.write_to(response.headers_mut());
        response
    }
}

impl IntoResponse for CsrfRejected {
    fn into_response(self) -> Response {
        Refusal::Csrf(self).status().into_response()
    }
}

impl<S> FromRequestParts<S> for AuthenticatedSession
where
    S: Sync,
{
    type Rejection = AuthenticationRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let logged_in = Requirement::default();
        let user = logged_in.check(&parts.extensions);
        user.map_err(AuthenticationRejection)
    }
}

/// The session of a user who is logged in at `LEVEL` or above, so that a handler's signature says what it
/// needs.
///
/// The level is a number, as in [`AssuranceLevel::new`]; 0 does not compile. It derefs to the
/// [`AuthenticatedSession`]. Only the extractor makes one, so a function that takes it need not check the level
/// again. For a limit on the age of the proof, or another answer than an empty body, use
/// [`RequireAuthentication`](crate::RequireAuthentication).
///
/// # Examples
///
/// ```
/// use tower_session_guard::AuthenticatedAt;
///
/// async fn delete_account(user: AuthenticatedAt<2>) -> String {
///     format!("deleted {}", user.subject())
/// }
/// # let _: axum::Router = axum::Router::new().route("/", axum::routing::post(delete_account));
/// ```
#[derive(Clone, Debug)]
pub struct AuthenticatedAt<const LEVEL: u8>(AuthenticatedSession);

impl<const LEVEL: u8> AuthenticatedAt<LEVEL> {
    const REQUIRED: AssuranceLevel = match AssuranceLevel::new(LEVEL) {
        Some(level) => level,
        None => panic!("level 0 means that nobody is logged in: use `Session`"),
    };

    /// The session, without what the type says of its level.
    #[must_use]
    pub fn into_inner(self) -> AuthenticatedSession {
        self.0
    }
}

impl<const LEVEL: u8> Deref for AuthenticatedAt<LEVEL> {
    type Target = AuthenticatedSession;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<const LEVEL: u8, S> FromRequestParts<S> for AuthenticatedAt<LEVEL>
where
    S: Sync,
{
    type Rejection = AuthenticationRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let requirement = Requirement {
            level: Some(Self::REQUIRED),
            within: None,
        };
        let user = requirement.check(&parts.extensions);
        user.map(Self).map_err(AuthenticationRejection)
    }
}

/// `None` where nobody is logged in.
impl<S> OptionalFromRequestParts<S> for AuthenticatedSession
where
    S: Sync,
{
    type Rejection = MissingSessionLayer;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Self::Rejection> {
        match parts.extensions.get::<Session>() {
            Some(session) => Ok(session.authenticated()),
            None => Err(MissingSessionLayer(())),
        }
    }
}
