//! [`RequireAuthentication`]: lets through who is logged in, strongly and lately enough.

use std::time::Duration;

use tower_layer::Layer;

use super::{
    refusal::EmptyRefusal, requirement::Requirement, service::RequireAuthenticationService,
};
use crate::session::authentication::AssuranceLevel;

/// Lets a request through only if its user is logged in, strongly enough and lately enough.
///
/// Put it around a route or a subtree, inside the [`SessionLayer`](crate::SessionLayer). It goes by the
/// level and the time of authentication as they were when the request came, so an elevation counts from
/// the next request on. Without a session layer around it everything is refused with 500.
///
/// | the user | is answered |
/// |---|---|
/// | is not logged in | 401 with `WWW-Authenticate: Cookie` |
/// | is logged in below the level | 403 with a challenge as in RFC 9470, `acr_values` |
/// | proved it too long ago | 403 with a challenge as in RFC 9470, `max_age` |
///
/// [`on_refusal`](Self::on_refusal) answers otherwise.
///
/// # Examples
///
/// Everything under the router needs a login, and a transfer needs a second factor of the last ten
/// minutes:
///
/// ```
/// use axum::{Router, routing::{get, post}};
/// use std::time::Duration;
/// use tower_session_guard::{AssuranceLevel, KeyRing, RequireAuthentication, SessionLayer};
///
/// let ten_minutes = Duration::from_secs(600);
/// let strong = RequireAuthentication::at_least(AssuranceLevel::AAL2).within(ten_minutes);
/// let app: Router = Router::new()
///     .route("/transfer", post(|| async { "done" }).layer(strong))
///     .route("/account", get(|| async { "yours" }))
///     .layer(RequireAuthentication::new())
///     .layer(SessionLayer::new(KeyRing::generate()?));
/// # Ok::<(), tower_session_guard::ConfigError>(())
/// ```
///
/// A redirect to the login page, which sends the user back afterwards:
///
/// ```
/// use axum::{body::Body, http::{Response, StatusCode, header, request::Parts}};
/// use tower_session_guard::{Refusal, RequireAuthentication, ReturnPath};
///
/// fn to_login(refusal: &Refusal, request: &Parts) -> Response<Body> {
///     let mut response = Response::new(Body::empty());
///     *response.status_mut() = refusal.status();
///     if refusal.asks_for_login() {
///         let back = ReturnPath::of(&request.uri).in_query();
///         if let Ok(location) = format!("/login?next={back}").try_into() {
///             *response.status_mut() = StatusCode::SEE_OTHER;
///             response.headers_mut().insert(header::LOCATION, location);
///         }
///     }
///     response
/// }
///
/// let members = RequireAuthentication::new().on_refusal(to_login);
/// # let _ = members;
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub struct RequireAuthentication<F = EmptyRefusal> {
    requirement: Requirement,
    refusal: F,
}

impl RequireAuthentication {
    /// Requires that somebody is logged in.
    pub fn new() -> Self {
        Self::default()
    }

    /// Requires that somebody is logged in at `level` or above.
    pub fn at_least(level: AssuranceLevel) -> Self {
        let mut required = Self::default();
        required.requirement.level = Some(level);
        required
    }
}

impl<F> RequireAuthentication<F> {
    /// Requires also that the user proved who they are no longer than `age` ago.
    pub const fn within(mut self, age: Duration) -> Self {
        self.requirement.within = Some(age);
        self
    }

    /// Makes the response to what is refused with `refusal`, see
    /// [`RefusalResponse`](crate::RefusalResponse).
    pub fn on_refusal<G>(self, refusal: G) -> RequireAuthentication<G> {
        RequireAuthentication {
            requirement: self.requirement,
            refusal,
        }
    }
}

impl<S, F> Layer<S> for RequireAuthentication<F>
where
    F: Clone,
{
    type Service = RequireAuthenticationService<S, F>;

    fn layer(&self, inner: S) -> Self::Service {
        RequireAuthenticationService::new(inner, self.requirement, self.refusal.clone())
    }
}
