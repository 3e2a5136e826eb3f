//! [`CsrfToken`]: what a form or a script sends along to show that our own page made the request.

use std::{error::Error, fmt};

use zeroize::{Zeroize, ZeroizeOnDrop};

/// A token that only pages of the session's own user can have: 68 characters of base64url.
///
/// [`Session::csrf_token`](crate::Session::csrf_token) makes one. Its [`Display`](fmt::Display) form goes
/// into a hidden field of each form, or into a `<meta>` element that a script copies into a request
/// header. Every call makes another text, so that compression beside what an attacker chose tells nothing
/// about it; each holds until the session's next login, elevation, step-down or logout, and not a moment
/// longer. A renewal leaves it alone, so that open forms keep working.
///
/// It is an HMAC-SHA-256 under a key derived from the ring, over 16 random bytes and what the session
/// keeps from one change of privilege to the next, each with its length before it. Nothing about it is
/// kept anywhere.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct CsrfToken(String);

impl CsrfToken {
    pub(crate) const fn new(text: String) -> Self {
        Self(text)
    }

    /// The token as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CsrfToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for CsrfToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CsrfToken(REDACTED)")
    }
}

/// A request did not show that a page of the session's own user made it.
///
/// It does not say why. As a response (feature `axum`) it is 403 with an empty body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CsrfRejected(pub(crate) ());

impl fmt::Display for CsrfRejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request carries no CSRF token of its session")
    }
}

impl Error for CsrfRejected {}
