//! [`RequireAuthentication`]: lets through who is logged in, strongly and lately enough.

use std::time::Duration;

use http::request::Parts;

use super::{
    refusal::{AsyncRefusal, EmptyRefusal, Refusal},
    requirement::Requirement,
};
use crate::session::authentication::AssuranceLevel;

/// Lets a request through only if its user is logged in, strongly enough and lately enough.
///
/// Put it around a route or a subtree, inside the [`SessionLayer`](crate::SessionLayer). It goes by the
/// level and the time of authentication as they were when the request came, so an elevation counts from
/// the next request on. Without a session layer around it everything is refused with 500, and the log says where the layer
/// belongs.
///
/// | the user | is answered |
/// |---|---|
/// | is not logged in | 401 with `WWW-Authenticate: Cookie` |
/// | is logged in below the level | 403 with a challenge as in RFC 9470, `acr_values` |
/// | proved it too long ago | 403 with a challenge as in RFC 9470, `max_age` |
/// | did not prove it by the method | 403 with a challenge as in RFC 9470 |
/// | has a session that is not bound to the device, where it must be | 403 |
/// | has a device that proved itself too long ago | 307 to the same URL, then 403 |
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
/// use axum::response::{IntoResponse, Redirect};
/// use tower_session_guard::{RequireAuthentication, ReturnPath};
///
/// let members = RequireAuthentication::new().on_refusal(|refusal, request| {
///     if !refusal.asks_for_login() {
///         return refusal.status().into_response();
///     }
///     let back = ReturnPath::of_request(request).in_query();
///     Redirect::to(&format!("/login?next={back}")).into_response()
/// });
/// # let _: axum::Router = axum::Router::new()
/// #     .route("/", axum::routing::get(|| async {})).layer(members);
/// ```
///
/// # Beneath other layers
///
/// A CORS layer goes outside of the guard. Browsers send a preflight without cookies, so the guard refuses it; it does not let
/// one through, since a handler for every method would then run for anybody. The log says so once a process.
///
/// The body of the inner service must have a `Default`, or the guard cannot answer by itself. `TraceLayer` and
/// `CompressionLayer` make a body without one: put them outside of the guard, or give
/// [`on_refusal`](Self::on_refusal) a closure.
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub struct RequireAuthentication<F = EmptyRefusal> {
    pub(super) requirement: Requirement,
    pub(super) refusal: F,
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

    /// Requires also that the user proved who they are by this method: the login or an elevation
    /// [named](crate::Login::by) it.
    ///
    /// Together with [`within`](Self::within) the age is that of the method's last proof, not of the login or of another
    /// method's.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_session_guard::RequireAuthentication;
    ///
    /// let ten_minutes = Duration::from_secs(600);
    /// let guard = RequireAuthentication::new().within(ten_minutes).by("passkey");
    /// # let _: axum::Router = axum::Router::new()
    /// #     .route("/", axum::routing::get(|| async {})).layer(guard);
    /// ```
    pub const fn by(mut self, method: &'static str) -> Self {
        self.requirement.method = Some(method);
        self
    }

    /// Requires also that the session is bound to its user's device, and that the request came with a good proof of it: see
    /// [`DeviceBinding`](crate::DeviceBinding).
    ///
    /// In the first seconds after a login a browser that can bind the session has not done so yet: let its page ask again.
    ///
    /// Requires the feature `dbsc`.
    ///
    /// # Examples
    ///
    /// ```
    /// use axum::{Router, routing::post};
    /// use tower_session_guard::{DeviceBinding, KeyRing, RequireAuthentication, SessionLayer};
    ///
    /// let sessions = SessionLayer::new(KeyRing::generate()?).with_device_binding(DeviceBinding::new("/dbsc"))?;
    /// let app: Router = Router::new()
    ///     .route("/transfer", post(|| async { "done" }).layer(RequireAuthentication::new().bound()))
    ///     .layer(sessions.device_endpoints()?)
    ///     .layer(sessions);
    /// # Ok::<(), tower_session_guard::ConfigError>(())
    /// ```
    #[cfg(feature = "dbsc")]
    pub const fn bound(mut self) -> Self {
        self.requirement.bound = true;
        self
    }

    /// Requires also that the session is bound to its user's device, and that the device proved itself no longer than `age` ago.
    ///
    /// Where the proof is older, the session layer sends the browser to the same URL with 307 and takes its bound cookie away,
    /// so the device proves itself on the way, without a page and without the user; the body of a `POST` comes again. If
    /// the browser comes back without a fresh proof, the refusal stands: 403, for the minute that a signed cookie remembers
    /// the demand. A session that is not bound is answered 403 at once.
    ///
    /// A browser renews nothing on a redirect that begins at a link of another site, nor for a path that is
    /// [excluded](crate::DeviceBinding::exclude): lead to such a route by a page of the application. A path and query of more
    /// than [2,048 bytes](crate::ReturnPath::MAX_LEN) is answered 403.
    ///
    /// Requires the feature `dbsc`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_session_guard::RequireAuthentication;
    ///
    /// let two_minutes = Duration::from_secs(120);
    /// let guard = RequireAuthentication::new().bound_within(two_minutes);
    /// # let _: axum::Router = axum::Router::new()
    /// #     .route("/", axum::routing::get(|| async {})).layer(guard);
    /// ```
    #[cfg(feature = "dbsc")]
    pub const fn bound_within(mut self, age: Duration) -> Self {
        self.requirement.bound = true;
        self.requirement.bound_within = Some(age);
        self
    }

    /// Makes the response to what is refused with `refusal`, from the reason and the request without its body.
    ///
    /// The closure returns a response, or what turns into an [`Answer`](crate::Answer). With the feature `axum` a
    /// redirect, a page, a status and a status with a body do; end a closure that returns something else with
    /// `.into_response()`.
    ///
    /// # Examples
    ///
    /// ```
    /// use axum::response::Redirect;
    /// use tower_session_guard::RequireAuthentication;
    ///
    /// let guard = RequireAuthentication::new().on_refusal(|_, _| Redirect::to("/login"));
    /// # let _: axum::Router = axum::Router::new()
    /// #     .route("/", axum::routing::get(|| async {})).layer(guard);
    /// ```
    pub fn on_refusal<C, R>(self, refusal: C) -> RequireAuthentication<C>
    where
        C: Fn(&Refusal, &Parts) -> R,
    {
        self.on_refusal_with(refusal)
    }

    /// The same with a future, for an answer that asks a database or a translator. What the closure is given is its
    /// own; what its future needs of the application, it clones.
    ///
    /// # Examples
    ///
    /// ```
    /// use axum::response::Html;
    /// use tower_session_guard::RequireAuthentication;
    ///
    /// # async fn translated(language: Option<axum::http::HeaderValue>) -> String { String::new() }
    /// let guard = RequireAuthentication::new().on_refusal_async(|refusal, request| async move {
    ///     let page = translated(request.headers.get("accept-language").cloned()).await;
    ///     (refusal.status(), Html(page))
    /// });
    /// # let _: axum::Router = axum::Router::new()
    /// #     .route("/", axum::routing::get(|| async {})).layer(guard);
    /// ```
    pub fn on_refusal_async<C, R>(self, refusal: C) -> RequireAuthentication<AsyncRefusal<C>>
    where
        C: Fn(Refusal, Parts) -> R,
        R: Future + Send + 'static,
    {
        self.on_refusal_with(AsyncRefusal::new(refusal))
    }

    /// The same with a type of the application that implements [`RefusalResponse`](crate::RefusalResponse).
    pub fn on_refusal_with<G>(self, refusal: G) -> RequireAuthentication<G> {
        RequireAuthentication {
            requirement: self.requirement,
            refusal,
        }
    }
}
