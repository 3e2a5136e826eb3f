//! [`ArrivalHook`]: the application's part of a login at arrival.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use http::{Request, request::Parts};

use crate::session::mark::Login;

/// What the application makes of a request that came without a session: a login, or none.
#[derive(Clone)]
pub(crate) struct ArrivalHook(Arc<Hook>);

type Hook = dyn Fn(Parts) -> Asked + Send + Sync;

/// The hook's answer; it owns all that it needs.
type Asked = Pin<Box<dyn Future<Output = Option<Login>> + Send>>;

impl ArrivalHook {
    pub(crate) fn new<C, R>(hook: C) -> Self
    where
        C: Fn(Parts) -> R + Send + Sync + 'static,
        R: Future<Output = Option<Login>> + Send + 'static,
    {
        Self(Arc::new(move |request| Box::pin(hook(request))))
    }

    pub(super) fn ask(&self, request: Parts) -> Asked {
        (self.0)(request)
    }
}

impl fmt::Debug for ArrivalHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ArrivalHook")
    }
}

/// A copy of a request without its body.
pub(super) fn head_of<B>(request: &Request<B>) -> Parts {
    let (mut head, ()) = Request::new(()).into_parts();
    head.method = request.method().clone();
    head.uri = request.uri().clone();
    head.version = request.version();
    head.headers = request.headers().clone();
    head.extensions = request.extensions().clone();
    head
}
