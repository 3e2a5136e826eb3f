//! [`ReturnPath`]: where to send a user after a login, on this site and nowhere else.

use std::fmt;

use http::{HeaderValue, Uri};

use crate::original_uri::original_uri;

/// A path on this site, with its query, to go back to after a login.
///
/// A return path travels through the browser, so an attacker writes it. Only what every browser takes for
/// a path of the same origin is taken: it begins with one `/`, which neither another `/` nor a `\`
/// follows, and has no control byte, white space, backslash or byte beyond ASCII, since browsers drop some
/// of those and turn others into slashes before they look. It has no `.` or `..` segment, which browsers
/// resolve. No percent-encoding is undone, and none may stand at the beginning that would be a slash or a
/// backslash if somebody else did. The longest has 2,048 bytes.
///
/// # Examples
///
/// ```
/// use tower_session_guard::ReturnPath;
///
/// assert_eq!(ReturnPath::parse("/account?tab=2").as_str(), "/account?tab=2");
/// assert_eq!(ReturnPath::parse("//evil.example").as_str(), "/");
/// assert_eq!(ReturnPath::parse("https://evil.example/").as_str(), "/");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ReturnPath(String);

impl ReturnPath {
    /// The longest path, in bytes.
    pub const MAX_LEN: usize = 2048;

    /// The path that `text` is, or `/` if it is not a path of this site.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self::try_parse(text).unwrap_or_default()
    }

    /// The path that `text` is, or `None` if it is not a path of this site.
    #[must_use]
    pub fn try_parse(text: &str) -> Option<Self> {
        is_local(text).then(|| Self(text.to_owned()))
    }

    /// The path and query of a request, as the browser sent them, to come back to; `/` if they cannot be one.
    ///
    /// Meant for requests that a browser navigates with: going back is a `GET`. A router that is nested under a prefix
    /// takes the prefix off the request's URI; axum keeps what it was, and this goes by that.
    ///
    /// Requires the feature `axum`, a default one. Elsewhere use [`of`](Self::of).
    ///
    /// # Examples
    ///
    /// ```
    /// use axum::http::{Request, request::Parts};
    /// use tower_session_guard::ReturnPath;
    ///
    /// fn login_page(request: &Parts) -> String {
    ///     format!("/login?next={}", ReturnPath::of_request(request).in_query())
    /// }
    /// # let (request, ()) = Request::get("/account").body(())?.into_parts();
    /// # assert_eq!(login_page(&request), "/login?next=%2Faccount");
    /// # Ok::<(), axum::http::Error>(())
    /// ```
    #[cfg(feature = "axum")]
    #[must_use]
    pub fn of_request(request: &http::request::Parts) -> Self {
        let original = request.extensions.get::<axum::extract::OriginalUri>();
        Self::of(original.map_or(&request.uri, |original| &original.0))
    }

    /// The path and query of a request, as the browser sent them; `None` if they cannot be one, or if it cannot be known
    /// what the browser sent.
    pub(crate) fn try_of_request(request: &http::request::Parts) -> Option<Self> {
        let uri = original_uri(&request.extensions).unwrap_or(&request.uri);
        Self::try_parse(uri.path_and_query()?.as_str())
    }

    /// The path and query of this URI, to come back to; `/` if it cannot be one.
    ///
    /// Of a request in a nested router, take `of_request` of the feature `axum`, which knows the prefix.
    #[must_use]
    pub fn of(uri: &Uri) -> Self {
        let path = uri.path_and_query().map(http::uri::PathAndQuery::as_str);
        Self::parse(path.unwrap_or("/"))
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path, percent-encoded to stand as one value in a query: letters, digits and `-._~` as they are.
    #[must_use]
    pub fn in_query(&self) -> String {
        let mut out = String::with_capacity(self.0.len());
        for byte in self.0.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    out.push(byte.into());
                }
                _ => {
                    out.push('%');
                    out.push(hex(byte >> 4));
                    out.push(hex(byte & 15));
                }
            }
        }
        out
    }

    /// The path as a `Location`.
    #[must_use]
    pub fn to_location(&self) -> HeaderValue {
        match HeaderValue::from_str(&self.0) {
            Ok(value) => value,
            Err(_) => unreachable!("a return path is visible ASCII"),
        }
    }
}

impl Default for ReturnPath {
    /// `/`.
    fn default() -> Self {
        Self("/".to_owned())
    }
}

impl fmt::Display for ReturnPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn hex(nibble: u8) -> char {
    char::from(b"0123456789ABCDEF"[usize::from(nibble)])
}

fn is_local(text: &str) -> bool {
    let visible = |byte: u8| byte.is_ascii_graphic() && byte != b'\\';
    let Some(rest) = text.strip_prefix('/') else {
        return false;
    };
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    text.len() <= ReturnPath::MAX_LEN
        && text.bytes().all(visible)
        && !begins_like_a_slash(path.as_bytes())
        && !path.split('/').any(is_dot_segment)
}

