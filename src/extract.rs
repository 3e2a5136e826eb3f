//! Extractors for axum handlers.

use std::{error::Error, fmt, ops::Deref};

use axum::response::{Html, Redirect};
use axum_core::{
    body::Body,
    extract::{FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Response},
};
use http::{Extensions, StatusCode, request::Parts};

use crate::{
    guard::{
        answer::Answer,
        load::{LoadError, MissingSessionLayer, load},
        refusal::Refusal,
        requirement::Requirement,
    },
    middleware::failure::{EmptyFailure, FailureResponse, SessionError},
    mistake::{self, MissingLayer},
    session::{
        authenticated::AuthenticatedSession, authentication::AssuranceLevel, csrf::CsrfRejected,
        data::DataError, handle::Session,
    },
};

impl IntoResponse for MissingSessionLayer {
    fn into_response(self) -> Response {
        mistaken(&self)
    }
}

/// 500, and in debug builds what to write instead.
fn mistaken(what: &dyn fmt::Display) -> Response {
    let mut response = Response::new(mistake::body(what));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}

/// 500 where the layer is missing, as [`MissingSessionLayer`] is, and 503 with an empty body if the store failed.
impl IntoResponse for LoadError {
    fn into_response(self) -> Response {
        match self {
            Self::MissingSessionLayer(missing) => missing.into_response(),
            Self::StoreFailed => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        }
    }
}

impl<S> FromRequestParts<S> for Session
where
    S: Sync,
{
    type Rejection = LoadError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let session = load(&mut parts.extensions, MissingLayer::around("Session")).await?;
        session.note_look();
        Ok(session)
    }
}

/// Why a handler that needs a logged-in user was not called.
///
/// As a response it is the [`refusal`](Self::refusal)'s status and challenge with an empty body: 401 where
/// nobody is logged in, 403 where the level falls short, 503 if the store failed, and 500 where the layer is missing, as
/// [`MissingSessionLayer`] is.
#[derive(Clone, Copy, Debug)]
pub struct AuthenticationRejection {
    refusal: Refusal,
    /// What is told if there is no layer.
    missing: MissingLayer,
}

impl AuthenticationRejection {
    /// What was refused.
    #[must_use]
    pub const fn refusal(&self) -> Refusal {
        self.refusal
    }

    /// The user, loaded and checked; `missing` is told if there is no layer.
    async fn check(
        requirement: Requirement,
        extensions: &mut Extensions,
        missing: MissingLayer,
    ) -> Result<AuthenticatedSession, Self> {
        let refused = |refusal| Self { refusal, missing };
        let loaded = load(extensions, missing).await;
        loaded.map_err(|error| refused(error.into()))?;
        requirement.check(extensions).map_err(refused)
    }
}

impl fmt::Display for AuthenticationRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.refusal {
            Refusal::MissingSessionLayer => self.missing.fmt(f),
            refusal => refusal.fmt(f),
        }
    }
}

impl Error for AuthenticationRejection {}

impl IntoResponse for AuthenticationRejection {
    fn into_response(self) -> Response {
        let Self { refusal, missing } = self;
        if refusal == Refusal::MissingSessionLayer {
            return MissingSessionLayer(missing).into_response();
        }
        let mut response = refusal.status().into_response();
        refusal.write_to(response.headers_mut());
        response
    }
}

/// 500: the application puts in what does not fit, or reads a key as another type. The log says which key, as the body does in
/// debug builds. What the handler marked before does not count, but for a logout and a step-down.
impl IntoResponse for DataError {
    fn into_response(self) -> Response {
        mistake::tell(&self);
        mistaken(&self)
    }
}

/// The error's [status](SessionError::status) with an empty body, as [`EmptyFailure`] answers.
impl IntoResponse for SessionError {
    fn into_response(self) -> Response {
        EmptyFailure.respond(&self)
    }
}

impl IntoResponse for CsrfRejected {
    fn into_response(self) -> Response {
        Refusal::Csrf(self).status().into_response()
    }
}

impl From<Redirect> for Answer<Body> {
    fn from(redirect: Redirect) -> Self {
        redirect.into_response().into()
    }
}

impl From<StatusCode> for Answer<Body> {
    fn from(status: StatusCode) -> Self {
        status.into_response().into()
    }
}

impl<T> From<Html<T>> for Answer<Body>
where
    Html<T>: IntoResponse,
{
    fn from(page: Html<T>) -> Self {
        page.into_response().into()
    }
}

impl<T> From<(StatusCode, T)> for Answer<Body>
where
    T: IntoResponse,
{
    fn from(answer: (StatusCode, T)) -> Self {
        answer.into_response().into()
    }
}

impl<S> FromRequestParts<S> for AuthenticatedSession
where
    S: Sync,
{
    type Rejection = AuthenticationRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let missing = MissingLayer::around("AuthenticatedSession");
        AuthenticationRejection::check(Requirement::default(), &mut parts.extensions, missing).await
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
            ..Requirement::default()
        };
        let missing = MissingLayer {
            level: Some(LEVEL),
            ..MissingLayer::around("AuthenticatedAt")
        };
        let user = AuthenticationRejection::check(requirement, &mut parts.extensions, missing);
        user.await.map(Self)
    }
}

/// `None` where nobody is logged in.
impl<S> OptionalFromRequestParts<S> for AuthenticatedSession
where
    S: Sync,
{
    type Rejection = LoadError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Self::Rejection> {
        let missing = MissingLayer::around("Option<AuthenticatedSession>");
        let session = load(&mut parts.extensions, missing).await?;
        Ok(session.authenticated())
    }
}
