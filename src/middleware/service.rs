//! [`SessionService`]: admits a request and hands it on.

use std::{
    fmt, mem,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use tower_service::Service;

use super::{
    admission::{Admission, self_contained, stored},
    backend::{Keeper, List, at_once},
    failure::{EmptyFailure, FailureResponse},
    future::ResponseFuture,
    request::{Held, RequestContext},
    settings::Shared,
};
use crate::session::{binding::Client, handle::Session, time::Timestamp};

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
        let shared = &self.shared;
        let now = shared.settings.clock.now();
        let context = match &shared.keeper {
            Keeper::SelfContained(list) => {
                let mut arrival = shared.arrival(&request, now, |kind, value| {
                    self_contained::read(shared, list, kind, value, now)
                });
                if arrival.is_empty() {
                    visitor::<self_contained::Held>(shared, arrival.client, now)
                } else if let Some((session, admission)) = self_contained::at_hand(&mut arrival) {
                    RequestContext::new(session, admission)
                } else if matches!(list, List::Shared(_)) {
                    let (list, shared) = (list.clone(), Arc::clone(shared));
                    let load = self_contained::load(Arc::clone(&shared), list, arrival, now);
                    let ready = self.take_ready();
                    return ResponseFuture::admit(load, request, ready, shared, failure);
                } else {
                    match at_once(self_contained::admit(shared, list, arrival, now)) {
                        Ok((session, admission)) => RequestContext::new(session, admission),
                        Err(_) => unreachable!("the list of this process never fails"),
                    }
                }
            }
            Keeper::Stored(store) => {
                let arrival = shared.arrival(&request, now, |kind, value| {
                    shared.tokens.open_reference(kind, value, now)
                });
                if arrival.is_empty() {
                    visitor::<stored::Held>(shared, arrival.client, now)
                } else if let Some((session, admission)) =
                    stored::at_hand(shared, &**store, &arrival, now)
                {
                    RequestContext::new(session, admission)
                } else {
                    let (store, shared) = (Arc::clone(store), Arc::clone(shared));
                    let load = stored::load(Arc::clone(&shared), store, arrival, now);
                    let ready = self.take_ready();
                    return ResponseFuture::admit(load, request, ready, shared, failure);
                }
            }
        };
        context.enter(request.extensions_mut());
        ResponseFuture::run(self.inner.call(request), context, failure)
    }
}

/// The context of a request that holds no session.
fn visitor<H>(shared: &Arc<Shared>, client: Client, now: Timestamp) -> RequestContext
where
    H: Default + Into<Held>,
{
    let session = Session::new(Arc::clone(shared) as _, now);
    RequestContext::new(session, Admission::<H>::visitor(client))
}
