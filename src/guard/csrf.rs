//! [`CsrfLayer`]: lets unsafe requests through only with their session's CSRF token.

use std::task::{Context, Poll};

use http::{HeaderMap, HeaderName, Method, Request, Response, request::Parts};
use tower_layer::Layer;
use tower_service::Service;

use super::{
    after_load::{AfterLoad, Gate},
    answer::Answer,
    refusal::{AsyncRefusal, EmptyRefusal, Refusal, RefusalResponse},
};
use crate::{
    mistake::{self, MissingLayer},
    session::{csrf::CsrfRejected, handle::Session},
};

/// Lets a request with an unsafe method through only if a header carries its session's CSRF token.
///
/// Unsafe is every method but `GET`, `HEAD` and `OPTIONS` (RFC 9110, section 9.2.1); a handler must then
/// not change anything on those. The header is `X-CSRF-Token` unless
/// [`header`](Self::header) says otherwise. Put the layer inside the [`SessionLayer`](crate::SessionLayer);
/// without one around it, everything unsafe is refused with 500, and the log says where it belongs. The refusal is 403 with an empty body
/// unless [`on_refusal`](Self::on_refusal) says otherwise.
///
/// It never reads a body. An HTML form without a script cannot set a header: leave its route out of the
/// layer and let the handler check the hidden field with
/// [`Session::check_csrf`](crate::Session::check_csrf).
///
/// # What it leaves to others
///
/// A request without a session is let through: it carries nobody's authority, and there is no token for it.
/// That holds for the login itself, which an attacker can have a browser send with the attacker's own
/// password. Guard it by where requests come from: tower-http's `csrf` layer does so with
/// `Sec-Fetch-Site` and `Origin`, for all browsers and without tokens. The two go together well: that one
/// outside, over everything, this one inside, as the second lock, for what is done in a user's name.
///
/// There is no double-submit cookie, and none should be added after a login: a sibling host can set one.
///
/// # Examples
///
/// ```
/// use axum::{Router, routing::post};
/// use tower_http::csrf::CsrfLayer as SameOrigin;
/// use tower_session_guard::{CsrfLayer, KeyRing, SessionLayer};
///
/// let app: Router = Router::new()
///     .route("/transfer", post(|| async { "done" }))
///     .layer(CsrfLayer::new())
///     .layer(SessionLayer::new(KeyRing::generate()?))
///     .layer(SameOrigin::new());
/// # Ok::<(), tower_session_guard::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct CsrfLayer<F = EmptyRefusal> {
    header: HeaderName,
    refusal: F,
}

impl CsrfLayer {
    /// Looks for the token in `X-CSRF-Token`.
    pub const fn new() -> Self {
        Self {
            header: HeaderName::from_static("x-csrf-token"),
            refusal: EmptyRefusal,
        }
    }
}

impl Default for CsrfLayer {
    /// The same as [`new`](Self::new).
    fn default() -> Self {
        Self::new()
    }
}

impl<F> CsrfLayer<F> {
    /// Looks for the token in another header.
    pub fn header(mut self, name: HeaderName) -> Self {
        self.header = name;
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
    /// use tower_session_guard::CsrfLayer;
    ///
    /// let guard = CsrfLayer::new().on_refusal(|_, _| Redirect::to("/"));
    /// # let _: axum::Router = axum::Router::new()
    /// #     .route("/", axum::routing::get(|| async {})).layer(guard);
    /// ```
    pub fn on_refusal<C, R>(self, refusal: C) -> CsrfLayer<C>
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
    /// use tower_session_guard::CsrfLayer;
    ///
    /// # async fn translated(language: Option<axum::http::HeaderValue>) -> String { String::new() }
    /// let guard = CsrfLayer::new().on_refusal_async(|refusal, request| async move {
    ///     let page = translated(request.headers.get("accept-language").cloned()).await;
    ///     (refusal.status(), Html(page))
    /// });
    /// # let _: axum::Router = axum::Router::new()
    /// #     .route("/", axum::routing::get(|| async {})).layer(guard);
    /// ```
    pub fn on_refusal_async<C, R>(self, refusal: C) -> CsrfLayer<AsyncRefusal<C>>
    where
        C: Fn(Refusal, Parts) -> R,
        R: Future + Send + 'static,
    {
        self.on_refusal_with(AsyncRefusal::new(refusal))
    }

    /// The same with a type of the application that implements [`RefusalResponse`](crate::RefusalResponse).
    pub fn on_refusal_with<G>(self, refusal: G) -> CsrfLayer<G> {
        CsrfLayer {
            header: self.header,
            refusal,
        }
    }
}

impl<S, F> Layer<S> for CsrfLayer<F>
where
    F: Clone,
{
    type Service = CsrfService<S, F>;

    fn layer(&self, inner: S) -> Self::Service {
        CsrfService {
            inner,
            settings: self.clone(),
        }
    }
}

/// The service that a [`CsrfLayer`] makes of an inner one.
#[derive(Clone, Debug)]
pub struct CsrfService<S, F = EmptyRefusal> {
    inner: S,
    settings: CsrfLayer<F>,
}

impl<S, F, ReqBody, ResBody> Service<Request<ReqBody>> for CsrfService<S, F>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    F: RefusalResponse<ResBody> + Clone,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = AfterLoad<S, ReqBody, CsrfLayer<F>, ResBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let needs_session = !is_safe(request.method());
        AfterLoad::of(&mut self.inner, request, &self.settings, needs_session)
    }
}

impl<F, R> Gate<R> for CsrfLayer<F>
where
    F: RefusalResponse<R>,
{
    fn check<B>(&self, request: &Request<B>) -> Result<(), Refusal> {
        check(request, &self.header)
    }

    fn refuse(&self, refusal: Refusal, request: Parts) -> Answer<R> {
        if refusal == Refusal::MissingSessionLayer {
            mistake::tell(&MissingLayer::around("CsrfLayer"));
        }
        self.refusal.respond(&refusal, request)
    }
}

fn check<B>(request: &Request<B>, header: &HeaderName) -> Result<(), Refusal> {
    if is_safe(request.method()) {
        return Ok(());
    }
    let session = request
        .extensions()
        .get::<Session>()
        .ok_or(Refusal::MissingSessionLayer)?;
    if !session.has_authority() {
        return Ok(());
    }
    let token = only(request.headers(), header).ok_or(Refusal::Csrf(CsrfRejected(())))?;
    session.check_csrf(token).map_err(Refusal::Csrf)
}

fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// The header's value, if it came once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    values.next().is_none().then(|| value.as_bytes())
}