/// Whether what follows the first slash is another one, or becomes one, or a backslash, or something that
/// browsers drop before one, if somebody decodes it once or more often.
fn begins_like_a_slash(rest: &[u8]) -> bool {
    let Some(encoded) = rest.strip_prefix(b"%") else {
        return rest.starts_with(b"/");
    };
    let mut digits = encoded;
    while let Some(inner) = digits.strip_prefix(b"25") {
        digits = inner;
    }
    let [high, low, ..] = digits else {
        return true;
    };
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    match (digit(high), digit(low)) {
        // Controls and white space, the slash, the backslash.
        (Some(0 | 1), _) | (Some(2), Some(0 | 15)) | (Some(5), Some(12)) => true,
        // What is no encoding at all is nothing to guess about.
        (Some(_), Some(_)) => false,
        _ => true,
    }
}

/// Whether a browser takes the segment away, and with it perhaps what stood between two slashes.
fn is_dot_segment(segment: &str) -> bool {
    let plain = segment.to_ascii_lowercase().replace("%2e", ".");
    plain == "." || plain == ".."
}

#[cfg(test)]
mod tests {
    use http::Uri;

    use super::ReturnPath;

    #[test]
    fn paths_of_this_site_survive_as_they_are() {
        for path in [
            "/",
            "/account",
            "/account?next=https://example.com/",
            "/a//b",
            "/search?q=a%2Fb&x=%20#part",
            "/caf%C3%A9",
            "/user@host",
            "/:80",
            "/.well-known/x",
            "/...",
            "/?a=../b",
            "/%41",
            "/-/x",
        ] {
            assert_eq!(ReturnPath::parse(path).as_str(), path);
        }
    }

    /// Every trick ends at `/`.
    #[test]
    fn what_leaves_the_site_in_any_browser_does_not_survive() {
        let long = format!("/{}", "a".repeat(ReturnPath::MAX_LEN));
        for trick in [
            "",
            " ",
            "account",
            "evil.example",
            "//evil.example",
            "///evil.example",
            "////evil.example",
            "/\\evil.example",
            "\\/evil.example",
            "\\\\evil.example",
            "/\\/evil.example",
            "/a\\b",
            "/\t/evil.example",
            "/\n/evil.example",
            "/\r/evil.example",
            "/\0/evil.example",
            "\t//evil.example",
            " //evil.example",
            "/ /evil.example",
            "/%09/evil.example",
            "/%0d%0aSet-Cookie:x=1",
            "/%2f%2fevil.example",
            "/%2F/evil.example",
            "%2f%2fevil.example",
            "/%5cevil.example",
            "/%5C/evil.example",
            "/%252f%252fevil.example",
            "/%25252fevil.example",
            "/%20/evil.example",
            "/%",
            "/%2",
            "/%25",
            "/a/../b",
            "/a/..",
            "/./a",
            "/.//evil.example",
            "/..//evil.example",
            "/././/evil.example",
            "/../..//evil.example",
            "/%2e//evil.example",
            "/.%2e//evil.example/",
            "http://evil.example",
            "https://evil.example",
            "https:evil.example",
            "https:/evil.example",
            "HTTPS://evil.example",
            "javascript:alert(1)",
            "data:text/html,x",
            "@evil.example",
            "user@evil.example",
            ":80",
            "?next=//evil.example",
            "#//evil.example",
            "/\u{2044}evil.example",
            "/\u{ff0f}evil.example",
            "\u{ff0f}/evil.example",
            "/\u{3002}evil",
            "/\u{202e}evil",
            "/\u{ad}/evil.example",
            "/\u{feff}/evil.example",
            "/\u{7f}/evil.example",
            "/a\r\nLocation: https://evil.example",
            "/a b",
            &long,
        ] {
            assert_eq!(ReturnPath::try_parse(trick), None, "{trick:?}");
            assert_eq!(ReturnPath::parse(trick).as_str(), "/", "{trick:?}");
        }
    }

    #[test]
    fn the_path_of_a_request_is_one_of_this_site() {
        let of = |uri: &str| {
            ReturnPath::of(&uri.parse::<Uri>().unwrap())
                .as_str()
                .to_owned()
        };
        assert_eq!(of("/transfer?to=bob"), "/transfer?to=bob");
        assert_eq!(of("https://example.com/x"), "/x");
        assert_eq!(of("//evil.example/x"), "/");
        assert_eq!(of("*"), "/");
    }

    #[test]
    fn a_path_within_a_query_is_one_value() {
        let path = ReturnPath::parse("/a?b=c&d=%20#e");
        assert_eq!(path.in_query(), "%2Fa%3Fb%3Dc%26d%3D%2520%23e");
    }
}
