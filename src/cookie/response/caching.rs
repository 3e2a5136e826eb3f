//! What caches must know about a response that depends on a cookie or hands one out.

use http::{
    HeaderMap, HeaderValue,
    header::{CACHE_CONTROL, EXPIRES, HeaderName, VARY},
};

use super::value::{header_value, trim};

/// What caches are told of a response that depended on a live session, where its handler set no `Cache-Control`.
///
/// Set by [`SessionLayer::with_caching`](crate::SessionLayer::with_caching). A response that sets or removes a
/// cookie of ours is `no-store` whatever is chosen here, and one that depended on the cookie has `Vary: Cookie`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Caching {
    /// `Cache-Control: private`: no shared cache keeps the page, whether or not it heeds `Vary`; the browser may.
    #[default]
    Private,
    /// `Cache-Control: no-store`: the browser does not keep it either.
    NoStore,
    /// No field: a cache that ignores `Vary`, as some content delivery networks do, may hand one user's page to
    /// another. For an application whose handlers all set their own.
    Unset,
}

/// What caches have to know about a response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ForCaches {
    /// Whether it depends on the cookie.
    pub(crate) varies: bool,
    /// Whether it may show what is in a live session.
    pub(crate) is_personal: bool,
}

const PRIVATE: HeaderValue = HeaderValue::from_static("private");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const X_ACCEL_EXPIRES: HeaderName = HeaderName::from_static("x-accel-expires");
const COOKIE: HeaderValue = HeaderValue::from_static("Cookie");

/// Makes every cache that looks at a directive forget the response.
///
/// What else restricts stays; what would allow something goes, `must-understand` included, which tells
/// caches to pass over `no-store` (RFC 9111, section 5.2.2.3).
pub(super) fn forbid_storing(headers: &mut HeaderMap, has_cache_control: bool) {
    let word = if has_cache_control {
        no_store_and_what_restricts(headers)
    } else {
        NO_STORE
    };
    headers.insert(CACHE_CONTROL, word);
    // Some caches read a lifetime from these whatever `Cache-Control` says. To look at each name costs less than to hash
    // two that few responses have.
    if headers
        .keys()
        .any(|name| name == EXPIRES || name == X_ACCEL_EXPIRES)
    {
        headers.remove(EXPIRES);
        headers.remove(X_ACCEL_EXPIRES);
    }
    // Fields for one kind of cache take precedence over the one for all (RFC 9213, section 2.2).
    for (name, value) in headers.iter_mut() {
        if is_targeted_cache_control(name) {
            *value = NO_STORE;
        }
    }
}

/// `no-store` with what restricts beside it.
fn no_store_and_what_restricts(headers: &HeaderMap) -> HeaderValue {
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
    header_value(merged)
}

/// Keeps a response without `Cache-Control` that shows what is in a session out of shared caches.
pub(super) fn restrict(headers: &mut HeaderMap, caching: Caching) {
    let word = match caching {
        Caching::Private => PRIVATE,
        Caching::NoStore => NO_STORE,
        Caching::Unset => return,
    };
    headers.insert(CACHE_CONTROL, word);
}

/// Whether it is a `Cache-Control` for one kind of cache, which those heed in place of the one for all.
pub(crate) fn is_targeted_cache_control(name: &HeaderName) -> bool {
    let name = name.as_str();
    // Most names are shorter.
    name.len() > "cache-control".len()
        && (name.ends_with("-cache-control") || name == "surrogate-control")
}

/// Says that the response depends on the `Cookie` field.
pub(super) fn vary_by_cookie(headers: &mut HeaderMap, has_vary: bool) {
    if !has_vary {
        headers.insert(VARY, COOKIE);
        return;
    }
    let mut merged = Vec::new();
    for field in headers.get_all(VARY) {
        for name in list(field.as_bytes()) {
            if name == b"*" || name.eq_ignore_ascii_case(b"cookie") {
                return;
            }
            merged.extend_from_slice(name);
            merged.extend_from_slice(b", ");
        }
    }
    merged.extend_from_slice(COOKIE.as_bytes());
    headers.insert(VARY, header_value(merged));
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
