//! [`ResponseFuture`]: admits the request, runs the handler, settles the session.

use std::{
    fmt, mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{
    admission::{Admission, BoxLoad},
    failure::{FailureResponse, LayersShareCookie, reply},
    login_at_arrival,
    request::RequestContext,
    settings::Shared,
    settlement::{Commit, PendingCommit, done::Committed, set_cookies::SetCookies},
};
use crate::cookie::response::ForCaches;

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
        // Dropped before the context: what the handler's destructors mark counts.
        #[pin]
        state: State<S, B, S::Future, S::Response, S::Error>,
        // None until the request is admitted. In `Run` it would be moved once more, which is 64 instructions and 3 %
        // of a request without a cookie.
        context: Option<RequestContext>,
        failure: F,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, B, Fut, Res, Err> {
        Admit {
            load: BoxLoad,
            // None once it was handed on.
            request: Option<Request<B>>,
            // Whether a login at arrival may follow.
            asks: bool,
            service: S,
            shared: Arc<Shared>,
        },
        Run {
            #[pin]
            handler: Fut,
        },
        Fail {
            error: LayersShareCookie,
        },
        Settle {
            commit: PendingCommit,
            // None once it was returned.
            answer: Option<Result<Res, Err>>,
            for_caches: ForCaches,
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
        asks: bool,
        service: S,
        shared: Arc<Shared>,
        failure: F,
    ) -> Self {
        Self {
            state: State::Admit {
                load,
                request: Some(request),
                asks,
                service,
                shared,
            },
            context: None,
            failure,
        }
    }

    /// For a request that does not reach the inner service.
    #[cold]
    pub(crate) const fn failed(
        error: LayersShareCookie,
        context: RequestContext,
        failure: F,
    ) -> Self {
        Self {
            state: State::Fail { error },
            context: Some(context),
            failure,
        }
    }

    #[inline]
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
                    request: waiting,
                    asks,
                    service,
                    shared,
                } => {
                    let admitted = ready!(load.as_mut().poll(cx));
                    let Some(mut request) = waiting.take() else {
                        polled_after_completion()
                    };
                    let admitted = match admitted {
                        Ok(context) if mem::take(asks) => {
                            match login_at_arrival::ask(context, &request) {
                                Admission::Later(asked) => {
                                    *load = asked;
                                    *waiting = Some(request);
                                    continue;
                                }
                                Admission::Now(context) => Ok(context),
                            }
                        }
                        admitted => admitted,
                    };
                    match admitted {
                        Ok(mut context) => {
                            context.note_arrival(&request);
                            match context.enter(request.extensions_mut()) {
                                Ok(()) => {
                                    let handler = service.call(request);
                                    this.state.set(State::Run { handler });
                                }
                                Err(error) => this.state.set(State::Fail { error }),
                            }
                            *this.context = Some(context);
                        }
                        Err(error) => {
                            let mut response = reply(this.failure, &error);
                            let writer = &shared.writer;
                            writer.finish(response.headers_mut(), Vec::new(), ForCaches::default());
                            this.state.set(State::Done);
                            return Poll::Ready(Ok(response));
                        }
                    }
                }
                StateProj::Fail { error } => {
                    let Some(context) = this.context else {
                        polled_after_completion()
                    };
                    let mut response = reply(this.failure, &(*error).into());
                    let writer = &context.shared().writer;
                    writer.finish(response.headers_mut(), Vec::new(), ForCaches::default());
                    this.state.set(State::Done);
                    return Poll::Ready(Ok(response));
                }
                StateProj::Run { handler } => {
                    let mut answer = ready!(handler.poll(cx));
                    let Some(context) = this.context else {
                        polled_after_completion()
                    };
                    let head = answer.as_ref().ok();
                    let head = head.map(|response| (response.status(), response.headers()));
                    let for_caches = head.map_or_else(ForCaches::default, |(status, headers)| {
                        context.for_caches(status, headers)
                    });
                    match context.close(head) {
                        Commit::Now(committed) => {
                            finish(context, this.failure, &mut answer, committed, for_caches);
                            this.state.set(State::Done);
                            return Poll::Ready(answer);
                        }
                        Commit::Later(commit) => this.state.set(State::Settle {
                            commit,
                            answer: Some(answer),
                            for_caches,
                        }),
                    }
                }
                StateProj::Settle {
                    commit,
                    answer,
                    for_caches,
                } => {
                    let committed = ready!(Pin::new(commit).poll(cx));
                    let (Some(mut answer), Some(context)) = (answer.take(), this.context) else {
                        polled_after_completion()
                    };
                    finish(context, this.failure, &mut answer, committed, *for_caches);
                    this.state.set(State::Done);
                    return Poll::Ready(answer);
                }
                StateProj::Done => polled_after_completion(),
            }
        }
    }
}

#[expect(clippy::panic, reason = "a future's contract: never polled again")]
fn polled_after_completion() -> ! {
    panic!("`ResponseFuture` polled after completion")
}

/// Puts our cookies into the handler's answer, or the reply to a failure in its place.
fn finish<F, R, E>(
    context: &mut RequestContext,
    failure: &F,
    answer: &mut Result<Response<R>, E>,
    committed: Committed,
    for_caches: ForCaches,
) where
    F: FailureResponse<R>,
{
    let Ok(response) = answer else { return };
    let mut cookies = committed.unwrap_or_else(|error| {
        *response = reply(failure, &error);
        SetCookies::default()
    });
    if context.began_at_arrival() {
        context.add_at_arrival(&mut cookies);
    }
    context.watch_cookies(&cookies);
    if context.shared().devices.is_some() {
        context.hand_out_bound(&mut cookies);
    }
    let headers = response.headers_mut();
    let writer = &context.shared().writer;
    let writes_none = cookies.as_slice().is_empty();
    let concerns_caches = writer.finish(headers, cookies.into_vec(), for_caches);
    if context.shared().devices.is_some()
        && let Some(status) = context.finish_binding(headers, for_caches)
    {
        *response.status_mut() = status;
        return;
    }
    // No cache keeps a response that writes a cookie, whatever its handler said.
    if concerns_caches && writes_none {
        context.watch_shared_caches(headers);
    }
}

impl<S: Service<Request<B>>, B, F> fmt::Debug for ResponseFuture<S, B, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
