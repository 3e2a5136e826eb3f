//! Keeping cookies and handing them out, RFC 6265bis sections 5.7 and 5.8.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use http::Method;

use super::{Place, Refusal, SetCookie, parse, prefix};

/// Chromium keeps this many cookies of one site.
const MOST: usize = 180;

/// A cookie as a browser keeps it.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredCookie {
    pub(in super::super) name: Vec<u8>,
    pub(in super::super) value: Vec<u8>,
    pub(in super::super) domain: String,
    pub(in super::super) host_only: bool,
    pub(in super::super) path: Vec<u8>,
    pub(in super::super) secure: bool,
    pub(in super::super) http_only: bool,
    pub(in super::super) same_site: Option<String>,
    expires: Option<i64>,
    created: u64,
}

/// All cookies of one browser.
#[derive(Clone, Debug, Default)]
pub struct CookieJar {
    cookies: Vec<StoredCookie>,
    /// Stands for the creation time: strictly rising, so that the order is never in doubt.
    tick: u64,
}

// ===== impl CookieJar =====

impl CookieJar {
    /// Takes one `Set-Cookie` field of a response that came from `place`.
    ///
    /// # Errors
    ///
    /// The reason why a browser would have dropped the field; the jar is then unchanged.
    pub fn set(&mut self, place: &Place, field: &[u8]) -> Result<(), Refusal> {
        let now = unix_now();
        let cookie = parse(field, now)?;
        let domain = domain_of(place, &cookie)?;
        if cookie.secure && !place.is_secure_context() {
            return Err(Refusal::SecureFromPlainHttp);
        }
        let path = cookie
            .path
            .clone()
            .unwrap_or_else(|| default_path(place.path()));
        if !cookie.secure && !place.is_secure_context() && self.covers_secure(&cookie, place, &path)
        {
            return Err(Refusal::OverlaysSecure);
        }
        if !cookie.secure && cookie.same_site.as_deref() == Some("None") {
            return Err(Refusal::SameSiteNoneWithoutSecure);
        }
        prefix::check(&cookie)?;
        self.tick += 1;
        let fresh = StoredCookie {
            host_only: domain.is_none(),
            domain: domain.unwrap_or_else(|| place.host().to_owned()),
            path,
            secure: cookie.secure,
            http_only: cookie.http_only,
            same_site: cookie.same_site,
            expires: cookie.expires,
            created: self.tick,
            name: cookie.name,
            value: cookie.value,
        };
        self.keep(fresh, now);
        Ok(())
    }

    fn keep(&mut self, mut fresh: StoredCookie, now: i64) {
        if let Some(at) = self
            .cookies
            .iter()
            .position(|old| old.is_same_place(&fresh))
        {
            fresh.created = self.cookies.remove(at).created;
        }
        self.cookies.push(fresh);
        self.cookies
            .retain(|cookie| cookie.expires.is_none_or(|at| at > now));
        if self.cookies.len() > MOST {
            self.cookies
                .sort_by_key(|cookie| (cookie.secure, cookie.created));
            self.cookies.remove(0);
        }
    }

    fn covers_secure(&self, cookie: &SetCookie, place: &Place, path: &[u8]) -> bool {
        self.cookies.iter().any(|old| {
            let domain = cookie.domain.as_deref().unwrap_or_else(|| place.host());
            old.secure
                && old.name == cookie.name
                && (domain_match(&old.domain, domain) || domain_match(domain, &old.domain))
                && path_match(path, &old.path)
        })
    }

    /// The cookies that a browser would send to `place`, in the order in which it would send them.
    #[must_use]
    pub fn matching(&self, place: &Place) -> Vec<&StoredCookie> {
        let now = unix_now();
        let mut chosen: Vec<_> = self
            .cookies
            .iter()
            .filter(|cookie| cookie.goes_to(place, now))
            .collect();
        chosen.sort_by_key(|cookie| (usize::MAX - cookie.path.len(), cookie.created));
        chosen
    }

    /// The value of the `Cookie` field for a request to `place`; empty where none goes there.
    #[must_use]
    pub fn header(&self, place: &Place) -> Vec<u8> {
        line(&self.matching(place))
    }

    /// The value of the `Cookie` field for a navigation to `place` that a page of another site starts.
    ///
    /// A cookie without `SameSite` goes along, as in Firefox and Safari. Chromium treats it as `Lax`.
    #[must_use]
    pub fn header_from_other_site(&self, place: &Place, method: &Method) -> Vec<u8> {
        let mut chosen = self.matching(place);
        chosen.retain(|cookie| match cookie.same_site.as_deref() {
            Some("Strict") => false,
            Some("Lax") => method.is_safe(),
            _ => true,
        });
        line(&chosen)
    }

