//! [`Explanation`]: says to a person or to a program why a request was refused.

use http::{HeaderValue, Response, header, request::Parts};
use serde::Serialize;
use tower_session_guard::{Answer, Refusal, RefusalResponse};

use crate::{client::Client, login_page::by_client};

/// The answer of a guard that says in a sentence what is wrong: a page for browsers, `application/problem+json` (RFC 9457) for all else.
///
/// It says what the status says and no more. An application shows a page of its own by [`LoginPage::otherwise`](crate::LoginPage::otherwise).
#[derive(Clone, Copy, Debug, Default)]
pub struct Explanation;

/// The members of a problem (RFC 9457, section 3.1), and where to log in.
#[derive(Serialize)]
struct Problem<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    title: &'a str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    login: Option<&'a str>,
}

impl Explanation {
    /// The status and the challenge with an empty body.
    pub(crate) fn short<B>(refusal: &Refusal) -> Response<B>
    where
        B: Default,
    {
        let mut response = Response::new(B::default());
        *response.status_mut() = refusal.status();
        if let Some(challenge) = refusal.challenge() {
            let headers = response.headers_mut();
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }

    pub(crate) fn problem<B>(refusal: &Refusal, login: Option<&str>) -> Response<B>
    where
        B: Default + From<String>,
    {
        let status = refusal.status();
        let problem = Problem {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            login,
        };
        // Of texts and a number.
        let body = serde_json::to_string(&problem).unwrap_or_default();
        Self::with(refusal, "application/problem+json", body)
    }

    fn page<B>(refusal: &Refusal) -> Response<B>
    where
        B: Default + From<String>,
    {
        let status = refusal.status();
        let says = match status.as_u16() {
            401 => "You have to log in to see this page.",
            403 => "You are not allowed to see this page.",
            503 => "This page is not available at the moment. Please try again later.",
            _ => "Something went wrong here.",
        };
        let body = format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <title>{status}</title>\n<main>\n<h1>{status}</h1>\n<p>{says}</p>\n</main>\n"
        );
        Self::with(refusal, "text/html; charset=utf-8", body)
    }

    fn with<B>(refusal: &Refusal, content_type: &'static str, body: String) -> Response<B>
    where
        B: Default + From<String>,
    {
        let mut response = Self::short(refusal).map(|_: B| B::from(body));
        let content_type = HeaderValue::from_static(content_type);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, content_type);
        response
    }
}

impl<B> RefusalResponse<B> for Explanation
where
    B: Default + From<String>,
{
    fn respond(&self, refusal: &Refusal, request: Parts) -> Answer<B> {
        let mut response = match Client::of(&request) {
            Client::Page => Self::page(refusal),
            Client::Htmx | Client::Script => Self::problem(refusal, None),
        };
        by_client(response.headers_mut());
        response.into()
    }
}
