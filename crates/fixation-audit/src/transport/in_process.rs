use std::fmt;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body::{Body, Frame, SizeHint};
use tower_service::Service;

use super::super::BoxFuture;
use super::{Transport, TransportError, collect};

/// Drives a tower service without a socket.
///
/// There is no time limit here: that is for the test harness to set, as for any other test.
pub struct InProcess<S, F> {
    service: Mutex<S>,
    make_body: F,
}

impl<S, F> InProcess<S, F> {
    /// Drives `service`; `make_body` turns the bytes of a request into the body type that the service takes.
    pub fn new(service: S, make_body: F) -> Self {
        Self {
            service: Mutex::new(service),
            make_body,
        }
    }
}

impl<S, F, B, ResBody> Transport for InProcess<S, F>
where
    S: Service<Request<B>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: fmt::Display,
    F: Fn(Bytes) -> B + Send + Sync,
    B: Send + 'static,
    ResBody: Body + Send,
    ResBody::Error: fmt::Display,
{
    fn send(&self, request: Request<Bytes>) -> BoxFuture<Result<Response<Bytes>, TransportError>> {
        let mut service = self
            .service
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let (mut head, body) = request.into_parts();
        // A server behind HTTP/1.1 sees the path alone; the host is in its header.
        if let Some(target) = head.uri.path_and_query() {
            head.uri = Uri::from(target.clone());
        }
        let request = Request::from_parts(head, (self.make_body)(body));
        Box::pin(async move {
            std::future::poll_fn(|cx| service.poll_ready(cx))
                .await
                .map_err(TransportError::new)?;
            let response = service.call(request).await.map_err(TransportError::new)?;
            let (head, body) = response.into_parts();
            Ok(Response::from_parts(head, collect(body).await?))
        })
    }

    fn settle(&self) -> BoxFuture<()> {
        Box::pin(async {
            for _ in 0..64 {
                tokio::task::yield_now().await;
            }
        })
    }
}

impl<S, F> fmt::Debug for InProcess<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InProcess").finish_non_exhaustive()
    }
}

/// The body of a request that the audit sends in process: bytes, at once.
#[derive(Debug, Default)]
pub struct RequestBody(Option<Bytes>);

impl From<Bytes> for RequestBody {
    fn from(bytes: Bytes) -> Self {
        Self(Some(bytes).filter(|bytes| !bytes.is_empty()))
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}
