//! Extractors for axum handlers.

use std::{error::Error, fmt};

use axum_core::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Response},
};
use http::{StatusCode, request::Parts};

use crate::session::handle::{AuthenticatedSession, Session};

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
/// As a response it is 401 where nobody is logged in and 500 where the layer is missing, both with an
/// empty body.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum AuthenticationRejection {
    /// Nobody is logged in.
    NotAuthenticated,
    /// The route is not within a [`SessionLayer`](crate::SessionLayer).
    MissingSessionLayer(MissingSessionLayer),
}

impl fmt::Display for AuthenticationRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAuthenticated => f.write_str("nobody is logged in"),
            Self::MissingSessionLayer(missing) => missing.fmt(f),
        }
    }
}

impl Error for AuthenticationRejection {}

impl IntoResponse for AuthenticationRejection {
    fn into_response(self) -> Response {
        match self {
            Self::NotAuthenticated => StatusCode::UNAUTHORIZED.into_response(),
            Self::MissingSessionLayer(missing) => missing.into_response(),
        }
    }
}

impl<S> FromRequestParts<S> for AuthenticatedSession
where
    S: Sync,
{
    type Rejection = AuthenticationRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        match parts.extensions.get::<Session>() {
            Some(session) => session
                .authenticated()
                .ok_or(AuthenticationRejection::NotAuthenticated),
            None => Err(AuthenticationRejection::MissingSessionLayer(
                MissingSessionLayer(()),
            )),
        }
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
