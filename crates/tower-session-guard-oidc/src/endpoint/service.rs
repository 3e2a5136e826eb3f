//! [`BackchannelLogout`] as a service.

use std::{
    convert::Infallible,
    error::Error,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Method, Request};
use http_body::Body;
use tokio::runtime::Handle;
use tower_service::Service;

use super::{
    BackchannelLogout, Settings,
    delivery::{self, LoggedOut},
    form,
    reply::{self, Reply},
};
use crate::{
    refusal::{Failure, Stop},
    token::Checked,
};

/// The response of a [`BackchannelLogout`].
///
/// Once the form has been read, the logout goes on though this is dropped.
#[must_use = "futures do nothing unless polled"]
pub struct LogoutFuture(Pin<Box<dyn Future<Output = Reply> + Send>>);

impl<B> Service<Request<B>> for BackchannelLogout
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Response = Reply;
    type Error = Infallible;
    type Future = LogoutFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> LogoutFuture {
        if request.method() != Method::POST {
            return LogoutFuture(Box::pin(async { reply::other_method() }));
        }
        let settings = Arc::clone(&self.settings);
        LogoutFuture(Box::pin(async move {
            match answer(settings, request).await {
                Ok(_) => reply::logged_out(),
                Err(stop) => reply::stopped(stop),
            }
        }))
    }
}

async fn answer<B>(settings: Arc<Settings>, request: Request<B>) -> Result<LoggedOut, Stop>
where
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let token = form::logout_token(request).await;
    let checked = token.and_then(|token| settings.check(&token));
    match checked {
        Ok(token) => complete(settings, token).await,
        Err(refusal) => {
            let refused = Err(refusal.into());
            delivery::tell(&refused);
            refused
        }
    }
}

/// In a task of its own: a provider that hangs up, or whoever claims to be one, leaves neither a token claimed nor a question for
/// keys without its answer.
async fn complete(settings: Arc<Settings>, token: Checked) -> Result<LoggedOut, Stop> {
    let work = async move {
        let verdict = settings.carry_out(token).await;
        delivery::tell(&verdict);
        verdict
    };
    let Ok(runtime) = Handle::try_current() else {
        return work.await;
    };
    match runtime.spawn(work).await {
        Ok(verdict) => verdict,
        Err(_) => {
            let failed = Err(Failure::Panicked.into());
            delivery::tell(&failed);
            failed
        }
    }
}

impl Future for LogoutFuture {
    type Output = Result<Reply, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx).map(Ok)
    }
}

impl fmt::Debug for LogoutFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogoutFuture").finish_non_exhaustive()
    }
}
