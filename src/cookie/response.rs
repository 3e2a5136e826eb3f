//! Writes our cookies into a response, and what caches must know about it.

use std::{io::Write as _, time::Duration};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue,
    header::{CACHE_CONTROL, HeaderName, SET_COOKIE, VARY},
};
use memchr::memchr;

use super::{ByKind, CookieKind, CookiePolicy, token::Token};
use crate::session::policy::SessionPolicy;

/// Writes the two cookies: what sets one and what removes it differ in value and lifetime only.
#[derive(Clone, Debug)]
pub(crate) struct CookieWriter {
    /// Name and `=`.
    prefix: ByKind<Box<str>>,
    /// All attributes but the lifetime.
    suffix: Box<str>,
    removal: ByKind<HeaderValue>,
}

impl CookieWriter {
    pub(crate) fn new(policy: &CookiePolicy) -> Self {
        let prefix = |kind| format!("{}=", policy.name(kind)).into_boxed_str();
        let suffix = policy.attributes().suffix();
        let removal = |kind| header_value(format!("{}{suffix}; Max-Age=0", prefix(kind)).into());
        Self {
            prefix: ByKind {
                guest: prefix(CookieKind::Guest),
                session: prefix(CookieKind::Session),
            },
            removal: ByKind {
                guest: removal(CookieKind::Guest),
                session: removal(CookieKind::Session),
            },
            suffix: suffix.into(),
        }
    }

    /// The `Set-Cookie` that hands out `token`, kept until the browser closes or for `max_age`, at most
    /// 400 days.
    pub(crate) fn set(
        &self,
        kind: CookieKind,
        token: &Token,
        max_age: Option<Duration>,
    ) -> HeaderValue {
        let mut lifetime = [0; "; Max-Age=".len() + 20];
        let mut unwritten = &mut lifetime[..];
        if let Some(max_age) = max_age {
            let seconds = max_age.min(SessionPolicy::MAX_ABSOLUTE).as_secs();
            // The buffer holds the longest number.
            let _ = write!(unwritten, "; Max-Age={seconds}");
        }
        let unwritten = unwritten.len();
        let parts = [
            self.prefix.of(kind).as_bytes(),
            token.as_str().as_bytes(),
            self.suffix.as_bytes(),
            &lifetime[..lifetime.len() - unwritten],
        ];
        let mut value = Vec::with_capacity(parts.iter().map(|part| part.len()).sum());
        for part in parts {
            value.extend_from_slice(part);
        }
        let mut value = header_value(value);
        value.set_sensitive(true);
        value
    }

    /// The `Set-Cookie` that removes the cookie.
    pub(crate) fn removal(&self, kind: CookieKind) -> HeaderValue {
        self.removal.of(kind).clone()
    }

    /// Puts our `Set-Cookie` fields into a response, behind the inner service's.
    ///
    /// Those of the inner service that bear one of our names are taken out whether or not we write: only
    /// we may. A response that we write into is not to be stored by any cache, and one that depended on
    /// the cookie (`read`) says so.
    pub(crate) fn finish(
        &self,
        headers: &mut HeaderMap,
        writes: &[(CookieKind, HeaderValue)],
        read: bool,
    ) {
        self.strip(headers);
        for (_, value) in writes {
            headers.append(SET_COOKIE, value.clone());
        }
        if !writes.is_empty() {
            forbid_storing(headers);
        }
        if read || !writes.is_empty() {
            vary_by_cookie(headers);
        }
    }

    fn strip(&self, headers: &mut HeaderMap) {
        let ours = |value: &&HeaderValue| self.is_ours(value.as_bytes());
        if headers.get_all(SET_COOKIE).iter().any(|value| ours(&value)) {
            let all = headers.get_all(SET_COOKIE).iter();
            let others: Vec<_> = all.filter(|value| !ours(value)).cloned().collect();
            headers.remove(SET_COOKIE);
            for other in others {
                headers.append(SET_COOKIE, other);
            }
        }
    }

    /// Whether a browser would take this for a cookie with one of our names.
    fn is_ours(&self, set_cookie: &[u8]) -> bool {
        let pair = &set_cookie[..memchr(b';', set_cookie).unwrap_or(set_cookie.len())];
        // A browser drops spaces and tabs around the name.
        let name = pair.split(|byte| *byte == b'=').next().unwrap_or_default();
        let name = trim(name);
        [&self.prefix.session, &self.prefix.guest]
            .into_iter()
            .any(|own| own.as_bytes().strip_suffix(b"=") == Some(name))
    }
}

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// Makes every cache that looks at a directive forget the response.
///
/// What else restricts stays; what would allow something goes, `must-understand` included, which tells
/// caches to pass over `no-store` (RFC 9111, section 5.2.2.3).
fn forbid_storing(headers: &mut HeaderMap) {
    const RESTRICTING: [&str; 5] = [
        "private",
        "no-cache",
        "must-revalidate",
        "proxy-revalidate",
        "no-transform",
    ];
    let mut merged = Vec::from(NO_STORE.as_bytes());
    for field in headers.get_all(CACHE_CONTROL) {
        for directive in list(field.as_bytes()) {
            let name = directive.split(|byte| *byte == b'=').next();
            let name = trim(name.unwrap_or_default());
            if RESTRICTING
                .iter()
                .any(|kept| name.eq_ignore_ascii_case(kept.as_bytes()))
            {
                merged.extend_from_slice(b", ");
                merged.extend_from_slice(directive);
            }
        }
    }
    headers.insert(CACHE_CONTROL, header_value(merged));
    // Fields for one kind of cache take precedence over the one for all (RFC 9213, section 2.2).
    for (name, value) in headers.iter_mut() {
        if is_targeted_cache_control(name) {
            *value = NO_STORE;
        }
    }
}

fn is_targeted_cache_control(name: &HeaderName) -> bool {
    name.as_str().ends_with("-cache-control") || name == "surrogate-control"
}

/// Says that the response depends on the `Cookie` field.
fn vary_by_cookie(headers: &mut HeaderMap) {
    let mut merged = Vec::new();
    for field in headers.get_all(VARY) {
        for name in list(field.as_bytes()) {
            if name == b"*" || name.eq_ignore_ascii_case(b"cookie") {
                return;
            }
        }
        merged.extend_from_slice(field.as_bytes());
        merged.extend_from_slice(b", ");
    }
    if merged.is_empty() {
        headers.insert(VARY, HeaderValue::from_static("Cookie"));
    } else {
        merged.extend_from_slice(b"Cookie");
        headers.insert(VARY, header_value(merged));
    }
}

/// The elements of a comma-separated field; a comma within quotes does not separate.
fn list(field: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut quoted = false;
    let mut escaped = false;
    let elements = field.split(move |byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' => return !quoted,
            _ => {}
        }
        false
    });
    elements.map(trim).filter(|element| !element.is_empty())
}

/// Without the spaces and tabs around it.
fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// The value of bytes that are of header fields or were checked when the policy was built.
fn header_value(bytes: Vec<u8>) -> HeaderValue {
    match HeaderValue::from_maybe_shared(Bytes::from(bytes)) {
        Ok(value) => value,
        Err(_) => unreachable!("only bytes that a field may hold were put together"),
    }
}
