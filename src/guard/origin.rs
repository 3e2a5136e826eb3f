//! [`AllowedOrigins`]: from which origins a request may come. Pure.

use std::net::{Ipv4Addr, Ipv6Addr};

use http::{HeaderMap, HeaderValue, header};

use crate::error::ConfigError;

/// Origins as browsers write them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AllowedOrigins(Vec<Box<str>>);

impl AllowedOrigins {
    pub(crate) fn add(&mut self, origin: &str) -> Result<(), ConfigError> {
        let origin = normalized(origin).map_err(|reason| ConfigError::Setting {
            name: "origin",
            value: origin.to_owned(),
            reason,
        })?;
        if !self.0.contains(&origin) {
            self.0.push(origin);
        }
        Ok(())
    }

    /// Whether a request with these headers may have been sent from here, or by no browser at all.
    pub(crate) fn admit(&self, headers: &HeaderMap) -> bool {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        match (origins.next(), origins.next()) {
            (Some(origin), None) => self.0.iter().any(|allowed| allowed.as_bytes() == origin),
            (Some(_), Some(_)) => false,
            (None, _) => !comes_from_elsewhere(headers),
        }
    }
}

/// Whether the browser says that another site's page, or that of a sibling host, sent a request without an `Origin`.
fn comes_from_elsewhere(headers: &HeaderMap) -> bool {
    let mut sites = headers.get_all("sec-fetch-site").iter();
    let is_near = |site: &HeaderValue| site == "same-origin" || site == "none";
    sites.any(|site| !is_near(site))
}

/// The origin as browsers write it (HTML standard, "serialization of an origin").
fn normalized(text: &str) -> Result<Box<str>, &'static str> {
    const FORM: &str =
        "write scheme, host and, unless it is the default, port, as in https://app.example:8443";
    if text.eq_ignore_ascii_case("null") {
        return Err(
            "every sandboxed frame and local file has this origin: name the one of your pages",
        );
    }
    let (scheme, rest) = text.split_once("://").ok_or(FORM)?;
    let scheme = scheme.to_ascii_lowercase();
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_lowercase())
        && scheme
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    if !is_scheme {
        return Err(FORM);
    }
    if scheme == "ws" || scheme == "wss" {
        return Err(
            "a handshake names the origin of the page that opens it: write http for ws and https for wss",
        );
    }
    if scheme == "file" {
        return Err("pages of files have the origin null, as every sandboxed frame has");
    }
    if rest.contains(['/', '?', '#', '@', '\\']) {
        return Err(
            "an origin has no path, query, fragment or user: end it after the host and port",
        );
    }
    if rest.contains('*') {
        return Err("there are no wildcards: name each origin");
    }
    if !rest.is_ascii() {
        return Err("browsers send a host in its ASCII form: write it with xn--");
    }
    let rest = rest.to_ascii_lowercase();
    let (host, port) = match rest.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']').ok_or(FORM)?;
            let address: Ipv6Addr = address.parse().map_err(|_| FORM)?;
            let port = match port {
                "" => None,
                port => Some(port.strip_prefix(':').ok_or(FORM)?),
            };
            (v6(address), port)
        }
        None => match rest.split_once(':') {
            Some((host, port)) => (host.to_owned(), Some(port)),
            None => (rest, None),
        },
    };
    if !host.starts_with('[') && !is_host(&host) {
        return Err(FORM);
    }
    let port = port.map(number).transpose()?;
    let default = match &*scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    };
    Ok(match port.filter(|port| Some(*port) != default) {
        Some(port) => format!("{scheme}://{host}:{port}").into(),
        None => format!("{scheme}://{host}").into(),
    })
}

fn number(port: &str) -> Result<u16, &'static str> {
    const PORT: &str = "a port is a number from 1 to 65535";
    if !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(PORT);
    }
    let port = port.parse().ok().filter(|port| *port > 0);
    port.ok_or(PORT)
}

/// A name, or an address of four numbers.
fn is_host(host: &str) -> bool {
    let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or("");
    // What ends in a number is an address to a browser, in whatever form.
    if last.starts_with(|c: char| c.is_ascii_digit()) && last.parse::<u64>().is_ok() {
        return host.parse::<Ipv4Addr>().is_ok();
    }
    let is_label = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    host.split('.').all(is_label)
}

