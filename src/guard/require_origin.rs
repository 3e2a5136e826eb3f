//! [`RequireOrigin`]: lets requests through that come from pages of the application.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response, request::Parts};
use tower_layer::Layer;
use tower_service::Service;

use super::{
    future::GuardFuture,
    origin::AllowedOrigins,
    refusal::{AsyncRefusal, EmptyRefusal, Refusal, RefusalResponse},
};
use crate::error::ConfigError;

/// Refuses requests that a page of another origin sends: for the handshake of a WebSocket and for streams.
///
/// A browser opens a WebSocket for any page and sends the cookies along (subject to `SameSite`), and no rule of the
/// browser keeps that page from reading what comes. So the server has to look where the handshake comes from. Put this
/// layer around the routes of long connections, on either side of the [`SessionLayer`](crate::SessionLayer).
///
/// | the request has | it is |
/// |---|---|
/// | one `Origin`, which is allowed | let through |
/// | another `Origin`, `null`, one that is no text, or several | refused |
/// | none, and a `Sec-Fetch-Site` of `cross-site` or `same-site` | refused |
/// | none, and `same-origin`, `none`, or no `Sec-Fetch-Site` | let through |
///
/// Browsers send `Origin` with every WebSocket handshake, with every request of an `EventSource` or a `fetch` to another
/// origin, and with every method but `GET` and `HEAD` (Fetch standard, "append a request `Origin` header"). They send none
/// with the `EventSource` of a page of the same origin. What comes without one is that, a navigation, an image of
/// another page, which `Sec-Fetch-Site` gives away, or no browser. A client that is no browser holds its cookie itself
/// and may write any `Origin`: this layer is no authentication.
///
/// The refusal is 403 with an empty body, unless [`on_refusal`](Self::on_refusal) says otherwise.
///
/// # Together with other layers
///
/// tower-http's `csrf` layer lets every `GET` through, since a `GET` changes nothing and a page cannot read the answer of
/// another origin. Neither holds for a WebSocket, whose handshake is a `GET`. Use that layer over everything and this one
/// around the long connections. Do not put this one around pages: a link from another site to a page has no `Origin`
/// and is `cross-site`. A CORS layer goes outside of it.
///
/// # Examples
///
/// ```
/// use axum::{Router, routing::get};
/// use tower_session_guard::{KeyRing, RequireOrigin, SessionLayer};
///
/// let origin = RequireOrigin::new("https://app.example")?.or("https://beta.app.example")?;
/// let app: Router = Router::new()
///     .route("/socket", get(|| async { "the handshake" }).layer(origin))
///     .layer(SessionLayer::new(KeyRing::generate()?));
/// # Ok::<(), tower_session_guard::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct RequireOrigin<F = EmptyRefusal> {
    allowed: Arc<AllowedOrigins>,
    refusal: F,
}

impl RequireOrigin {
    /// Lets requests of pages through whose origin this is: scheme, host and, unless it is the scheme's default, port, as
    /// the address bar shows them.
    ///
    /// # Errors
    ///
    /// If it is no origin: without a scheme, with a path, with a wildcard, or `null`.
    pub fn new(origin: impl AsRef<str>) -> Result<Self, ConfigError> {
        let none = Self {
            allowed: Arc::default(),
            refusal: EmptyRefusal,
        };
        none.or(origin)
    }
}

impl<F> RequireOrigin<F> {
    /// Lets requests of pages of another origin through too.
    ///
    /// # Errors
    ///
    /// As [`new`](RequireOrigin::new).
    pub fn or(mut self, origin: impl AsRef<str>) -> Result<Self, ConfigError> {
        Arc::make_mut(&mut self.allowed).add(origin.as_ref())?;
        Ok(self)
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
    /// use tower_session_guard::RequireOrigin;
    ///
    /// let origin = RequireOrigin::new("https://app.example")?
    ///     .on_refusal(|refusal, _| (refusal.status(), "open this from our own pages"));
    /// # let _: axum::Router = axum::Router::new()
    /// #     .route("/", axum::routing::get(|| async {})).layer(origin);
    /// # Ok::<(), tower_session_guard::ConfigError>(())
    /// ```
    pub fn on_refusal<C, R>(self, refusal: C) -> RequireOrigin<C>
    where
        C: Fn(&Refusal, &Parts) -> R,
    {
        self.on_refusal_with(refusal)
    }

    /// The same with a future, for an answer that asks a database or a translator. What the closure is given is its
    /// own; what its future needs of the application, it clones.
    pub fn on_refusal_async<C, R>(self, refusal: C) -> RequireOrigin<AsyncRefusal<C>>
    where
        C: Fn(Refusal, Parts) -> R,
        R: Future + Send + 'static,
    {
        self.on_refusal_with(AsyncRefusal::new(refusal))
    }

    /// The same with a type of the application that implements [`RefusalResponse`](crate::RefusalResponse).
    pub fn on_refusal_with<G>(self, refusal: G) -> RequireOrigin<G> {
        RequireOrigin {
            allowed: self.allowed,
            refusal,
        }
    }
}

impl<S, F> Layer<S> for RequireOrigin<F>
where
    F: Clone,
{
    type Service = RequireOriginService<S, F>;

    fn layer(&self, inner: S) -> Self::Service {
        RequireOriginService {
            inner,
            settings: self.clone(),
        }
    }
}

/// The service that a [`RequireOrigin`] makes of an inner one.
#[derive(Clone, Debug)]
pub struct RequireOriginService<S, F = EmptyRefusal> {
    inner: S,
    settings: RequireOrigin<F>,
}

impl<S, F, ReqBody, ResBody> Service<Request<ReqBody>> for RequireOriginService<S, F>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    F: RefusalResponse<ResBody>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = GuardFuture<S::Future, ResBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let RequireOrigin { allowed, refusal } = &self.settings;
        if allowed.admit(request.headers()) {
            return GuardFuture::inner(self.inner.call(request));
        }
        let (request, _) = request.into_parts();
        GuardFuture::refused(refusal.respond(&Refusal::ForeignOrigin, request))
    }
}
