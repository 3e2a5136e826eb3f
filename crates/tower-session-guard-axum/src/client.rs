//! [`Client`]: what kind of client sent a request, as far as it shows.

use http::{HeaderName, Uri, header, request::Parts};
use tower_session_guard::ReturnPath;

/// What shows the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    /// A browser that goes to another page.
    Page,
    /// The library htmx, which follows a header and not a redirect.
    Htmx,
    /// A script of a page, or a program.
    Script,
}

impl Client {
    pub(crate) fn of(request: &Parts) -> Self {
        let text = |name: &str| request.headers.get(name)?.to_str().ok();
        if text("hx-request") == Some("true") {
            return Self::Htmx;
        }
        // Browsers that tell the mode (Fetch Metadata) are believed; what others accept says it well enough.
        let is_page = match text("sec-fetch-mode") {
            Some(mode) => mode == "navigate",
            None => text("accept").is_some_and(|accept| accept.contains("text/html")),
        };
        if is_page { Self::Page } else { Self::Script }
    }
}

/// The page of this host that the request came from, as a path to come back to.
pub(crate) fn page_before(request: &Parts) -> Option<ReturnPath> {
    const HX_CURRENT_URL: HeaderName = HeaderName::from_static("hx-current-url");
    let headers = &request.headers;
    let page = headers
        .get(HX_CURRENT_URL)
        .or_else(|| headers.get(header::REFERER))?;
    // What follows a `#` is for the browser alone.
    let page = page.to_str().ok()?.split('#').next()?;
    let page: Uri = page.parse().ok()?;
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let host = host.or_else(|| Some(request.uri.authority()?.as_str()))?;
    let is_ours = page.authority()?.as_str().eq_ignore_ascii_case(host);
    let path = page.path_and_query()?.as_str();
    is_ours.then(|| ReturnPath::try_parse(path)).flatten()
}
