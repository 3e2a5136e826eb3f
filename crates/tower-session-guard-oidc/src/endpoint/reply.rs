//! The answers of the endpoint (OpenID Connect Back-Channel Logout 1.0, section 2.8).

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;

use crate::refusal::Stop;

/// An answer to a provider.
pub(super) type Reply = Response<Full<Bytes>>;

/// 200: nothing is left to end.
pub(super) fn logged_out() -> Reply {
    empty(StatusCode::OK)
}

/// 405.
pub(super) fn other_method() -> Reply {
    let mut reply = empty(StatusCode::METHOD_NOT_ALLOWED);
    let allow = HeaderValue::from_static("POST");
    reply.headers_mut().insert(header::ALLOW, allow);
    reply
}

/// 400 or 503. The reason is for the log.
pub(super) fn stopped(stop: Stop) -> Reply {
    match stop {
        Stop::Refused(_) => error(StatusCode::BAD_REQUEST, r#"{"error":"invalid_request"}"#),
        Stop::Failed(failure) => {
            let mut reply = error(
                StatusCode::SERVICE_UNAVAILABLE,
                r#"{"error":"temporarily_unavailable"}"#,
            );
            let after = HeaderValue::from(failure.retry_after());
            reply.headers_mut().insert(header::RETRY_AFTER, after);
            reply
        }
    }
}

/// An error in the form of RFC 6749, section 5.2.
fn error(status: StatusCode, body: &'static str) -> Reply {
    let mut reply = empty(status);
    *reply.body_mut() = Full::new(Bytes::from_static(body.as_bytes()));
    let json = HeaderValue::from_static("application/json");
    reply.headers_mut().insert(header::CONTENT_TYPE, json);
    reply
}

fn empty(status: StatusCode) -> Reply {
    let mut reply = Response::new(Full::default());
    *reply.status_mut() = status;
    let no_store = HeaderValue::from_static("no-store");
    reply.headers_mut().insert(header::CACHE_CONTROL, no_store);
    reply
}
