//! [`SessionService`]: admits a request and hands it on.

use std::{
    fmt, mem,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use tower_service::Service;

use super::{
    admission::{self, Admission},
    failure::{EmptyFailure, FailureResponse},
    future::ResponseFuture,
    login_at_arrival,
    request::RequestContext,
    settings::Shared,
};

/// The service that a [`SessionLayer`](crate::SessionLayer) makes of an inner one.
#[derive(Clone)]
pub struct SessionService<S, F = EmptyFailure> {
    inner: S,
    shared: Arc<Shared>,
    failure: F,
}

impl<S, F> SessionService<S, F> {
    pub(crate) const fn new(inner: S, shared: Arc<Shared>, failure: F) -> Self {
        Self {
            inner,
            shared,
            failure,
        }
    }
}

impl<S, F> SessionService<S, F>
where
    S: Clone,
{
    /// The instance that said it was ready, to be called later.
    fn take_ready(&mut self) -> S {
        let clone = self.inner.clone();
        mem::replace(&mut self.inner, clone)
    }
}

impl<S, F> SessionService<S, F> {
    /// The rest of `call` where the layer has a hook for logins at arrival: apart from it, so that a request of another layer
    /// does not pay for what may become of the context here.
    #[cold]
    #[inline(never)]
    fn call_with_hook<ReqBody, ResBody>(
        &mut self,
        context: RequestContext,
        mut request: Request<ReqBody>,
        failure: F,
    ) -> ResponseFuture<S, ReqBody, F>
    where
        S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
        F: FailureResponse<ResBody>,
    {
        let mut context = if self.shared.settings.lazily {
            login_at_arrival::put_off(context, &request)
        } else {
            match login_at_arrival::ask(context, &request) {
                Admission::Now(context) => context,
                Admission::Later(asked) => {
                    let (shared, ready) = (Arc::clone(&self.shared), self.take_ready());
                    return ResponseFuture::admit(asked, request, false, ready, shared, failure);
                }
            }
        };
        context.note_arrival(&request);
        match context.enter(request.extensions_mut()) {
            Ok(()) => ResponseFuture::run(self.inner.call(request), context, failure),
            Err(error) => ResponseFuture::failed(error, context, failure),
        }
    }
}

impl<S, F> fmt::Debug for SessionService<S, F>
where
    S: fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionService")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

impl<S, F, ReqBody, ResBody> Service<Request<ReqBody>> for SessionService<S, F>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    F: FailureResponse<ResBody> + Clone,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S, ReqBody, F>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let failure = self.failure.clone();
        if (self.shared.settings.lazily || self.shared.answers_devices(&request))
            && let Some(mut context) = admission::lazy::defer(&self.shared, &request)
        {
            if self.shared.settings.arrival_hook.is_some() {
                return self.call_with_hook(context, request, failure);
            }
            context.note_arrival(&request);
            return match context.enter(request.extensions_mut()) {
                Ok(()) => ResponseFuture::run(self.inner.call(request), context, failure),
                Err(error) => ResponseFuture::failed(error, context, failure),
            };
        }
        match admission::admit(&self.shared, &request) {
            Admission::Now(mut context) => {
                if self.shared.settings.arrival_hook.is_some() {
                    return self.call_with_hook(context, request, failure);
                }
                context.note_arrival(&request);
                match context.enter(request.extensions_mut()) {
                    Ok(()) => ResponseFuture::run(self.inner.call(request), context, failure),
                    Err(error) => ResponseFuture::failed(error, context, failure),
                }
            }
            Admission::Later(load) => {
                let shared = Arc::clone(&self.shared);
                let asks = shared.settings.arrival_hook.is_some();
                ResponseFuture::admit(load, request, asks, self.take_ready(), shared, failure)
            }
        }
    }
}
