//! [`SessionError`] and [`FailureResponse`]: what is answered where the handler's answer cannot stand.

use std::{error::Error, fmt};

use http::{HeaderValue, Response, StatusCode, header};

use crate::store::StoreError;

/// Why the layer had to answer in the handler's place.
///
/// It is for the operator; a client sees the status and no more.
#[derive(Debug)]
pub struct SessionError {
    kind: SessionErrorKind,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// What kind of failure a [`SessionError`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionErrorKind {
    /// The store did not answer, or could not carry out a write.
    Store,
    /// Other requests kept changing the session; nothing was written.
    Contention,
    /// The operating system gave no random bytes.
    Randomness,
    /// The session ended, or its token was replaced, while the handler elevated it.
    Refused,
    /// The handler logged in a subject that is empty or longer than 255 bytes.
    InvalidSubject,
    /// The subject of a login has as many sessions as the policy allows.
    TooManySessions,
    /// The session does not fit a self-contained token.
    TooLarge,
    /// What was asked for needs a store.
    NeedsStore,
    /// Two session layers around the same service use one cookie.
    LayersShareCookie,
}

impl SessionError {
    /// What kind of failure it is.
    #[must_use]
    pub const fn kind(&self) -> SessionErrorKind {
        self.kind
    }

    /// The status that tells a client as much as it should know: 401 for a refused elevation, 409 for a
    /// login over the limit of sessions, which the user can resolve by ending one of them, 503 for a
    /// failure that may pass, 500 for a mistake of the application.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self.kind {
            SessionErrorKind::Refused => StatusCode::UNAUTHORIZED,
            SessionErrorKind::TooManySessions => StatusCode::CONFLICT,
            SessionErrorKind::InvalidSubject
            | SessionErrorKind::TooLarge
            | SessionErrorKind::NeedsStore
            | SessionErrorKind::LayersShareCookie => StatusCode::INTERNAL_SERVER_ERROR,
            SessionErrorKind::Store
            | SessionErrorKind::Contention
            | SessionErrorKind::Randomness => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    pub(crate) const fn new(kind: SessionErrorKind) -> Self {
        Self { kind, source: None }
    }

    pub(crate) fn randomness(source: impl Error + Send + Sync + 'static) -> Self {
        Self {
            kind: SessionErrorKind::Randomness,
            source: Some(source.into()),
        }
    }
}

/// A request met two layers that use one cookie.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LayersShareCookie;

impl From<LayersShareCookie> for SessionError {
    fn from(_: LayersShareCookie) -> Self {
        Self::new(SessionErrorKind::LayersShareCookie)
    }
}

impl From<StoreError> for SessionError {
    fn from(source: StoreError) -> Self {
        Self {
            kind: SessionErrorKind::Store,
            source: Some(source.into()),
        }
    }
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            SessionErrorKind::Store => "the session store failed",
            SessionErrorKind::Contention => "the session kept changing under the request",
            SessionErrorKind::Randomness => "the operating system gave no random bytes",
            SessionErrorKind::Refused => "the session ended or was rotated while it was elevated",
            SessionErrorKind::InvalidSubject => "the subject of a login has 1 to 255 bytes",
            SessionErrorKind::TooManySessions => "the subject has as many sessions as allowed",
            SessionErrorKind::TooLarge => "the session does not fit a self-contained token",
            SessionErrorKind::NeedsStore => "self-contained tokens cannot do this: use a store",
            SessionErrorKind::LayersShareCookie => {
                "two session layers use one cookie: clone one layer, or name their cookies apart"
            }
        })
    }
}

impl Error for SessionError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// Makes the response that takes the place of the handler's.
///
/// A closure from `&SessionError` to a response is one. Whatever it returns leaves without any cookie of
/// the session and with `Cache-Control: no-store`.
pub trait FailureResponse<B> {
    /// The response to a request that failed for this reason.
    fn respond(&self, error: &SessionError) -> Response<B>;
}

/// Answers with the error's [status](SessionError::status) and an empty body.
#[derive(Clone, Copy, Debug, Default)]
pub struct EmptyFailure;

impl<B> FailureResponse<B> for EmptyFailure
where
    B: Default,
{
    fn respond(&self, error: &SessionError) -> Response<B> {
        let mut response = Response::new(B::default());
        *response.status_mut() = error.status();
        response
    }
}

impl<F, B> FailureResponse<B> for F
where
    F: Fn(&SessionError) -> Response<B>,
{
    fn respond(&self, error: &SessionError) -> Response<B> {
        self(error)
    }
}

/// The reply to a failure, made safe to send.
pub(crate) fn reply<F, B>(failure: &F, error: &SessionError) -> Response<B>
where
    F: FailureResponse<B>,
{
    let mut response = failure.respond(error);
    let no_store = HeaderValue::from_static("no-store");
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, no_store);
    response
}
