//! [`ResponseFuture`]: admit, run the handler, settle.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{
    admission::BoxLoad,
    failure::{FailureResponse, reply},
    request::{Conclusion, RequestContext, Unsettled},
    settings::Shared,
    settlement::{Settling, set_cookies::Writes},
};
use crate::session::settle::Outcome;

pin_project! {
    /// The response of a [`SessionService`](crate::SessionService).
    ///
    /// Dropped while the handler runs, it carries out the handler's logouts and step-downs and nothing
    /// else. Dropped while it settles with a store, it hands the settlement to the runtime, which
    /// completes it.
    pub struct ResponseFuture<S, B, F>
    where
        S: Service<Request<B>>,
    {
        // Dropped first: what the handler's destructors mark counts.
        #[pin]
        state: State<S, B, S::Future, S::Response, S::Error>,
        context: Option<RequestContext>,
        failure: F,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, B, Fut, Res, Err> {
        Admit {
            load: BoxLoad,
            request: Option<Request<B>>,
            service: S,
            shared: Arc<Shared>,
        },
        Run {
            #[pin]
            handler: Fut,
        },
        Settle {
            settling: Unsettled,
            answer: Option<Result<Res, Err>>,
            read: bool,
        },
        Done,
    }
}

impl<S, B, F> ResponseFuture<S, B, F>
where
    S: Service<Request<B>>,
{
    pub(crate) const fn admit(
        load: BoxLoad,
        request: Request<B>,
        service: S,
        shared: Arc<Shared>,
        failure: F,
    ) -> Self {
        Self {
            state: State::Admit {
                load,
                request: Some(request),
                service,
                shared,
            },
            context: None,
            failure,
        }
    }

    pub(crate) const fn run(handler: S::Future, context: RequestContext, failure: F) -> Self {
        Self {
            state: State::Run { handler },
            context: Some(context),
            failure,
        }
    }
}

impl<S, B, F, R> Future for ResponseFuture<S, B, F>
where
    S: Service<Request<B>, Response = Response<R>>,
    F: FailureResponse<R>,
{
    type Output = Result<S::Response, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.state.as_mut().project() {
                StateProj::Admit {
                    load,
                    request,
                    service,
                    shared,
                } => {
                    let admission = ready!(load.as_mut().poll(cx));
                    let Some(mut request) = request.take() else {
                        unreachable!("the request leaves once, with the admission");
                    };
                    match admission {
                        Ok(context) => {
                            context.enter(request.extensions_mut());
                            let handler = service.call(request);
                            this.state.set(State::Run { handler });
                            *this.context = Some(context);
                        }
                        Err(error) => {
                            let mut response = reply(this.failure, &error);
                            shared.writer.finish(response.headers_mut(), &[], false);
                            this.state.set(State::Done);
                            return Poll::Ready(Ok(response));
                        }
                    }
                }
                StateProj::Run { handler } => {
                    let mut answer = ready!(handler.poll(cx));
                    let Some(context) = this.context else {
                        unreachable!("a handler runs within its context");
                    };
                    let outcome = match &answer {
                        Ok(response) if response.status().is_server_error() => Outcome::ServerError,
                        Ok(_) => Outcome::Answered,
                        Err(_) => Outcome::Dropped,
                    };
                    let read = context.was_read();
                    match context.conclude(outcome) {
                        Conclusion::Now(settled) => {
                            finish(context.shared(), this.failure, &mut answer, settled, read);
                            this.state.set(State::Done);
                            return Poll::Ready(answer);
                        }
                        Conclusion::Later(settling) => this.state.set(State::Settle {
                            settling,
                            answer: Some(answer),
                            read,
                        }),
                    }
                }
                StateProj::Settle {
                    settling,
                    answer,
                    read,
                } => {
                    let settled = ready!(settling.poll(cx));
                    let (Some(mut answer), Some(context)) = (answer.take(), this.context) else {
                        unreachable!("the answer leaves once, with the settlement");
                    };
                    finish(context.shared(), this.failure, &mut answer, settled, *read);
                    this.state.set(State::Done);
                    return Poll::Ready(answer);
                }
                #[expect(clippy::panic, reason = "a future's contract: never polled again")]
                StateProj::Done => panic!("`ResponseFuture` polled after completion"),
            }
        }
    }
}

/// Puts our cookies into the handler's answer, or the reply to a failure in its place.
fn finish<F, R, E>(
    shared: &Shared,
    failure: &F,
    answer: &mut Result<Response<R>, E>,
    settled: Settling,
    read: bool,
) where
    F: FailureResponse<R>,
{
    let Ok(response) = answer else {
        return;
    };
    let writes = settled.unwrap_or_else(|error| {
        *response = reply(failure, &error);
        Writes::default()
    });
    let headers = response.headers_mut();
    shared.writer.finish(headers, writes.as_slice(), read);
}

impl<S, B, F> fmt::Debug for ResponseFuture<S, B, F>
where
    S: Service<Request<B>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
