//! [`DeviceEndpoints`]: answers browsers that register and refresh.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Method, Request, Response};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{
    reply,
    request::{Asked, Endpoint},
    serving::{Serving, bound_sessions},
};
use crate::middleware::settings::{Shared, Slot};

/// Answers the two endpoints at which browsers bind sessions to devices, and hands every other request on.
///
/// [`SessionLayer::device_endpoints`](crate::SessionLayer::device_endpoints) makes it. Put it directly inside its session
/// layer, and everything that may refuse or redirect a request inside of it: checks of CSRF tokens and origins, guards, redirects to
/// HTTPS or to a path without a slash. A browser follows no redirect to another endpoint without giving its proof away, and
/// sends no CSRF token. What limits the rate of requests must answer these paths with 503, never with 429, at which
/// Chromium ends the binding. Give the paths no CORS headers.
///
/// With self-contained tokens the session layer hands out the token of a session that was bound. Outside of it a registration is 500, and the
/// log says where to put the endpoints.
///
/// In a router of axum that is nested under a prefix, put both layers around the routes within. Give a router that is nested, or
/// merged with another, a `fallback` before them: axum runs its layers for its own routes and fallback only. Axum tells the prefix,
/// and browsers are told of the endpoints below it. No other router may take a prefix off.
///
/// # Examples
///
/// ```
/// use axum::{Router, routing::get};
/// use tower_session_guard::{DeviceBinding, KeyRing, SessionLayer};
///
/// let sessions = SessionLayer::new(KeyRing::generate()?).with_device_binding(DeviceBinding::new("/dbsc"))?;
/// let app: Router = Router::new()
///     .route("/", get(|| async { "hello" }))
///     .layer(sessions.device_endpoints()?)
///     .layer(sessions);
/// # let _ = app;
/// # Ok::<(), tower_session_guard::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct DeviceEndpoints {
    slot: Arc<Slot>,
}

impl DeviceEndpoints {
    pub(crate) const fn following(slot: Arc<Slot>) -> Self {
        Self { slot }
    }
}

impl<S> Layer<S> for DeviceEndpoints {
    type Service = DeviceEndpointsService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        DeviceEndpointsService {
            inner,
            slot: Arc::clone(&self.slot),
        }
    }
}

/// The service that [`DeviceEndpoints`] makes of an inner one.
#[derive(Clone)]
pub struct DeviceEndpointsService<S> {
    inner: S,
    slot: Arc<Slot>,
}

impl<S> fmt::Debug for DeviceEndpointsService<S>
where
    S: fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceEndpointsService")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for DeviceEndpointsService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: From<Bytes>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = DeviceEndpointsFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let state = match answer(&self.slot.get(), &request) {
            Some(answer) => State::Own { answer },
            None => State::Inner {
                inner: self.inner.call(request),
            },
        };
        DeviceEndpointsFuture { state }
    }
}

type BoxAnswer = Pin<Box<dyn Future<Output = Response<Bytes>> + Send>>;

/// The answer to a request, if it is one for an endpoint.
fn answer<B>(shared: &Arc<Shared>, request: &Request<B>) -> Option<BoxAnswer> {
    let settings = &bound_sessions(shared)?.settings;
    let path = request.uri().path();
    let endpoint = if path == settings.paths.register {
        Endpoint::Register
    } else if path == settings.paths.refresh {
        Endpoint::Refresh
    } else {
        return None;
    };
    if request.method() != Method::POST {
        return Some(Box::pin(async { reply::other_method() }));
    }
    let asked = Asked::of(request, settings);
    let serving = Serving::of(Arc::clone(shared), asked);
    Some(match endpoint {
        Endpoint::Register => Box::pin(serving.register()),
        Endpoint::Refresh => Box::pin(serving.refresh()),
    })
}

pin_project! {
    /// The response of a [`DeviceEndpointsService`].
    pub struct DeviceEndpointsFuture<F> {
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F> {
        Inner {
            #[pin]
            inner: F,
        },
        Own {
            answer: BoxAnswer,
        },
    }
}

impl<F, B, E> Future for DeviceEndpointsFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: From<Bytes>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProj::Inner { inner } => inner.poll(cx),
            StateProj::Own { answer } => {
                let answer = ready!(answer.as_mut().poll(cx));
                Poll::Ready(Ok(answer.map(B::from)))
            }
        }
    }
}

impl<F> fmt::Debug for DeviceEndpointsFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceEndpointsFuture")
            .finish_non_exhaustive()
    }
}
