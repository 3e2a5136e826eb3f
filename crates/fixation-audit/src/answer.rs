use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, Response, header};
use serde_json::Value;

/// What the audited application answered.
#[derive(Clone)]
pub struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    pub(super) fn new(response: Response<Bytes>) -> Self {
        let (head, body) = response.into_parts();
        Self {
            status: head.status.as_u16(),
            headers: head.headers,
            body,
        }
    }

    /// The status code.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The header fields.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The body as text; what is not UTF-8 is replaced.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// The body's first bytes as text: for what is looked at with every answer, however long it is.
    pub(super) fn beginning(&self, bytes: usize) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body[..self.body.len().min(bytes)])
    }

    /// The body as JSON, where it is JSON.
    #[must_use]
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The raw `Set-Cookie` fields.
    pub(super) fn set_cookies(&self) -> impl Iterator<Item = &[u8]> {
        self.headers
            .get_all(header::SET_COOKIE)
            .into_iter()
            .map(http::HeaderValue::as_bytes)
    }

    /// Whether a browser would show it as a page.
    pub(super) fn is_page(&self) -> bool {
        let kind = self.headers.get(header::CONTENT_TYPE);
        let kind = kind.and_then(|value| value.to_str().ok()).unwrap_or("");
        (200..300).contains(&self.status) && kind.starts_with("text/html")
    }

    pub(super) fn location(&self) -> Option<&str> {
        let moved = matches!(self.status, 301 | 302 | 303 | 307 | 308);
        self.headers
            .get(header::LOCATION)
            .filter(|_| moved)?
            .to_str()
            .ok()
    }

    /// Whether the server offers to bind the session to a key of the device, in the names that browsers have used.
    pub(super) fn offers_device_binding(&self) -> bool {
        [
            "secure-session-registration",
            "secure-session-challenge",
            "sec-session-registration",
            "sec-session-challenge",
        ]
        .iter()
        .any(|name| self.headers.contains_key(*name))
    }

    /// Whether the application took the request: a success, or a redirect that follows one.
    pub(super) fn accepted(&self) -> bool {
        (200..400).contains(&self.status)
    }

    /// Whether a shared cache may keep it: it says so, or nothing forbids it and the status is one that caches keep by
    /// themselves. `private` and `no-cache` keep it from being handed to others unasked.
    pub(super) fn may_be_stored(&self) -> bool {
        let fields = self.headers.get_all(header::CACHE_CONTROL).into_iter();
        let text: Vec<_> = fields
            .map(|field| String::from_utf8_lossy(field.as_bytes()).to_ascii_lowercase())
            .collect();
        let says = |directive: &str| {
            text.iter()
                .flat_map(|text| text.split(','))
                .any(|part| part.trim().split('=').next() == Some(directive))
        };
        if ["no-store", "no-cache", "private"].into_iter().any(says) {
            return false;
        }
        let by_itself = matches!(
            self.status,
            200 | 203 | 204 | 206 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501
        );
        by_itself
            || ["public", "max-age", "s-maxage"].into_iter().any(says)
            || self.headers.contains_key(header::EXPIRES)
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}
