//! [`Asked`]: what counts of a request to an endpoint.

use http::{HeaderMap, HeaderValue, Request, header};

use super::{binding::Checked, outer_path::prefix_of};
use crate::{
    device::field::{RESPONSE, SESSION_ID},
    session::handle::Session,
};

/// Which endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Register,
    Refresh,
}

/// What counts of a request to an endpoint.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) proof: Option<HeaderValue>,
    pub(super) identifier: Option<HeaderValue>,
    /// The session layer's handle, through which a token leaves.
    pub(super) session: Option<Session>,
    /// The `Cookie` fields.
    pub(super) cookies: HeaderMap,
    /// What an outer router took off the path.
    pub(super) prefix: Option<String>,
    /// The endpoint's URL as a browser names it; empty if the request does not say.
    pub(super) url: String,
}

impl Asked {
    pub(super) fn of<B>(request: &Request<B>, settings: &Checked) -> Self {
        let headers = request.headers();
        let prefix = prefix_of(request.uri(), request.extensions());
        let origin = settings.origin.clone().or_else(|| origin_of(request));
        let outer = prefix.as_deref().unwrap_or_default();
        let url = origin.map(|origin| format!("{origin}{outer}{}", request.uri().path()));
        let mut cookies = HeaderMap::new();
        for cookie in headers.get_all(header::COOKIE) {
            cookies.append(header::COOKIE, cookie.clone());
        }
        Self {
            proof: only(headers, RESPONSE),
            identifier: only(headers, SESSION_ID),
            session: request.extensions().get().cloned(),
            cookies,
            url: url.unwrap_or_default(),
            prefix,
        }
    }
}

/// The origin that the request's host names.
fn origin_of<B>(request: &Request<B>) -> Option<String> {
    let authority = request.uri().authority().map(http::uri::Authority::as_str);
    let host = request.headers().get(header::HOST);
    let host = authority.or_else(|| host.and_then(|host| host.to_str().ok()))?;
    let host = host.strip_suffix(":443").unwrap_or(host);
    Some(format!("https://{}", host.to_ascii_lowercase()))
}

/// The field's value; an empty one, which is nothing that a browser sends, if it came more than once.
fn only(headers: &HeaderMap, name: &str) -> Option<HeaderValue> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?.clone();
    Some(if values.next().is_some() {
        HeaderValue::from_static("")
    } else {
        first
    })
}
