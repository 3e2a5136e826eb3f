//! A cookie jar that keeps cookies as a browser does.
//!
//! Rules of draft-ietf-httpbis-rfc6265bis-22, section 5: parsing, storage (domain, path, prefixes, the protection of
//! secure cookies), expiry, and the order of the `Cookie` header. Written apart from the cookie code of `tower-session-guard`, so
//! that one cannot hide a fault of the other. There is no public suffix list: a `Domain` of one label is refused, one
//! like `co.uk` is not.

mod date;
mod parse;
mod place;
mod prefix;
mod store;
#[cfg(test)]
mod tests;

pub use place::Place;
pub use store::{CookieJar, StoredCookie};

pub(super) use date::parse as date;
pub(super) use parse::SetCookie;
pub(super) use store::read;

use parse::parse;

/// Why a browser would not keep a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// Control characters, an empty name and value, or no sense at all.
    Syntax,
    /// Name and value together are longer than 4,096 bytes.
    TooLong,
    /// The `Domain` attribute does not cover the host that sent it.
    Domain,
    /// `Secure` from a place that is not a secure context.
    SecureFromPlainHttp,
    /// It would have covered a `Secure` cookie of the same name from plain HTTP.
    OverlaysSecure,
    /// `SameSite=None` without `Secure`.
    SameSiteNoneWithoutSecure,
    /// The name's prefix demands attributes that are not there.
    Prefix,
}

impl Refusal {
    /// The reason in words.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Syntax => "it is malformed",
            Self::TooLong => "name and value exceed 4,096 bytes",
            Self::Domain => "its Domain does not cover the host",
            Self::SecureFromPlainHttp => "Secure was set over plain HTTP",
            Self::OverlaysSecure => "plain HTTP may not cover a Secure cookie",
            Self::SameSiteNoneWithoutSecure => "SameSite=None needs Secure",
            Self::Prefix => "its name's prefix demands other attributes",
        }
    }
}
