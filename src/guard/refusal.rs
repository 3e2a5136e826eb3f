//! [`Refusal`] and [`RefusalResponse`]: why a request was refused, and what is answered.

use std::{error::Error, fmt, time::Duration};

use http::{HeaderMap, HeaderValue, Response, StatusCode, header, request::Parts};

use super::answer::Answer;
use crate::{
    mistake::{self, WHERE_TO_PUT_THE_LAYER},
    session::{authentication::AssuranceLevel, csrf::CsrfRejected, later::LoadFailed},
};

/// Why a guard did not let a request through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// Nobody is logged in.
    NotAuthenticated,
    /// The user is logged in below the level that the route needs.
    InsufficientLevel {
        /// The level that the route needs.
        required: AssuranceLevel,
    },
    /// The user proved who they are longer ago than the route allows.
    ProofTooOld {
        /// How long ago it may be.
        within: Duration,
    },
    /// The user did not prove who they are by the method that the route needs.
    NotProvedBy {
        /// The method that the route needs.
        method: &'static str,
    },
    /// The session is not bound to its user's device, or was bound a moment ago and the request came before its cookie.
    NotBound,
    /// The session's device proved itself longer ago than the route allows.
    ///
    /// The session layer turns the answer into a redirect to the same URL, unless the browser comes from one:
    /// see [`bound_within`](crate::RequireAuthentication::bound_within).
    DeviceProofTooOld {
        /// How long ago it may be.
        within: Duration,
    },
    /// The request carries no CSRF token of its session.
    Csrf(CsrfRejected),
    /// The request comes from a page of another origin.
    ForeignOrigin,
    /// A rule of the application refuses its user: a role or a permission is missing. No guard of this crate says so; it is for
    /// those of others.
    NotPermitted,
    /// What a guard decides by could not be asked, the application's users, say. No guard of this crate says so; it is for
    /// those of others.
    Unavailable,
    /// The route is not within a [`SessionLayer`](crate::SessionLayer): a mistake of the application.
    MissingSessionLayer,
    /// The session could not be loaded where the layer [loads lazily](crate::SessionLayer::lazily). The layer puts its own
    /// answer in the place of this one's.
    StoreFailed,
}

impl Refusal {
    /// The status: 401 where nobody is logged in, 403 where more is needed, 500 without a session layer, 503 if the store
    /// or what else a guard decides by failed.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::NotAuthenticated => StatusCode::UNAUTHORIZED,
            Self::InsufficientLevel { .. }
            | Self::ProofTooOld { .. }
            | Self::NotProvedBy { .. }
            | Self::NotBound
            | Self::DeviceProofTooOld { .. }
            | Self::Csrf(_)
            | Self::ForeignOrigin
            | Self::NotPermitted => StatusCode::FORBIDDEN,
            Self::MissingSessionLayer => StatusCode::INTERNAL_SERVER_ERROR,
            Self::StoreFailed | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The `WWW-Authenticate` challenge, where logging in, or doing so more strongly, would help.
    ///
    /// A 401 has to carry one (RFC 9110, section 15.5.2). No scheme is registered for session cookies;
    /// this one is called `Cookie`, which no browser answers with a dialogue. Where the level or the age
    /// falls short, it has the error code and the parameters of RFC 9470, section 3: `acr_values` is the
    /// level's number, `max_age` is in seconds.
    #[must_use]
    pub fn challenge(&self) -> Option<HeaderValue> {
        const STEP_UP: &str = "Cookie error=\"insufficient_user_authentication\"";
        let text = match self {
            Self::NotAuthenticated => return Some(HeaderValue::from_static("Cookie")),
            Self::InsufficientLevel { required } => format!("{STEP_UP}, acr_values=\"{required}\""),
            Self::ProofTooOld { within } => {
                format!("{STEP_UP}, max_age=\"{}\"", within.as_secs())
            }
            // RFC 9470 has no parameter for a method.
            Self::NotProvedBy { .. } => return Some(HeaderValue::from_static(STEP_UP)),
            Self::NotBound
            | Self::DeviceProofTooOld { .. }
            | Self::Csrf(_)
            | Self::ForeignOrigin
            | Self::NotPermitted
            | Self::MissingSessionLayer
            | Self::StoreFailed
            | Self::Unavailable => return None,
        };
        HeaderValue::try_from(text).ok()
    }

    /// Whether a login, or a stronger one, would let the user through.
    #[must_use]
    pub const fn asks_for_login(&self) -> bool {
        match self {
            Self::NotAuthenticated
            | Self::InsufficientLevel { .. }
            | Self::ProofTooOld { .. }
            | Self::NotProvedBy { .. } => true,
            Self::NotBound
            | Self::DeviceProofTooOld { .. }
            | Self::Csrf(_)
            | Self::ForeignOrigin
            | Self::NotPermitted
            | Self::MissingSessionLayer
            | Self::StoreFailed
            | Self::Unavailable => false,
        }
    }

