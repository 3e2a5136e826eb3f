//! [`Attributes`]: what stands behind the value in a `Set-Cookie`, and what a browser takes together.

use std::fmt::Write as _;

use super::name::{CookieName, CookiePrefix};

/// On which requests from other sites a browser sends the cookie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SameSite {
    /// On none: whoever follows a link from another site arrives logged out.
    Strict,
    /// On links and other top-level `GET` requests.
    #[default]
    Lax,
    /// On all: for pages that other sites embed.
    None,
}

/// The attributes of both cookies, their lifetime excepted; `HttpOnly` is always among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attributes {
    pub(super) secure: bool,
    pub(super) same_site: SameSite,
    pub(super) partitioned: bool,
    pub(super) domain: Option<String>,
    pub(super) path: String,
}

impl Attributes {
    /// Browsers pass over an attribute that is longer (draft-ietf-httpbis-rfc6265bis, section 5.6).
    const MAX_LEN: usize = 1024;

    /// Why a browser would refuse or change a cookie of this name with these attributes.
    pub(super) fn refusal(&self, name: &CookieName) -> Option<&'static str> {
        let prefix = name.prefix();
        let rules = [
            (
                prefix != CookiePrefix::None && !self.secure,
                "a prefixed name needs Secure: use a name without prefix",
            ),
            (
                self.same_site == SameSite::None && !self.secure,
                "SameSite=None needs Secure: choose Lax or Strict",
            ),
            (
                self.partitioned && !self.secure,
                "Partitioned needs Secure: leave it out",
            ),
            (
                prefix.is_host_bound() && self.domain.is_some(),
                "this prefix allows no Domain: leave it out, or give a whole name that begins with __Http-",
            ),
            (
                prefix.is_host_bound() && self.path != "/",
                "this prefix allows no Path but /: leave it out, or give a whole name that begins with __Http-",
            ),
            (
                !is_path(&self.path),
                "the path must begin with / and consist of at most 1024 visible ASCII characters without ';': otherwise a browser takes another one, and the cookie cannot be removed",
            ),
            (
                self.domain
                    .as_deref()
                    .is_some_and(|domain| !is_domain(domain)),
                "the domain must be a host name of two or more labels of letters, digits, '-' and '_', without a dot before or behind (internationalized names as xn--…), and not an address",
            ),
        ];
        let broken = rules.into_iter().find(|(broken, _)| *broken);
        broken.map(|(_, reason)| reason)
    }

    /// What stands behind the value and before the lifetime.
    pub(super) fn suffix(&self) -> String {
        let mut suffix = format!("; Path={}", self.path);
        if let Some(domain) = &self.domain {
            // Writing to a String cannot fail.
            let _ = write!(suffix, "; Domain={domain}");
        }
        if self.secure {
            suffix.push_str("; Secure");
        }
        suffix.push_str("; HttpOnly; SameSite=");
        suffix.push_str(match self.same_site {
            SameSite::Strict => "Strict",
            SameSite::Lax => "Lax",
            SameSite::None => "None",
        });
        if self.partitioned {
            suffix.push_str("; Partitioned");
        }
        suffix
    }
}

impl Default for Attributes {
    fn default() -> Self {
        Self {
            secure: true,
            same_site: SameSite::Lax,
            partitioned: false,
            domain: None,
            path: "/".to_owned(),
        }
    }
}

fn is_path(path: &str) -> bool {
    path.len() <= Attributes::MAX_LEN
        && path.starts_with('/')
        && path
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b';')
}

fn is_domain(domain: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    // A last label of digits makes an IPv4 address (WHATWG URL, ends in a number).
    let last = domain.rsplit('.').next().unwrap_or_default();
    domain.len() <= 253
        && domain.contains('.')
        && domain.split('.').all(label)
        && !last.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::{Attributes, SameSite};
    use crate::cookie::CookiePolicy;

    fn refused(name: &str, attributes: &Attributes) -> Option<&'static str> {
        let policy = CookiePolicy::builder().whole_name(name).build().unwrap();
        attributes.refusal(policy.session_name())
    }

    // R40, R48
    #[test]
    fn whatever_needs_secure_is_refused_without_it() {
        let plain = || Attributes {
            secure: false,
            ..Attributes::default()
        };
        assert_eq!(refused("sid", &plain()), None);
        for name in [
            "__Host-Http-sid",
            "__Host-sid",
            "__Http-sid",
            "__Secure-sid",
        ] {
            assert!(refused(name, &plain()).is_some());
        }
        let same_site = Attributes {
            same_site: SameSite::None,
            ..plain()
        };
        assert!(refused("sid", &same_site).is_some_and(|reason| reason.contains("SameSite")));
        let partitioned = Attributes {
            partitioned: true,
            ..plain()
        };
        assert!(refused("sid", &partitioned).is_some_and(|reason| reason.contains("Partitioned")));
    }

    #[test]
    fn a_path_that_a_browser_would_replace_is_refused() {
        #[track_caller]
        fn check(path: &str, taken: bool) {
            let attributes = Attributes {
                path: path.to_owned(),
                ..Attributes::default()
            };
            assert_eq!(refused("sid", &attributes).is_none(), taken, "{path:?}");
        }
        check("/", true);
        check("/app/%20x", true);
        check(&format!("/{}", "a".repeat(1023)), true);
        check(&format!("/{}", "a".repeat(1024)), false);
        for path in [
            "",
            "app",
            " /",
            "/a b",
            "/a;b",
            "/a; Secure",
            "/ä",
            "/\0",
            "/\r\nX: y",
            "/\t",
        ] {
            check(path, false);
        }
    }

    #[test]
    fn a_domain_that_a_browser_would_refuse_is_refused() {
        #[track_caller]
        fn check(domain: &str, taken: bool) {
            let attributes = Attributes {
                domain: Some(domain.to_owned()),
                ..Attributes::default()
            };
            assert_eq!(refused("sid", &attributes).is_none(), taken, "{domain:?}");
        }
        for domain in [
            "example.com",
            "a.b.example.com",
            "xn--bcher-kva.example",
            "my_app.example",
        ] {
            check(domain, true);
        }
        for domain in [
            "",
            ".",
            "com",
            "localhost",
            ".example.com",
            "example.com.",
            "a..b",
            "-a.example",
            "a-.example",
            "bücher.example",
            "127.0.0.1",
            "1.2",
            "[::1]",
            "a.example;Secure",
            "a.example\r\n",
            "a b.example",
            "example.com:8080",
            "https://example.com",
        ] {
            check(domain, false);
        }
        check(&format!("{}.example", "a".repeat(63)), true);
        check(&format!("{}.example", "a".repeat(64)), false);
        check(&format!("{}com", "a.".repeat(126)), false);
    }

    #[test]
    fn every_attribute_stands_where_it_should() {
        let attributes = Attributes {
            secure: true,
            same_site: SameSite::None,
            partitioned: true,
            domain: Some("example.com".to_owned()),
            path: "/app".to_owned(),
        };
        assert_eq!(
            attributes.suffix(),
            "; Path=/app; Domain=example.com; Secure; HttpOnly; SameSite=None; Partitioned"
        );
        let strict = Attributes {
            same_site: SameSite::Strict,
            ..Attributes::default()
        };
        assert_eq!(
            strict.suffix(),
            "; Path=/; Secure; HttpOnly; SameSite=Strict"
        );
    }
}