/// Browsers never write the last numbers of an address in the old form.
fn v6(address: Ipv6Addr) -> String {
    match address.to_ipv4_mapped() {
        Some(_) => {
            let [.., high, low] = address.segments();
            format!("[::ffff:{high:x}:{low:x}]")
        }
        None => format!("[{address}]"),
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::{AllowedOrigins, normalized};

    /// R56.
    #[test]
    fn an_origin_is_kept_as_browsers_write_it() {
        for (written, kept) in [
            ("https://app.example", "https://app.example"),
            ("HTTPS://App.Example:443", "https://app.example"),
            ("http://app.example:80", "http://app.example"),
            ("http://app.example:443", "http://app.example:443"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("https://[2001:DB8:0::1]:8443", "https://[2001:db8::1]:8443"),
            ("http://[::ffff:10.0.0.1]", "http://[::ffff:a00:1]"),
            (
                "https://xn--bcher-kva.example",
                "https://xn--bcher-kva.example",
            ),
            ("chrome-extension://abcdefgh", "chrome-extension://abcdefgh"),
        ] {
            assert_eq!(&*normalized(written).unwrap(), kept);
        }
    }

    /// R56: what no browser sends, or every page may send, is a mistake.
    #[test]
    fn what_is_no_origin_is_refused() {
        for text in [
            "",
            "null",
            "*",
            "app.example",
            "https:app.example",
            "https://",
            "https://app.example/",
            "https://app.example/path",
            "https://app.example?q",
            "https://user@app.example",
            "https://*.app.example",
            "https://app..example",
            "https://bücher.example",
            "https://app.example:",
            "https://app.example:0",
            "https://app.example:+1",
            "https://app.example:65536",
            "https://127.1",
            "https://[::1",
            "https://[::1]x",
            "https://a b",
            "wss://app.example",
            "file:///tmp",
            "1ttp://app.example",
        ] {
            assert!(normalized(text).is_err(), "{text}");
        }
    }

    fn headers(fields: &[(&'static str, &'static [u8])]) -> HeaderMap {
        let field = |(name, value): &(&'static str, &'static [u8])| {
            let value = HeaderValue::from_bytes(value).unwrap();
            (HeaderName::from_static(name), value)
        };
        let mut headers = HeaderMap::new();
        for (name, value) in fields.iter().map(field) {
            headers.append(name, value);
        }
        headers
    }

    /// R56: as browsers fill in `Origin` and `Sec-Fetch-Site`.
    #[test]
    fn a_request_comes_from_an_allowed_origin_or_from_none() {
        let mut allowed = AllowedOrigins::default();
        allowed.add("https://app.example").unwrap();
        allowed.add("http://localhost:3000").unwrap();
        const OWN: (&str, &[u8]) = ("origin", b"https://app.example");
        for (fields, admitted) in [
            (&[][..], true),
            (&[OWN], true),
            (&[("origin", b"http://localhost:3000")], true),
            (&[("origin", b"http://app.example")], false),
            (&[("origin", b"https://app.example:443")], false),
            (&[("origin", b"https://app.example.evil.example")], false),
            (&[("origin", b"https://evil.example")], false),
            (&[("origin", b"https://a.app.example")], false),
            (&[("origin", b"null")], false),
            (&[("origin", b"")], false),
            (&[("origin", b"https://app.example\xff")], false),
            (&[OWN, OWN], false),
            (&[("origin", b"https://evil.example"), OWN], false),
            (&[OWN, ("sec-fetch-site", b"cross-site")], true),
            (&[("sec-fetch-site", b"same-origin")], true),
            (&[("sec-fetch-site", b"none")], true),
            (&[("sec-fetch-site", b"same-site")], false),
            (&[("sec-fetch-site", b"cross-site")], false),
            (&[("sec-fetch-site", b"later")], false),
            (
                &[
                    ("sec-fetch-site", b"none"),
                    ("sec-fetch-site", b"cross-site"),
                ],
                false,
            ),
        ] {
            assert_eq!(allowed.admit(&headers(fields)), admitted, "{fields:?}");
        }
    }
}
