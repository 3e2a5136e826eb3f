//! The two cookies: their names and attributes, their tokens, and the headers they come and leave in.

mod attributes;
#[cfg(feature = "dbsc")]
pub(crate) mod bound_reader;
#[cfg(feature = "dbsc")]
pub(crate) mod device;
mod name;
mod policy;
pub(crate) mod request;
pub(crate) mod response;
mod same_site;
mod scope;
pub(crate) mod token;
mod transaction;

pub use self::{
    attributes::SameSite,
    name::{CookieName, CookiePrefix},
    policy::{CookiePolicy, CookiePolicyBuilder},
    response::Caching,
    scope::CookieScope,
    transaction::TransactionCookie,
};

/// The most bytes that a cookie's name and value may have together
/// (draft-ietf-httpbis-rfc6265bis, section 5.6).
const MAX_NAME_AND_VALUE: usize = 4096;

/// Which of the two cookies: that of a guest session, or that of a logged-in one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CookieKind {
    Guest,
    Session,
}

impl CookieKind {
    /// Both, as their tokens count: those of logged-in sessions first.
    pub(crate) const IN_ORDER: [Self; 2] = [Self::Session, Self::Guest];

    /// The cookie that holds a session of somebody logged in, or a guest's.
    pub(crate) const fn of_session(authenticated: bool) -> Self {
        if authenticated {
            Self::Session
        } else {
            Self::Guest
        }
    }
}

/// One of something for each of the two cookies.
#[derive(Clone, Debug)]
struct ByKind<T> {
    guest: T,
    session: T,
}

impl<T> ByKind<T> {
    const fn of(&self, kind: CookieKind) -> &T {
        match kind {
            CookieKind::Guest => &self.guest,
            CookieKind::Session => &self.session,
        }
    }
}
