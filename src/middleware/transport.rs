//! Whether a browser keeps our cookies: it drops those with `Secure` that come over a connection it does not trust.

use std::{
    net::Ipv4Addr,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use http::{
    HeaderMap, HeaderName,
    header::{ORIGIN, USER_AGENT},
};

use crate::session::time::Timestamp;

/// How often a process is told of it.
const EVERY: Duration = Duration::from_secs(60);

/// A browser sends it only where it trusts the connection.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Why a browser drops a `Secure` cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dropped {
    /// The page came over plain HTTP from another host than the browser's own.
    PlainHttp,
    /// Safari, which wants HTTPS from the browser's own host too.
    Safari,
}

impl Dropped {
    /// Whether a browser that sent these headers with a form or a script's request drops a `Secure` cookie.
    ///
    /// Such a request has an `Origin`. A page that came over plain HTTP may send one to a server with HTTPS, where the
    /// cookie is kept: a browser then says `Sec-Fetch-Site`.
    pub(crate) fn by(headers: &HeaderMap) -> Option<Self> {
        let origin = headers.get(ORIGIN)?.as_bytes();
        let host = host_of(origin.strip_prefix(b"http://")?);
        if is_own_host(host) {
            is_safari(headers).then_some(Self::Safari)
        } else {
            (!headers.contains_key(SEC_FETCH_SITE)).then_some(Self::PlainHttp)
        }
    }

    /// What to do about it.
    pub(crate) const fn remedy(self) -> &'static str {
        match self {
            Self::PlainHttp => {
                "a cookie was issued that its browser drops, since it has `Secure` and the page came over plain HTTP: \
                 serve HTTPS, open the page at localhost, or on a developer's own machine take \
                 CookiePolicy::plain_http_for_development()"
            }
            Self::Safari => {
                "a cookie was issued that Safari drops, since it has `Secure` and the page came over plain HTTP, from \
                 localhost too: serve HTTPS, take another browser, or on a developer's own machine take \
                 CookiePolicy::plain_http_for_development()"
            }
        }
    }
}

/// Without the port.
fn host_of(authority: &[u8]) -> &str {
    let authority = str::from_utf8(authority).unwrap_or_default();
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

/// Whether it is the machine that the browser runs on, whose connections most browsers trust.
fn is_own_host(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    host == "localhost"
        || host.ends_with(".localhost")
        || host == "[::1]"
        || host
            .parse()
            .is_ok_and(|address: Ipv4Addr| address.is_loopback())
}

/// Whether it is Safari, or another browser with its engine; most others call themselves Safari too.
fn is_safari(headers: &HeaderMap) -> bool {
    let agent = headers
        .get(USER_AGENT)
        .map_or(&b""[..], |agent| agent.as_bytes());
    let has = |word: &str| {
        agent
            .windows(word.len())
            .any(|part| part == word.as_bytes())
    };
    has("Safari/") && !["Chrome/", "Chromium/", "Firefox/"].into_iter().any(has)
}

/// When it was last told of.
#[derive(Debug, Default)]
pub(crate) struct DroppedWatch(AtomicU64);

impl DroppedWatch {
    /// Whether it should be told of now, at most once a minute.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        let told = self.0.load(Relaxed);
        let last = Timestamp::from_unix_millis(told);
        // A clock that was set back must not keep it silent.
        let passed = now.since(last).max(last.since(now));
        let due = told == 0 || passed >= EVERY;
        due && self
            .0
            .compare_exchange(told, now.as_unix_millis().max(1), Relaxed, Relaxed)
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::{HeaderMap, HeaderValue, header};

    use super::{Dropped, DroppedWatch};
    use crate::session::time::Timestamp;

    const CHROMIUM: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";
    const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
    const SAFARI: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15";

    fn headers(origin: &str, agent: &'static str) -> HeaderMap {
        HeaderMap::from_iter([
            (header::ORIGIN, HeaderValue::from_str(origin).unwrap()),
            (header::USER_AGENT, HeaderValue::from_static(agent)),
        ])
    }

    #[test]
    fn a_browser_drops_secure_cookies_of_other_hosts_over_plain_http() {
        for (host, own) in [
            ("localhost", true),
            ("localhost:3000", true),
            ("LocalHost", true),
            ("shop.localhost:80", true),
            ("127.0.0.1:3000", true),
            ("127.8.9.10", true),
            ("[::1]", true),
            ("[::1]:3000", true),
            ("192.0.2.2:3010", false),
            ("128.0.0.1", false),
            ("127.0.0.1.example", false),
            ("localhost.example:3000", false),
            ("notlocalhost", false),
            ("[::2]:3000", false),
            ("[fe80::1]", false),
            ("shop.example", false),
            ("", false),
        ] {
            let by = |agent| Dropped::by(&headers(&format!("http://{host}"), agent));
            let elsewhere = (!own).then_some(Dropped::PlainHttp);
            assert_eq!(by(CHROMIUM), elsewhere, "{host}");
            assert_eq!(by(FIREFOX), elsewhere, "{host}");
            let safari = if own {
                Dropped::Safari
            } else {
                Dropped::PlainHttp
            };
            assert_eq!(by(SAFARI), Some(safari), "{host}");
            let https = headers(&format!("https://{host}"), SAFARI);
            assert_eq!(Dropped::by(&https), None, "{host}");
        }
        assert_eq!(Dropped::by(&HeaderMap::new()), None);
        assert_eq!(Dropped::by(&headers("null", SAFARI)), None);
    }

    /// A form on a page of plain HTTP may be sent to a server with HTTPS.
    #[test]
    fn a_browser_that_trusts_the_connection_keeps_the_cookie() {
        let mut cross_site = headers("http://shop.example", CHROMIUM);
        cross_site.insert(
            super::SEC_FETCH_SITE,
            HeaderValue::from_static("cross-site"),
        );
        assert_eq!(Dropped::by(&cross_site), None);
    }

    #[test]
    fn it_is_told_once_a_minute_also_by_a_clock_that_was_set_back() {
        let watch = DroppedWatch::default();
        let at = |seconds| Timestamp::from_unix_seconds(seconds);
        for (now, due) in [
            (at(0), true),
            (at(0).after(Duration::from_millis(59_999)), false),
            (at(61), true),
            (at(120), false),
            (at(121), true),
            (at(62), false),
            (at(61), true),
        ] {
            assert_eq!(watch.is_due(now), due, "{now:?}");
        }
    }
}
