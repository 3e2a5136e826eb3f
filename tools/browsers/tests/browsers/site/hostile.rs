//! What an attacker serves: pages that run any script and answers that set any cookie. Every host has
//! the page, as if each had a hole through which the attacker's script gets in.

use axum::{
    Router,
    extract::RawQuery,
    http::{HeaderMap, HeaderValue, header},
    response::{Html, IntoResponse},
    routing::get,
};

pub const PAGE: &str = "/page";

pub fn app() -> Router {
    Router::new().route(PAGE, get(page)).route("/set", get(set))
}

/// `?SCRIPT`: runs it, and says so in the title: `done` and what it returned, or `failed` and why.
async fn page(RawQuery(script): RawQuery) -> Html<String> {
    let script = String::from_utf8(decode(&script.unwrap_or_default())).unwrap();
    Html(format!(
        "<!doctype html><meta charset=utf-8><title>running</title><link rel=icon href=data:,>
<body><script>(async () => {{ {script} }})().then(
    value => document.title = `done ${{value}}`,
    error => document.title = `failed ${{error}}`)</script>"
    ))
}

/// `?COOKIE&COOKIE…`: sets each, byte for byte.
async fn set(RawQuery(cookies): RawQuery) -> impl IntoResponse {
    let mut headers = HeaderMap::new();
    for cookie in cookies.unwrap_or_default().split('&') {
        let cookie = HeaderValue::from_bytes(&decode(cookie)).unwrap();
        headers.append(header::SET_COOKIE, cookie);
    }
    (headers, Html("<!doctype html><title>set</title>"))
}

/// Percent-encodes every byte that is not a letter or a digit.
pub fn encode(bytes: &[u8]) -> String {
    let one = |&byte: &u8| match byte {
        byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    bytes.iter().map(one).collect()
}

/// Undoes percent-encoding, as far as there is any.
pub fn decode(text: &str) -> Vec<u8> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        let mut ahead = bytes.clone();
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let escaped = (byte == b'%')
            .then(|| Some((digit(ahead.next())? << 4 | digit(ahead.next())?) as u8))
            .flatten();
        if escaped.is_some() {
            bytes = ahead;
        }
        decoded.push(escaped.unwrap_or(byte));
    }
    decoded
}
