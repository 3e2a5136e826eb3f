//! [`BackgroundLayer`]: lets requests through as ones that are not their user's activity.

use std::task::{Context, Poll};

use http::{Request, Response, request::Parts};
use tower_layer::Layer;
use tower_service::Service;

use super::{
    future::GuardFuture,
    refusal::{EmptyRefusal, Refusal, RefusalResponse},
};
use crate::{
    mistake::{self, MissingLayer},
    session::handle::Session,
};

/// Makes the requests within ones that run in the background: a poll, a heartbeat, the question how long a session has
/// left.
///
/// Such a request is not its user's activity, so a page that polls does not keep its session alive. It neither
/// restarts the idle timer nor renews, re-signs or re-binds the token, and sets no cookie by itself, in either mode.
/// Handlers read the session as ever, and what they mark is carried out: see
/// [`Session::mark_background`](crate::Session::mark_background), which does the same for one request.
///
/// Put it around a route or a subtree, inside the [`SessionLayer`](crate::SessionLayer). Without a session layer around
/// it everything is refused with 500, and the log says where it belongs. [`on_refusal`](Self::on_refusal) answers
/// otherwise.
///
/// # Examples
///
/// ```
/// use axum::{Json, Router, routing::get};
/// use tower_session_guard::{BackgroundLayer, KeyRing, Session, SessionLayer};
///
/// async fn ends_at(session: Session) -> Json<Option<u64>> {
///     Json(session.idle_expires_at().map(|at| at.as_unix_seconds()))
/// }
///
/// let app: Router = Router::new()
///     .route("/session/ends-at", get(ends_at).layer(BackgroundLayer::new()))
///     .layer(SessionLayer::new(KeyRing::generate()?));
/// # Ok::<(), tower_session_guard::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub struct BackgroundLayer<F = EmptyRefusal> {
    refusal: F,
}

impl BackgroundLayer {
    /// Requests within run in the background.
    pub fn new() -> Self {
        Self::default()
    }
}

impl<F> BackgroundLayer<F> {
    /// Makes the response where there is no session layer with `refusal`, from the reason and the request without its
    /// body.
    pub fn on_refusal<C, R>(self, refusal: C) -> BackgroundLayer<C>
    where
        C: Fn(&Refusal, &Parts) -> R,
    {
        self.on_refusal_with(refusal)
    }

    /// The same with a type of the application that implements [`RefusalResponse`](crate::RefusalResponse).
    pub fn on_refusal_with<G>(self, refusal: G) -> BackgroundLayer<G> {
        BackgroundLayer { refusal }
    }
}

impl<S, F> Layer<S> for BackgroundLayer<F>
where
    F: Clone,
{
    type Service = BackgroundService<S, F>;

    fn layer(&self, inner: S) -> Self::Service {
        BackgroundService {
            inner,
            refusal: self.refusal.clone(),
        }
    }
}

/// The service that a [`BackgroundLayer`] makes of an inner one.
#[derive(Clone, Copy, Debug)]
pub struct BackgroundService<S, F = EmptyRefusal> {
    inner: S,
    refusal: F,
}

impl<S, F, ReqBody, ResBody> Service<Request<ReqBody>> for BackgroundService<S, F>
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
        match request.extensions().get::<Session>() {
            Some(session) => {
                session.mark_background();
                GuardFuture::inner(self.inner.call(request))
            }
            None => {
                let refusal = Refusal::MissingSessionLayer;
                mistake::tell(&MissingLayer::around("BackgroundLayer"));
                let (request, _) = request.into_parts();
                GuardFuture::refused(self.refusal.respond(&refusal, request))
            }
        }
    }
}
