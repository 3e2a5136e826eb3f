//! [`RequireAuthenticationService`]: checks a request and hands it on.

use std::task::{Context, Poll};

use http::{Request, Response};
use tower_service::Service;

use super::{
    future::GuardFuture,
    preflight,
    refusal::{EmptyRefusal, Refusal, RefusalResponse},
    requirement::Requirement,
};
use crate::mistake::{self, MissingLayer};

/// The service that a [`RequireAuthentication`](crate::RequireAuthentication) makes of an inner one.
#[derive(Clone, Copy, Debug)]
pub struct RequireAuthenticationService<S, F = EmptyRefusal> {
    inner: S,
    requirement: Requirement,
    refusal: F,
}

impl<S, F> RequireAuthenticationService<S, F> {
    pub(crate) const fn new(inner: S, requirement: Requirement, refusal: F) -> Self {
        Self {
            inner,
            requirement,
            refusal,
        }
    }
}

impl<S, F, ReqBody, ResBody> Service<Request<ReqBody>> for RequireAuthenticationService<S, F>
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
        match self.requirement.check(request.extensions()) {
            Ok(_) => GuardFuture::inner(self.inner.call(request)),
            Err(refusal) => {
                let (request, _) = request.into_parts();
                match refusal {
                    Refusal::MissingSessionLayer => {
                        mistake::tell(&MissingLayer::around("RequireAuthentication"));
                    }
                    Refusal::NotAuthenticated => preflight::tell_once(&request),
                    _ => {}
                }
                GuardFuture::refused(self.refusal.respond(&refusal, request))
            }
        }
    }
}
