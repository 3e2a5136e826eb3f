//! [`AfterLoad`]: a guard's answer, which waits for the session where the layer loads lazily.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Extensions, Request, Response, request::Parts};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{answer::Answer, future::GuardFuture, load::show_authenticated, refusal::Refusal};
use crate::session::{handle::Session, later::LoadFailed};

/// What a guard decides of a request whose session is loaded.
#[expect(unnameable_types, reason = "a bound of the guards' own futures")]
pub trait Gate<R> {
    /// Whether the request goes on.
    ///
    /// # Errors
    ///
    /// Why not.
    fn check<B>(&self, request: &Request<B>) -> Result<(), Refusal>;

    /// The answer to a request that does not.
    fn refuse(&self, refusal: Refusal, request: Parts) -> Answer<R>;
}

/// A load that owns all that it needs.
type BoxLoad = Pin<Box<dyn Future<Output = Result<(), LoadFailed>> + Send>>;

pin_project! {
    /// The response of a guarded service: the inner one's, or the refusal.
    ///
    /// It waits for the session first where the layer loads [lazily](crate::SessionLayer::lazily).
    pub struct AfterLoad<S, B, G, R>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        state: State<S, B, G, S::Future, R>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, B, G, Fut, R> {
        Load {
            load: BoxLoad,
            session: Session,
            // None once it was handed on.
            request: Option<Request<B>>,
            service: S,
            gate: G,
        },
        Go {
            #[pin]
            answer: GuardFuture<Fut, R>,
        },
    }
}

impl<S, B, G, R> AfterLoad<S, B, G, R>
where
    S: Service<Request<B>> + Clone,
    G: Gate<R> + Clone,
{
    /// The answer of `service`, which is ready, or of the gate.
    ///
    /// The gate is asked at once if the session is loaded, or if it does not have to be for this request.
    pub(super) fn of(service: &mut S, request: Request<B>, gate: &G, needs_session: bool) -> Self {
        match unloaded(request.extensions()).filter(|_| needs_session) {
            None => Self::go(service, request, gate),
            Some(session) => {
                let clone = service.clone();
                let owned = session.clone();
                let state = State::Load {
                    load: Box::pin(async move { owned.loaded().await }),
                    session,
                    request: Some(request),
                    // The instance that said it was ready.
                    service: std::mem::replace(service, clone),
                    gate: gate.clone(),
                };
                Self { state }
            }
        }
    }

    fn go(service: &mut S, request: Request<B>, gate: &G) -> Self {
        let state = State::Go {
            answer: decide(service, request, gate),
        };
        Self { state }
    }
}

/// The session of a request, if it is still to be loaded.
fn unloaded(extensions: &Extensions) -> Option<Session> {
    let session = extensions.get::<Session>()?;
    (!session.is_loaded()).then(|| session.clone())
}

fn decide<S, B, G, R>(service: &mut S, request: Request<B>, gate: &G) -> GuardFuture<S::Future, R>
where
    S: Service<Request<B>>,
    G: Gate<R>,
{
    match gate.check(&request) {
        Ok(()) => GuardFuture::inner(service.call(request)),
        Err(refusal) => GuardFuture::refused(gate.refuse(refusal, request.into_parts().0)),
    }
}

impl<S, B, G, R> Future for AfterLoad<S, B, G, R>
where
    S: Service<Request<B>, Response = Response<R>>,
    G: Gate<R>,
{
    type Output = Result<S::Response, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                StateProj::Go { answer } => return answer.poll(cx),
                StateProj::Load {
                    load,
                    session,
                    request,
                    service,
                    gate,
                } => {
                    let loaded = ready!(load.as_mut().poll(cx));
                    let Some(mut request) = request.take() else {
                        #[expect(clippy::panic, reason = "a future's contract: never polled again")]
                        {
                            panic!("`AfterLoad` polled after completion")
                        }
                    };
                    let answer = match loaded {
                        Ok(()) => {
                            show_authenticated(request.extensions_mut(), session);
                            decide(service, request, gate)
                        }
                        Err(LoadFailed) => {
                            let (request, _) = request.into_parts();
                            GuardFuture::refused(gate.refuse(Refusal::StoreFailed, request))
                        }
                    };
                    state.set(State::Go { answer });
                }
            }
        }
    }
}

impl<S, B, G, R> fmt::Debug for AfterLoad<S, B, G, R>
where
    S: Service<Request<B>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AfterLoad").finish_non_exhaustive()
    }
}
