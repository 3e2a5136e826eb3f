//! A browser as far as cookies go: it keeps what it was given and sends it back.

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_LANGUAGE, COOKIE, HOST, SET_COOKIE, USER_AGENT};
use http::{HeaderValue, Method, Request, Response};

use crate::scenario::{READ, Scenario};
use crate::subject::Body;

/// The cookies of one browser.
#[derive(Clone, Debug, Default)]
pub struct Jar(Vec<(String, String)>);

impl Jar {
    /// Takes over what a response sets and removes.
    pub fn take(&mut self, response: &Response<Body>) {
        for header in response.headers().get_all(SET_COOKIE) {
            let header = header.to_str().expect("a Set-Cookie of plain text");
            let (pair, attributes) = header.split_once(';').unwrap_or((header, ""));
            let (name, value) = pair.split_once('=').expect("a cookie with a name");
            self.0.retain(|(known, _)| known != name);
            let gone = attributes
                .split(';')
                .any(|a| a.trim().eq_ignore_ascii_case("Max-Age=0"));
            if !gone {
                self.0.push((name.to_owned(), value.to_owned()));
            }
        }
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same cookies, each with one character near the end of its value changed.
    #[must_use]
    pub fn forged(&self) -> Self {
        Self(
            self.0
                .iter()
                .map(|(name, value)| (name.clone(), forge(value)))
                .collect(),
        )
    }

    /// The `Cookie` header.
    #[must_use]
    pub fn header(&self) -> Option<HeaderValue> {
        let pairs: Vec<_> = self
            .0
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        shared(&pairs)
    }

    /// The `Cookie` header with `others` cookies around ours, half before and half after.
    #[must_use]
    pub fn header_among(&self, others: usize) -> Option<HeaderValue> {
        let mut pairs: Vec<_> = (0..others).map(other).collect();
        let ours = self.0.iter().map(|(name, value)| format!("{name}={value}"));
        pairs.splice(others / 2..others / 2, ours);
        shared(&pairs)
    }
}

/// A header value that shares its bytes, as a server's parser hands it on.
fn shared(pairs: &[String]) -> Option<HeaderValue> {
    if pairs.is_empty() {
        return None;
    }
    let bytes = Bytes::from(pairs.join("; "));
    Some(HeaderValue::from_maybe_shared(bytes).expect("cookies of plain text"))
}

/// Some other site feature's cookie: analytics, consent, preferences.
#[must_use]
pub fn other(n: usize) -> String {
    const NAMES: [&str; 5] = ["_ga_K4XW", "consent", "theme", "ab_bucket", "__cf_session"];
    let name = NAMES[n % NAMES.len()];
    format!("{name}{n}=GS1.1.17{n:02}48{n:02}.{n}.1.a7c9e{n:02}f0")
}

/// Changes one character, the tenth from the end unless that belongs to a percent-escape.
fn forge(value: &str) -> String {
    let mut bytes = value.as_bytes().to_vec();
    let plain = |at: &usize| {
        bytes[*at].is_ascii_alphanumeric() && !bytes[at.saturating_sub(2)..*at].contains(&b'%')
    };
    let at = (0..bytes.len().saturating_sub(9)).rev().find(plain);
    if let Some(at) = at {
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
    }
    String::from_utf8(bytes).expect("ASCII stays ASCII")
}

/// A request as a browser sends it.
#[must_use]
pub fn request(path: &'static str, cookie: Option<HeaderValue>) -> Request<Body> {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = path.parse().expect("a path");
    *request.method_mut() = if path == READ {
        Method::GET
    } else {
        Method::POST
    };
    let headers = request.headers_mut();
    headers.insert(HOST, HeaderValue::from_static("app.example"));
    headers.insert(
        USER_AGENT,
        HeaderValue::from_static("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101"),
    );
    headers.insert(
        ACCEPT,
        HeaderValue::from_static("text/html,application/xhtml+xml,*/*;q=0.8"),
    );
    headers.insert(ACCEPT_LANGUAGE, HeaderValue::from_static("en-GB,en;q=0.7"));
    if let Some(cookie) = cookie {
        headers.insert(COOKIE, cookie);
    }
    request
}

/// A request of a scenario for a browser with these cookies.
#[must_use]
pub fn request_of(scenario: Scenario, jar: &Jar) -> Request<Body> {
    let cookie = match scenario {
        Scenario::S1 => None,
        Scenario::S5 => jar.header_among(20),
        Scenario::S3 => jar.forged().header(),
        _ => jar.header(),
    };
    request(scenario.path(), cookie)
}
