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
    calling::call,
    context::{BoxSettling, Conclusion, RequestContext},
    failure::{FailureResponse, reply},
    keeper::{BoxLoad, Settling, writes::Writes},
    shared::Shared,
};
use crate::session::decide::Outcome;

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
        #[pin]
        state: State<S, B, S::Future, S::Response, S::Error>,
        shared: Arc<Shared>,
        failure: F,
    }

    impl<S, B, F> PinnedDrop for ResponseFuture<S, B, F>
    where
        S: Service<Request<B>>,
    {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            match this.state.project() {
                StateProj::Run { context, .. } => {
                    if let Some(mut context) = context.take()
                        && let Conclusion::Later(settling) =
                            context.conclude(this.shared, Outcome::Dropped)
                    {
                        detach(settling);
                    }
                }
                StateProj::Settle { settling, .. } => {
                    if let Some(settling) = settling.take() {
                        detach(settling);
                    }
                }
                StateProj::Admit { .. } | StateProj::Done => {}
            }
        }
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, B, Fut, Res, Err> {
        Admit {
            load: BoxLoad,
            request: Option<Request<B>>,
            service: S,
        },
        Run {
            #[pin]
            handler: Fut,
            context: Option<RequestContext>,
        },
        Settle {
            settling: Option<BoxSettling>,
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
            },
            shared,
            failure,
        }
    }

    pub(crate) const fn run(
        handler: S::Future,
        context: RequestContext,
        shared: Arc<Shared>,
        failure: F,
    ) -> Self {
        Self {
            state: State::Run {
                handler,
                context: Some(context),
            },
            shared,
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
                } => {
                    let admission = ready!(load.as_mut().poll(cx));
                    let Some(mut request) = request.take() else {
                        unreachable!("the request leaves once, with the admission");
                    };
                    match admission {
                        Ok(mut context) => {
                            context.enter(request.extensions_mut());
                            let handler = call(&mut context, this.shared, || service.call(request));
                            let context = Some(context);
                            this.state.set(State::Run { handler, context });
                        }
                        Err(error) => {
                            this.state.set(State::Done);
                            let mut response = reply(this.failure, &error);
                            this.shared
                                .writer
                                .finish(response.headers_mut(), &[], false);
                            return Poll::Ready(Ok(response));
                        }
                    }
                }
                StateProj::Run { handler, context } => {
                    let mut answer = ready!(handler.poll(cx));
                    let Some(context) = context else {
                        unreachable!("the context leaves once, with the answer");
                    };
                    let outcome = match &answer {
                        Ok(response) if response.status().is_server_error() => Outcome::ServerError,
                        Ok(_) => Outcome::Answered,
                        Err(_) => Outcome::Dropped,
                    };
                    let read = context.was_read();
                    match context.conclude(this.shared, outcome) {
                        Conclusion::Now(settled) => {
                            this.state.set(State::Done);
                            finish(this.shared, this.failure, &mut answer, settled, read);
                            return Poll::Ready(answer);
                        }
                        Conclusion::Later(settling) => this.state.set(State::Settle {
                            settling: Some(settling),
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
                    let settled = match settling.as_mut() {
                        Some(settling) => ready!(settling.as_mut().poll(cx)),
                        None => unreachable!("a settlement leaves only when the future is dropped"),
                    };
                    *settling = None;
                    let (answer, read) = (answer.take(), *read);
                    this.state.set(State::Done);
                    let Some(mut answer) = answer else {
                        unreachable!("the answer leaves once, with the settlement");
                    };
                    finish(this.shared, this.failure, &mut answer, settled, read);
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

/// Completes a settlement without its request.
pub(super) fn detach(settling: BoxSettling) {
    let task = async move { drop(settling.await) };
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn(task)),
        // Dropped outside every runtime, as at a shutdown: a thread of its own sees it through.
        Err(_) => drop(std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            if let Ok(runtime) = runtime {
                runtime.block_on(task);
            }
        })),
    }
}

impl<S, B, F> fmt::Debug for ResponseFuture<S, B, F>
where
    S: Service<Request<B>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
