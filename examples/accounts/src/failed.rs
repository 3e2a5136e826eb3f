//! [`Failed`]: why a handler has no page to show; and the pages that are shown then.

use std::fmt::Display;

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use maud::{Markup, html};
use tower_session_guard::{CsrfRejected, DataError, SessionError};

use crate::{
    Site,
    pages::frame::{self, Frame},
    users::UsersError,
};

/// A status, and what its page says. The page itself comes from [`pages`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failed {
    status: StatusCode,
    why: Option<&'static str>,
}

/// What an answer's page says in the place of what is said of its status.
#[derive(Clone, Copy)]
struct Why(&'static str);

impl Failed {
    /// There is no such thing, or it is not the user's.
    pub(crate) const NOT_FOUND: Self = Self {
        status: StatusCode::NOT_FOUND,
        why: None,
    };

    /// A form is none of this site's.
    pub(crate) const NOT_UNDERSTOOD: Self = Self {
        status: StatusCode::UNPROCESSABLE_ENTITY,
        why: None,
    };

    pub(crate) const fn because(status: StatusCode, why: &'static str) -> Self {
        let why = Some(why);
        Self { status, why }
    }

    /// Something of ours does not work. The log says what, the page does not.
    fn of_ours(status: StatusCode, error: &dyn Display) -> Self {
        tracing::error!(%error, "a request failed");
        Self { status, why: None }
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        if let Some(why) = self.why {
            response.extensions_mut().insert(Why(why));
        }
        response
    }
}

impl From<UsersError> for Failed {
    fn from(error: UsersError) -> Self {
        Self::of_ours(StatusCode::SERVICE_UNAVAILABLE, &error)
    }
}

impl From<DataError> for Failed {
    fn from(error: DataError) -> Self {
        Self::of_ours(StatusCode::INTERNAL_SERVER_ERROR, &error)
    }
}

/// The layer has told of it already.
impl From<SessionError> for Failed {
    fn from(error: SessionError) -> Self {
        let (status, why) = (error.status(), None);
        Self { status, why }
    }
}

impl From<CsrfRejected> for Failed {
    fn from(_: CsrfRejected) -> Self {
        Self::because(
            StatusCode::FORBIDDEN,
            "The form was made before you last logged in or out, or by another site. Go back, load the page again, and send it once more.",
        )
    }
}

/// A middleware inside the session layer that gives every answer a page that failed without one: whether a handler, an extractor or a guard
/// made it. The page shows who is logged in, as all pages do.
pub(crate) async fn pages(State(site): State<Site>, request: Request, next: Next) -> Response {
    if !is_for_a_page(request.headers()) {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let request = Request::from_parts(parts.clone(), body);
    let response = next.run(request).await;
    if !lacks_a_page(&response) {
        return response;
    }
    match Frame::from_request_parts(&mut parts, &site).await {
        Ok(frame) => with_page(response, |title, content| {
            frame.page_with_error(title, content)
        }),
        // The layer outside has a page that needs neither session nor user.
        Err(_) => response,
    }
}

/// The same outside the session layer, for what that layer and those around it answer.
pub(crate) async fn bare_pages(request: Request, next: Next) -> Response {
    let for_a_page = is_for_a_page(request.headers());
    let response = next.run(request).await;
    if for_a_page && lacks_a_page(&response) {
        with_page(response, frame::bare)
    } else {
        response
    }
}

/// Whether a browser goes to a page, rather than a script or a program asking for something.
fn is_for_a_page(headers: &HeaderMap) -> bool {
    mentions_html(headers, &header::ACCEPT)
}

fn lacks_a_page(response: &Response) -> bool {
    let status = response.status();
    let failed = status.is_client_error() || status.is_server_error();
    failed && !mentions_html(response.headers(), &header::CONTENT_TYPE)
}

/// The answer with a page. What it carries besides, such as cookies, leaves with it.
fn with_page<P>(response: Response, page: impl FnOnce(&str, &Markup) -> P) -> Response
where
    P: IntoResponse,
{
    let status = response.status();
    let why = response.extensions().get().map(|Why(why)| *why);
    let (title, usual) = said_of(status);
    let content = html! {
        p { (why.unwrap_or(usual)) }
        div.actions {
            a.button href="/" { "Go to the first page" }
            @if status == StatusCode::UNAUTHORIZED { a.button href="/login" { "Log in" } }
        }
    };
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.remove(header::CONTENT_TYPE);
    let mut response = page(title, &content).into_response();
    *response.status_mut() = status;
    for (name, value) in &parts.headers {
        response.headers_mut().append(name, value.clone());
    }
    response
}

fn mentions_html(headers: &HeaderMap, name: &header::HeaderName) -> bool {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.is_some_and(|value| value.contains("text/html"))
}

/// The title and the text for a status.
fn said_of(status: StatusCode) -> (&'static str, &'static str) {
    match status {
        StatusCode::UNAUTHORIZED => ("Not logged in", "You are not logged in, or not any more."),
        StatusCode::FORBIDDEN => ("Not allowed", "You may not do this."),
        StatusCode::NOT_FOUND => (
            "Not found",
            "There is nothing at this address, or it is not yours.",
        ),
        StatusCode::METHOD_NOT_ALLOWED => (
            "Not possible",
            "This address does not do that. Perhaps a form was sent, and its page loaded again.",
        ),
        StatusCode::PAYLOAD_TOO_LARGE => (
            "Too long",
            "That was more than this site takes. Go back and send less.",
        ),
        StatusCode::UNSUPPORTED_MEDIA_TYPE
        | StatusCode::UNPROCESSABLE_ENTITY
        | StatusCode::BAD_REQUEST => (
            "Not understood",
            "What was sent is not what this site's forms send. Go back and try again.",
        ),
        StatusCode::TOO_MANY_REQUESTS => ("Too many tries", "Wait a while, and try again."),
        StatusCode::SERVICE_UNAVAILABLE => (
            "Not available",
            "Something that this page needs does not answer. Nothing was changed. Try again in a moment.",
        ),
        status if status.is_server_error() => (
            "A fault of ours",
            "Something went wrong here. We were told of it.",
        ),
        _ => ("Not possible", "This site could not do that."),
    }
}

#[cfg(test)]
mod tests {
    use axum::{
        Router,
        body::{Body, to_bytes},
        http::{Request, StatusCode, header},
        middleware::from_fn,
        routing::get,
    };
    use tower::ServiceExt;
    use tower_http::catch_panic::CatchPanicLayer;

    use super::bare_pages;

    /// What fails outside the session layer, or takes a handler down, has a page as well.
    #[tokio::test]
    async fn a_panic_has_a_page() {
        async fn fails() -> &'static str {
            panic!("a mistake of ours")
        }
        let app = Router::new()
            .route("/", get(fails))
            .layer(CatchPanicLayer::new())
            .layer(from_fn(bare_pages));
        let request = Request::get("/").header(header::ACCEPT, "text/html");
        let answer = app.oneshot(request.body(Body::empty()).unwrap()).await;
        let (head, body) = answer.unwrap().into_parts();
        assert_eq!(head.status, StatusCode::INTERNAL_SERVER_ERROR);
        let body = to_bytes(body, usize::MAX).await.unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        assert!(body.contains("<h1>A fault of ours</h1>"), "{body}");
        assert!(!body.contains("a mistake"), "{body}");
    }
}