    /// The refusal's own headers.
    pub(crate) fn write_to(&self, headers: &mut HeaderMap) {
        if let Some(challenge) = self.challenge() {
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAuthenticated => f.write_str("nobody is logged in"),
            Self::InsufficientLevel { required } => {
                write!(f, "the user is logged in below level {required}")
            }
            Self::ProofTooOld { within } => write!(
                f,
                "the user's last proof is older than {} seconds",
                within.as_secs()
            ),
            Self::NotProvedBy { method } => {
                write!(f, "the user did not prove who they are by {method:?}")
            }
            Self::NotBound => f.write_str("the session is not bound to its user's device"),
            Self::DeviceProofTooOld { within } => write!(
                f,
                "the last proof of the user's device is older than {} seconds",
                within.as_secs()
            ),
            Self::Csrf(rejected) => rejected.fmt(f),
            Self::ForeignOrigin => f.write_str("a page of another origin sent the request"),
            Self::NotPermitted => f.write_str("a rule of the application refuses the user"),
            Self::StoreFailed => LoadFailed.fmt(f),
            Self::Unavailable => f.write_str("what the guard decides by could not be asked"),
            Self::MissingSessionLayer => write!(
                f,
                "the route is not within a `SessionLayer`: {WHERE_TO_PUT_THE_LAYER}"
            ),
        }
    }
}

impl Error for Refusal {}

/// Makes the response to a refused request.
///
/// A closure from `&Refusal` and `&Parts` (the request without its body) to a response, or to what turns into an
/// [`Answer`], is one. It can
/// redirect to a login page with a [`ReturnPath`](crate::ReturnPath), answer JSON, or do as htmx wants.
/// Implement it for a type that keeps something of its own, such as templates, and give that to
/// [`on_refusal_with`](crate::RequireAuthentication::on_refusal_with).
#[diagnostic::on_unimplemented(
    message = "`{Self}` makes no response with a body of the type `{B}`",
    label = "a refused request cannot be answered with this body",
    note = "an empty answer needs `{B}: Default + 'static`",
    note = "give `on_refusal` a closure that makes a `Response<{B}>` (with axum, end it with `.into_response()`), or put the layer that changes the body (`TraceLayer`, `CompressionLayer`) outside of the guard"
)]
pub trait RefusalResponse<B> {
    /// The response to a request that was refused for this reason.
    fn respond(&self, refusal: &Refusal, request: Parts) -> Answer<B>;
}

/// Answers with the refusal's [status](Refusal::status) and [challenge](Refusal::challenge), and an empty
/// body.
///
/// In debug builds, the answer to a [mistake of the application](Refusal::MissingSessionLayer) says what to write instead,
/// where the body is axum's, a `String`, a `Vec<u8>` or `Bytes`.
#[derive(Clone, Copy, Debug, Default)]
pub struct EmptyRefusal;

impl<B> RefusalResponse<B> for EmptyRefusal
where
    B: Default + 'static,
{
    fn respond(&self, refusal: &Refusal, _: Parts) -> Answer<B> {
        let body = match refusal {
            Refusal::MissingSessionLayer => mistake::body(refusal),
            _ => B::default(),
        };
        let mut response = Response::new(body);
        *response.status_mut() = refusal.status();
        refusal.write_to(response.headers_mut());
        response.into()
    }
}

impl<F, R, B> RefusalResponse<B> for F
where
    F: Fn(&Refusal, &Parts) -> R,
    R: Into<Answer<B>>,
{
    fn respond(&self, refusal: &Refusal, request: Parts) -> Answer<B> {
        self(refusal, &request).into()
    }
}

/// What `on_refusal_async` makes of a closure: its response comes once a future is done.
#[derive(Clone, Copy)]
pub struct AsyncRefusal<C>(C);

impl<C> AsyncRefusal<C> {
    pub(super) const fn new(refusal: C) -> Self {
        Self(refusal)
    }
}

impl<C, R, B> RefusalResponse<B> for AsyncRefusal<C>
where
    C: Fn(Refusal, Parts) -> R,
    R: Future + Send + 'static,
    R::Output: Into<Answer<B>>,
    B: Send + 'static,
{
    fn respond(&self, refusal: &Refusal, request: Parts) -> Answer<B> {
        let answer = self.0(*refusal, request);
        Answer::later(async move { answer.await.into().response().await })
    }
}

impl<C> fmt::Debug for AsyncRefusal<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncRefusal").finish_non_exhaustive()
    }
}
