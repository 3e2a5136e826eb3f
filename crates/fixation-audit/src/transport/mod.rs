//! How requests reach the audited application.

#[cfg(feature = "http-client")]
mod http;
mod in_process;
#[cfg(feature = "http-client")]
mod trust;

use std::fmt;
use std::pin::pin;
use std::time::Duration;

use ::http::{Request, Response};
use bytes::{Buf, Bytes};
use http_body::Body;

use super::BoxFuture;

#[cfg(feature = "http-client")]
pub use self::http::HttpTransport;
pub use in_process::{InProcess, RequestBody};
#[cfg(feature = "http-client")]
pub use trust::Trust;

/// The largest body that is read, 1 MiB; the rest is cut off.
const LARGEST_BODY: usize = 1 << 20;

/// Sends a request and hands back the answer. It follows no redirect and keeps no cookie.
pub trait Transport: Send + Sync {
    /// Sends one request. Its URI is absolute.
    ///
    /// # Errors
    ///
    /// The application could not be reached, did not answer in time, or the body broke off.
    fn send(&self, request: Request<Bytes>) -> BoxFuture<Result<Response<Bytes>, TransportError>>;

    /// Waits for this long between requests.
    fn wait(&self, time: Duration) -> BoxFuture<()> {
        // A thread that sleeps: a runtime without a clock can wait too, and a paused clock does not skip the wait.
        Box::pin(async move {
            let _ = tokio::task::spawn_blocking(move || std::thread::sleep(time)).await;
        })
    }

    /// Waits until a request that was just sent can be taken to be under way in the application.
    fn settle(&self) -> BoxFuture<()>;
}

/// Reads a body, as far as the limit.
async fn collect<B>(body: B) -> Result<Bytes, TransportError>
where
    B: Body,
    B::Error: fmt::Display,
{
    let mut body = pin!(body);
    let mut bytes = Vec::new();
    while bytes.len() < LARGEST_BODY {
        let frame = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await;
        let Some(frame) = frame.transpose().map_err(TransportError::new)? else {
            break;
        };
        if let Ok(mut data) = frame.into_data() {
            let taken = data.remaining().min(LARGEST_BODY - bytes.len());
            bytes.extend_from_slice(&data.copy_to_bytes(taken));
        }
    }
    Ok(bytes.into())
}

/// A request that got no answer.
#[derive(Debug)]
pub struct TransportError {
    reason: String,
}

impl TransportError {
    /// An error with its reason in words. The reason must not quote the request's contents.
    #[must_use]
    pub fn new(reason: impl fmt::Display) -> Self {
        Self {
            reason: reason.to_string(),
        }
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for TransportError {}
