//! Where a request goes: scheme, host, port and path.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// An absolute `http` or `https` address, the part of the URL standard that an audit needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    https: bool,
    host: String,
    port: Option<u16>,
    target: String,
}

impl Place {
    /// Parses an absolute `http://` or `https://` URL. User names in it are not accepted, and a fragment is dropped.
    #[must_use]
    pub fn parse(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let https = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at(end);
        let (host, port) = match authority.rfind(':') {
            Some(at) if !authority[at..].contains(']') => {
                (&authority[..at], Some(authority[at + 1..].parse().ok()?))
            }
            _ => (authority, None),
        };
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._[]:".contains(&b);
        if host.is_empty() || !host.bytes().all(plain) {
            return None;
        }
        let port = port.filter(|port| *port != if https { 443 } else { 80 });
        let base = Self {
            https,
            host: host.to_ascii_lowercase(),
            port,
            target: "/".to_owned(),
        };
        Some(base.at_target(tail))
    }

    pub(in super::super) fn loopback() -> Self {
        Self {
            https: false,
            host: "localhost".to_owned(),
            port: None,
            target: "/".to_owned(),
        }
    }

    /// The address that a reference (a path, a query, a whole URL) found at this one leads to.
    #[must_use]
    pub fn join(&self, reference: &str) -> Option<Self> {
        if reference.contains("://") && reference.find("://") < reference.find(['/', '?', '#']) {
            return Self::parse(reference);
        }
        if let Some(rest) = reference.strip_prefix("//") {
            let scheme = self.scheme();
            return Self::parse(&format!("{scheme}://{rest}"));
        }
        if reference.starts_with('/') {
            return Some(self.at_target(reference));
        }
        if reference.starts_with('?') {
            return Some(self.at_target(&format!("{}{reference}", self.path())));
        }
        if reference.is_empty() || reference.starts_with('#') {
            return Some(self.clone());
        }
        let folder = self.path().rfind('/').map_or("/", |at| &self.path()[..=at]);
        Some(self.at_target(&format!("{folder}{reference}")))
    }

    fn at_target(&self, tail: &str) -> Self {
        let tail = tail.split('#').next().unwrap_or_default();
        let tail = if tail.starts_with('/') {
            tail.to_owned()
        } else {
            format!("/{tail}")
        };
        let (path, query) = tail
            .split_once('?')
            .map_or((&*tail, None), |(p, q)| (p, Some(q)));
        let mut target = flatten(path);
        if let Some(query) = query {
            target.push('?');
            target.push_str(query);
        }
        Self {
            target: target.replace(' ', "%20"),
            ..self.clone()
        }
    }

    /// `http` or `https`.
    #[must_use]
    pub const fn scheme(&self) -> &'static str {
        if self.https { "https" } else { "http" }
    }

    /// The host in lower case, an IPv6 address in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Host and, where it is not the scheme's own, port: what the `Host` field says.
    #[must_use]
    pub fn authority(&self) -> String {
        self.port
            .map_or_else(|| self.host.clone(), |port| format!("{}:{port}", self.host))
    }

    /// Scheme, host and port: what the `Origin` field says.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("{}://{}", self.scheme(), self.authority())
    }

    /// The path without the query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or("/")
    }

    /// Whether the host is an IP address.
    #[must_use]
    pub fn is_address(&self) -> bool {
        self.host.starts_with('[') || self.host.parse::<Ipv4Addr>().is_ok()
    }

    /// Whether a browser treats the place as a secure context: HTTPS, or this machine itself.
    #[must_use]
    pub fn is_secure_context(&self) -> bool {
        self.https || self.is_loopback()
    }

    /// `localhost` and what lies below it, 127.0.0.0/8 and `::1`.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let inner = self.host.trim_start_matches('[').trim_end_matches(']');
        self.host == "localhost"
            || self.host.ends_with(".localhost")
            || inner.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
            || inner.parse::<Ipv6Addr>().is_ok_and(|ip| ip.is_loopback())
    }

    /// The same path on another host.
    #[must_use]
    pub fn on_host(&self, host: &str) -> Self {
        Self {
            host: host.to_ascii_lowercase(),
            ..self.clone()
        }
    }

    /// The same place over plain HTTP, as an attacker on the network would call it up.
    #[must_use]
    pub fn over_plain_http(&self) -> Self {
        Self {
            https: false,
            port: None,
            ..self.clone()
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin(), self.target)
    }
}

/// Resolves `.` and `..`.
fn flatten(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut parts = path.split('/').skip(1).peekable();
    while let Some(part) = parts.next() {
        let last = parts.peek().is_none();
        match part {
            "." if last => kept.push(""),
            "." => {}
            ".." => {
                kept.pop();
                if last {
                    kept.push("");
                }
            }
            part => kept.push(part),
        }
    }
    format!("/{}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[track_caller]
    fn check(base: &str, reference: &str, expected: &str) {
        let joined = Place::parse(base)
            .unwrap()
            .join(reference)
            .map(|place| place.to_string());
        assert_eq!(joined.as_deref(), Some(expected));
    }

    #[test]
    fn references_resolve_as_in_a_browser() {
        check("http://a.test", "x", "http://a.test/x");
        check("http://a.test/d/e?q=1", "x?y=2#z", "http://a.test/d/x?y=2");
        check("http://a.test/d/e", "/x", "http://a.test/x");
        check("http://a.test/d/e", "../x", "http://a.test/x");
        check(
            "http://a.test/d/e",
            "?q=//x://",
            "http://a.test/d/e?q=//x://",
        );
        check("https://a.test/d", "//b.test/x", "https://b.test/x");
        check(
            "https://a.test/d",
            "http://b.test:81/x",
            "http://b.test:81/x",
        );
        check(
            "https://a.test/d",
            "/r?to=http://b.test",
            "https://a.test/r?to=http://b.test",
        );
        check("https://A.test:443/d", "", "https://a.test/d");
    }

    #[test]
    fn odd_addresses_are_refused() {
        for url in [
            "ftp://a",
            "a.test",
            "http://",
            "http://u:p@a.test/",
            "http://a.test:99999/",
            "http://a b/",
        ] {
            assert_eq!(Place::parse(url), None, "{url}");
        }
    }

    #[test]
    fn this_machine_is_a_secure_context() {
        for url in [
            "http://localhost:1",
            "http://127.0.0.1",
            "http://[::1]:8080/",
            "http://app.localhost",
        ] {
            assert!(Place::parse(url).unwrap().is_secure_context(), "{url}");
        }
        assert!(
            !Place::parse("http://localhost.evil.test")
                .unwrap()
                .is_secure_context()
        );
    }
}