    /// Names and values that a script on the page at `place` could read.
    #[must_use]
    pub fn visible_to_scripts(&self, place: &Place) -> Vec<&StoredCookie> {
        self.matching(place)
            .into_iter()
            .filter(|cookie| !cookie.http_only)
            .collect()
    }

    /// Takes every cookie of this name away, as a user with the browser's settings could.
    pub fn forget(&mut self, name: &[u8]) {
        self.cookies.retain(|cookie| cookie.name != name);
    }

    /// Puts a cookie in as someone with the device in hand would: host-only, `Path=/`, whatever the name's prefix.
    pub fn plant(&mut self, place: &Place, name: &[u8], value: &[u8]) {
        self.forget(name);
        self.tick += 1;
        self.cookies.push(StoredCookie {
            name: name.to_vec(),
            value: value.to_vec(),
            domain: place.host().to_owned(),
            host_only: true,
            path: b"/".to_vec(),
            secure: place.is_secure_context(),
            http_only: true,
            same_site: Some("Lax".to_owned()),
            expires: None,
            created: self.tick,
        });
    }
}

// ===== impl StoredCookie =====

impl StoredCookie {
    fn is_same_place(&self, other: &Self) -> bool {
        self.name == other.name
            && self.domain == other.domain
            && self.host_only == other.host_only
            && self.path == other.path
    }

    fn goes_to(&self, place: &Place, now: i64) -> bool {
        let host = if self.host_only {
            self.domain == place.host()
        } else {
            domain_match(place.host(), &self.domain)
        };
        host && path_match(place.path().as_bytes(), &self.path)
            && (!self.secure || place.is_secure_context())
            && self.expires.is_none_or(|at| at > now)
    }

    /// Whether it outlives the browser.
    pub(in super::super) fn is_persistent(&self) -> bool {
        self.expires.is_some()
    }

    /// For how long the browser keeps it from now on, in seconds; nothing where it ends with the browser.
    pub(in super::super) fn lifetime(&self) -> Option<i64> {
        self.expires.map(|at| at.saturating_sub(unix_now()))
    }

    /// Whether the name's prefix keeps other hosts from setting a cookie of this name.
    pub(in super::super) fn is_host_bound(&self) -> bool {
        prefix::is_host_bound(&self.name)
    }
}

impl fmt::Debug for StoredCookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredCookie")
            .field("name", &String::from_utf8_lossy(&self.name))
            .field("value", &"REDACTED")
            .finish_non_exhaustive()
    }
}

/// Reads one field without keeping it.
pub(in super::super) fn read(field: &[u8]) -> Result<SetCookie, Refusal> {
    parse(field, unix_now())
}

fn line(cookies: &[&StoredCookie]) -> Vec<u8> {
    let mut line = Vec::new();
    for cookie in cookies {
        if !line.is_empty() {
            line.extend_from_slice(b"; ");
        }
        if !cookie.name.is_empty() {
            line.extend_from_slice(&cookie.name);
            line.push(b'=');
        }
        line.extend_from_slice(&cookie.value);
    }
    line
}

// ===== matching =====

fn domain_of(place: &Place, cookie: &SetCookie) -> Result<Option<String>, Refusal> {
    let Some(domain) = &cookie.domain else {
        return Ok(None);
    };
    if place.is_address() {
        // An address has no hosts below it: a browser takes its own name, as a host-only cookie.
        return if domain == place.host() {
            Ok(None)
        } else {
            Err(Refusal::Domain)
        };
    }
    if !domain.contains('.') {
        // A single label is a public suffix; a browser takes it only from that very host, as a host-only cookie.
        return if domain == place.host() {
            Ok(None)
        } else {
            Err(Refusal::Domain)
        };
    }
    if domain_match(place.host(), domain) {
        Ok(Some(domain.clone()))
    } else {
        Err(Refusal::Domain)
    }
}

fn domain_match(host: &str, domain: &str) -> bool {
    host == domain
        || (host
            .strip_suffix(domain)
            .is_some_and(|head| head.ends_with('.'))
            && host.parse::<std::net::Ipv4Addr>().is_err())
}

fn path_match(request: &[u8], cookie: &[u8]) -> bool {
    request
        .strip_prefix(cookie)
        .is_some_and(|rest| rest.is_empty() || cookie.ends_with(b"/") || rest.starts_with(b"/"))
}

fn default_path(path: &str) -> Vec<u8> {
    match path.rfind('/') {
        Some(at) if at > 0 => path.as_bytes()[..at].to_vec(),
        _ => b"/".to_vec(),
    }
}

fn unix_now() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
