//! [`SessionError`] and [`FailureResponse`]: what is answered where the handler's answer cannot stand.

use std::{error::Error, fmt};

use http::{HeaderValue, Response, StatusCode, header};

use crate::{error::with_sources, mistake, store::StoreError};

/// Why the layer had to answer in the handler's place.
///
/// It is for the operator; a client sees the status and no more.
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
    /// What another request wrote into the session meanwhile makes an [update](crate::Session::update) of this one
    /// fail, or leaves no room for its data; nothing was written.
    DataConflict,
    /// A self-contained session was bound to its user's device while the handler wrote data: the browser has a newer
    /// token, and nothing was written.
    BoundMeanwhile,
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
    /// login over the limit of sessions, which the user can resolve by ending one of them, and for data that crossed with a
    /// binding, which the same request writes when it is sent again, 503 for a
    /// failure that may pass, 500 for a mistake of the application.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self.kind {
            SessionErrorKind::Refused => StatusCode::UNAUTHORIZED,
            SessionErrorKind::TooManySessions | SessionErrorKind::BoundMeanwhile => {
                StatusCode::CONFLICT
            }
            SessionErrorKind::InvalidSubject
            | SessionErrorKind::TooLarge
            | SessionErrorKind::LayersShareCookie => StatusCode::INTERNAL_SERVER_ERROR,
            SessionErrorKind::Store
            | SessionErrorKind::Contention
            | SessionErrorKind::DataConflict
            | SessionErrorKind::Randomness => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Whether the application is to blame, so that its developer should see what to write instead.
    fn is_a_mistake(&self) -> bool {
        self.status() == StatusCode::INTERNAL_SERVER_ERROR
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

impl fmt::Debug for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        with_sources(self, f)
    }
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            SessionErrorKind::Store => "the session store failed",
            SessionErrorKind::Contention => "the session kept changing under the request",
            SessionErrorKind::DataConflict => {
                "the request's data does not go with what another request wrote meanwhile"
            }
            SessionErrorKind::BoundMeanwhile => {
                "the session was bound to a device while the request wrote its data"
            }
            SessionErrorKind::Randomness => "the operating system gave no random bytes",
            SessionErrorKind::Refused => "the session ended or was rotated while it was elevated",
            SessionErrorKind::InvalidSubject => {
                "the subject of a login has 1 to 255 bytes: log in the id of an account"
            }
            SessionErrorKind::TooManySessions => "the subject has as many sessions as allowed",
            SessionErrorKind::TooLarge => {
                "the session does not fit a self-contained token: put less into it, or keep sessions in a store"
            }
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
/// the session, but for that of a [login at arrival](crate::SessionLayer::login_at_arrival), and with
/// `Cache-Control: no-store`.
/// Implement it for a type that keeps something of its own, such as templates, and give that to
/// [`on_failure_with`](crate::SessionLayer::on_failure_with).
#[diagnostic::on_unimplemented(
    message = "`{Self}` makes no response with a body of the type `{B}`",
    label = "a failure cannot be answered with this body",
    note = "an empty answer needs `{B}: Default + 'static`",
    note = "give `SessionLayer::on_failure` a closure that makes a `Response<{B}>`, or put the layer that changes the body (`TraceLayer`, `CompressionLayer`) outside of the session layer"
)]
pub trait FailureResponse<B> {
    /// The response to a request that failed for this reason.
    fn respond(&self, error: &SessionError) -> Response<B>;
}

/// Answers with the error's [status](SessionError::status) and an empty body.
///
/// In debug builds, the answer to a mistake of the application, a 500, says what to write instead, where the body is axum's,
/// a `String`, a `Vec<u8>` or `Bytes`.
#[derive(Clone, Copy, Debug, Default)]
pub struct EmptyFailure;

impl<B> FailureResponse<B> for EmptyFailure
where
    B: Default + 'static,
{
    fn respond(&self, error: &SessionError) -> Response<B> {
        let body = if error.is_a_mistake() {
            mistake::body(error)
        } else {
            B::default()
        };
        let mut response = Response::new(body);
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
    // Layers that share a cookie are told of where that is noticed, with the cookie's name.
    if error.is_a_mistake() && error.kind != SessionErrorKind::LayersShareCookie {
        mistake::tell(error);
    }
    let mut response = failure.respond(error);
    let no_store = HeaderValue::from_static("no-store");
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, no_store);
    response
}
