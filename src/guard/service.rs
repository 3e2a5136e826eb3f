//! [`RequireAuthenticationService`]: checks a request and hands it on.

use std::task::{Context, Poll};

use http::{Request, Response, request::Parts};
use tower_layer::Layer;
use tower_service::Service;

use super::{
    after_load::{AfterLoad, Gate},
    answer::Answer,
    layer::RequireAuthentication,
    preflight,
    refusal::{EmptyRefusal, Refusal, RefusalResponse},
    return_path::ReturnPath,
};
use crate::{
    mistake::{self, MissingLayer},
    session::handle::Session,
};

/// The service that a [`RequireAuthentication`](crate::RequireAuthentication) makes of an inner one.
#[derive(Clone, Copy, Debug)]
pub struct RequireAuthenticationService<S, F = EmptyRefusal> {
    inner: S,
    gate: RequireAuthentication<F>,
}

impl<S, F> Layer<S> for RequireAuthentication<F>
where
    F: Clone,
{
    type Service = RequireAuthenticationService<S, F>;

    fn layer(&self, inner: S) -> Self::Service {
        RequireAuthenticationService {
            inner,
            gate: self.clone(),
        }
    }
}

impl<S, F, ReqBody, ResBody> Service<Request<ReqBody>> for RequireAuthenticationService<S, F>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    F: RefusalResponse<ResBody> + Clone,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = AfterLoad<S, ReqBody, RequireAuthentication<F>, ResBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        AfterLoad::of(&mut self.inner, request, &self.gate, true)
    }
}

impl<F, R> Gate<R> for RequireAuthentication<F>
where
    F: RefusalResponse<R>,
{
    fn check<B>(&self, request: &Request<B>) -> Result<(), Refusal> {
        self.requirement.check(request.extensions()).map(drop)
    }

    fn refuse(&self, refusal: Refusal, request: Parts) -> Answer<R> {
        match refusal {
            Refusal::MissingSessionLayer => {
                mistake::tell(&MissingLayer::around("RequireAuthentication"));
            }
            Refusal::NotAuthenticated => preflight::tell_once(&request),
            Refusal::DeviceProofTooOld { .. } => demand_proof(&request),
            _ => {}
        }
        self.refusal.respond(&refusal, request)
    }
}

/// Asks the session layer to have the device prove itself: the browser is sent to the same URL, and refreshes on its way.
fn demand_proof(request: &Parts) {
    let session = request.extensions.get::<Session>();
    // Elsewhere a browser might go to another site: then the refusal stands.
    if let (Some(session), Some(path)) = (session, ReturnPath::try_of_request(request)) {
        let path = path.as_str().into();
        session.note_device(|notes| notes.demanded = Some(path));
    }
}
