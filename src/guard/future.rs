//! [`GuardFuture`]: the inner service's response, or the refusal.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use http::Response;
use pin_project_lite::pin_project;

use super::answer::{Answer, Kind, Later};

pin_project! {
    /// The response of a guarded service: the inner one's, or the refusal.
    pub struct GuardFuture<Fut, B> {
        #[pin]
        state: State<Fut, B>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<Fut, B> {
        Inner {
            #[pin]
            future: Fut,
        },
        Refused {
            response: Option<Response<B>>,
        },
        RefusedLater {
            response: Later<B>,
        },
    }
}

impl<Fut, B> GuardFuture<Fut, B> {
    pub(super) const fn inner(future: Fut) -> Self {
        Self {
            state: State::Inner { future },
        }
    }

    pub(super) fn refused(answer: Answer<B>) -> Self {
        let state = match answer.0 {
            Kind::Now(response) => State::Refused {
                response: Some(response),
            },
            Kind::Later(response) => State::RefusedLater { response },
        };
        Self { state }
    }
}

impl<Fut, B, E> Future for GuardFuture<Fut, B>
where
    Fut: Future<Output = Result<Response<B>, E>>,
{
    type Output = Fut::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProj::Inner { future } => future.poll(cx),
            StateProj::RefusedLater { response } => response.as_mut().poll(cx).map(Ok),
            StateProj::Refused { response } => match response.take() {
                Some(response) => Poll::Ready(Ok(response)),
                #[expect(clippy::panic, reason = "a future's contract: never polled again")]
                None => panic!("`GuardFuture` polled after completion"),
            },
        }
    }
}

impl<Fut, B> fmt::Debug for GuardFuture<Fut, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardFuture").finish_non_exhaustive()
    }
}
