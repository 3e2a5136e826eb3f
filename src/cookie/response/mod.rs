//! Writes our cookies into a response, and what caches must know about it.

mod caching;
mod site_data;
#[cfg(test)]
mod tests;
pub(super) mod value;

use std::{io::Write as _, time::Duration};

use http::{
    HeaderMap, HeaderValue,
    header::{CACHE_CONTROL, SET_COOKIE, VARY},
};
use memchr::memchr;

pub use self::caching::Caching;
pub(crate) use self::caching::{ForCaches, is_targeted_cache_control};
use self::{
    caching::{forbid_storing, restrict, vary_by_cookie},
    site_data::{clear, spare_cookies},
    value::{header_value, trim},
};
use super::{ByKind, CookieKind, CookiePolicy, token::Token};
use crate::session::policy::SessionPolicy;

/// Which of the names that concern us a response has.
///
/// Most responses have a few names and none of these: looking at each once costs less than hashing one.
#[derive(Clone, Copy, Debug, Default)]
struct Names {
    set_cookie: bool,
    cache_control: bool,
    vary: bool,
    /// A field for one kind of cache.
    targeted: bool,
}

impl Names {
    /// Looks for the last only in a response that shows what is in a session.
    fn of(headers: &HeaderMap, for_caches: ForCaches) -> Self {
        let mut names = Self::default();
        for name in headers.keys() {
            names.set_cookie |= name == SET_COOKIE;
            names.cache_control |= name == CACHE_CONTROL;
            names.vary |= name == VARY;
            names.targeted |= for_caches.is_personal && is_targeted_cache_control(name);
        }
        names
    }
}

/// Writes the two cookies: what sets one and what removes it differ in value and lifetime only.
#[derive(Clone, Debug)]
pub(crate) struct CookieWriter {
    /// Name and `=`.
    prefix: ByKind<Box<str>>,
    /// All attributes but the lifetime.
    suffix: Box<str>,
    removal: ByKind<HeaderValue>,
    /// What removes the cookies at the scopes that they had before.
    former_removals: ByKind<Vec<HeaderValue>>,
    clears_site_data: bool,
    caching: Caching,
}

impl CookieWriter {
    pub(crate) fn new(policy: &CookiePolicy, caching: Caching) -> Self {
        let prefix = |kind| format!("{}=", policy.name(kind)).into_boxed_str();
        let suffix = policy.attributes().suffix();
        let removal_at = |kind, suffix: &str| {
            header_value(format!("{}{suffix}; Max-Age=0", prefix(kind)).into())
        };
        let removal = |kind| removal_at(kind, &suffix);
        let former = |kind| {
            let scopes = policy.former().iter();
            let removals = scopes.map(|scope| removal_at(kind, &scope.suffix()));
            removals.collect()
        };
        Self {
            prefix: ByKind {
                guest: prefix(CookieKind::Guest),
                session: prefix(CookieKind::Session),
            },
            removal: ByKind {
                guest: removal(CookieKind::Guest),
                session: removal(CookieKind::Session),
            },
            former_removals: ByKind {
                guest: former(CookieKind::Guest),
                session: former(CookieKind::Session),
            },
            suffix: suffix.into(),
            clears_site_data: policy.clears_site_data(),
            caching,
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
        let mut lifetime = [0; "; Max-Age=18446744073709551615".len()];
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
    /// we may. A response that we write into is not to be stored by any cache, one that depended on the cookie says
    /// so, and one that shows what is in a session is for no shared cache unless its handler says what it is for.
    ///
    /// Tells whether the inner service said something to caches, if the response shows what is in a session.
    pub(crate) fn finish(
        &self,
        headers: &mut HeaderMap,
        writes: Vec<(CookieKind, HeaderValue)>,
        for_caches: ForCaches,
    ) -> bool {
        let names = Names::of(headers, for_caches);
        if names.set_cookie {
            self.strip(headers);
        }
        let are_writes = !writes.is_empty();
        let clears = self.clears_site_data && self.logs_out(&writes);
        if are_writes {
            self.write(headers, writes);
            forbid_storing(headers, names.cache_control);
            spare_cookies(headers);
        } else if for_caches.is_personal && !names.cache_control {
            restrict(headers, self.caching);
        }
        if clears {
            clear(headers);
        }
        if for_caches.varies || are_writes {
            vary_by_cookie(headers, names.vary);
        }
        names.cache_control || names.targeted
    }

    fn write(&self, headers: &mut HeaderMap, writes: Vec<(CookieKind, HeaderValue)>) {
        for (kind, value) in writes {
            // Before the cookie itself, for clients that know cookies by their names alone.
            for removal in self.former_removals.of(kind) {
                headers.append(SET_COOKIE, removal.clone());
            }
            headers.append(SET_COOKIE, value);
        }
    }

    /// Whether the session's cookie goes and nothing comes in its place.
    fn logs_out(&self, writes: &[(CookieKind, HeaderValue)]) -> bool {
        let removed = |(kind, value): &(CookieKind, HeaderValue)| value == self.removal.of(*kind);
        writes.iter().any(|(kind, _)| *kind == CookieKind::Session) && writes.iter().all(removed)
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
