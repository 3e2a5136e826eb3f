//! [`CookieName`]: the prefix is part of the type, and decides which attributes a browser takes with it.

use std::fmt;

use crate::error::ConfigError;

/// What browsers promise about a cookie because of how its name begins.
///
/// Browsers compare prefixes in any case (draft-ietf-httpbis-rfc6265bis, section 4.1.3, and
/// draft-ietf-httpbis-layered-cookies); this crate takes them in the usual one only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CookiePrefix {
    /// `__Host-Http-`: set by this host over a secure connection, not by a script.
    HostHttp,
    /// `__Host-`: set by this host over a secure connection.
    Host,
    /// `__Http-`: set over a secure connection, not by a script.
    Http,
    /// `__Secure-`: set over a secure connection.
    Secure,
    /// No prefix, so no promise.
    None,
}

impl CookiePrefix {
    /// `__Host-Http-` before `__Host-`, with which it begins.
    const SPELLED: [Self; 4] = [Self::HostHttp, Self::Host, Self::Http, Self::Secure];

    /// The prefix as text; empty for [`None`](Self::None).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HostHttp => "__Host-Http-",
            Self::Host => "__Host-",
            Self::Http => "__Http-",
            Self::Secure => "__Secure-",
            Self::None => "",
        }
    }

    /// Whether only the host that set the cookie gets it, on every path.
    pub(super) const fn is_host_bound(self) -> bool {
        matches!(self, Self::HostHttp | Self::Host)
    }

    /// The prefix that a browser sees in `name`.
    pub(super) fn of(name: &str) -> Self {
        let begins = |prefix: &Self| {
            let start = name.as_bytes().get(..prefix.as_str().len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_str().as_bytes()))
        };
        let spelled = Self::SPELLED.into_iter().find(begins);
        spelled.unwrap_or(Self::None)
    }

    const fn in_its_usual_case(self) -> &'static str {
        match self {
            Self::HostHttp => "browsers know this prefix in any case: write it as __Host-Http-",
            Self::Host => "browsers know this prefix in any case: write it as __Host-",
            Self::Http => "browsers know this prefix in any case: write it as __Http-",
            Self::Secure => "browsers know this prefix in any case: write it as __Secure-",
            Self::None => "",
        }
    }
}

/// The name of a cookie: a token of RFC 9110, section 5.6.2, compared byte by byte.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CookieName {
    name: String,
    prefix: CookiePrefix,
}

impl CookieName {
    /// Takes `name` as it is.
    pub(super) fn parse(name: String) -> Result<Self, ConfigError> {
        let prefix = CookiePrefix::of(&name);
        let refusal = if name.is_empty() {
            Some("write a name")
        } else if !name.bytes().all(is_token_byte) {
            Some("write letters, digits and any of !#$%&'*+-.^_`|~ only (RFC 9110, section 5.6.2)")
        } else if !name.starts_with(prefix.as_str()) {
            Some(prefix.in_its_usual_case())
        } else if name.len() == prefix.as_str().len() {
            Some("write a name after the prefix")
        } else {
            None
        };
        match refusal {
            Some(reason) => Err(ConfigError::CookieName { name, reason }),
            None => Ok(Self { name, prefix }),
        }
    }

    /// The whole name, with its prefix.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// How the name begins.
    #[must_use]
    pub const fn prefix(&self) -> CookiePrefix {
        self.prefix
    }
}

impl fmt::Display for CookieName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl AsRef<str> for CookieName {
    fn as_ref(&self) -> &str {
        &self.name
    }
}

const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}
