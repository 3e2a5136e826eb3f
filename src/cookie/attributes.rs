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
