//! [`CookiePolicy`]: names and attributes that browsers take, and can remove again.

use super::{
    CookieKind,
    attributes::{Attributes, SameSite},
    name::{CookieName, CookiePrefix},
    token::MAX_NAME_LEN,
};
use crate::error::ConfigError;

/// The names and attributes of the two cookies, such that browsers take them and can remove them again.
///
/// The default is `__Host-Http-session` for whoever is logged in and `__Host-Http-session-guest` for a
/// visitor whose session has data, both with `Path=/; Secure; HttpOnly; SameSite=Lax`. Browsers that know
/// the `Http-` part refuse such a cookie from a script or another host; older ones treat the name as
/// `__Host-`. Current Chromium and Firefox take it over plain HTTP from `localhost` too.
///
/// `HttpOnly` is always set, and `Secure` too but for
/// [`plain_http_for_development`](Self::plain_http_for_development).
///
/// # Examples
///
/// ```
/// use tower_session_guard::{CookiePolicy, SameSite};
///
/// let policy = CookiePolicy::builder()
///     .name("shop")
///     .same_site(SameSite::Strict)
///     .build()?;
/// assert_eq!(policy.session_name().as_str(), "__Host-Http-shop");
/// assert_eq!(policy.guest_name().as_str(), "__Host-Http-shop-guest");
/// # Ok::<(), tower_session_guard::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CookiePolicy {
    session: CookieName,
    guest: CookieName,
    attributes: Attributes,
}

impl CookiePolicy {
    /// What the guest cookie's name has behind the session cookie's.
    pub(super) const GUEST: &str = "-guest";

    /// Begins with the default policy.
    #[must_use]
    pub fn builder() -> CookiePolicyBuilder {
        CookiePolicyBuilder {
            name: Name::Base("session".to_owned()),
            attributes: Attributes::default(),
        }
    }

    /// Cookies without `Secure`, for plain HTTP on a developer's own machine: `session-dev` and
    /// `session-dev-guest`.
    ///
    /// Never for a server that others reach: whoever is on the way reads such a cookie and plants one, and
    /// no prefix keeps scripts and sibling hosts from setting it. Its names differ from the production
    /// ones, so no token of one is taken for the other. Browsers of today need this only for hosts other
    /// than `localhost`.
    #[must_use]
    pub fn plain_http_for_development() -> Self {
        let attributes = Attributes {
            secure: false,
            ..Attributes::default()
        };
        Self::known_to_be_sound("session-dev", attributes)
    }

    /// The name of the session cookie, which somebody logged in holds.
    #[must_use]
    pub const fn session_name(&self) -> &CookieName {
        &self.session
    }

    /// The name of the guest cookie, which a visitor whose session has data holds.
    #[must_use]
    pub const fn guest_name(&self) -> &CookieName {
        &self.guest
    }

    pub(crate) const fn name(&self, kind: CookieKind) -> &CookieName {
        match kind {
            CookieKind::Guest => &self.guest,
            CookieKind::Session => &self.session,
        }
    }

    pub(super) const fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    fn new(session: String, attributes: Attributes) -> Result<Self, ConfigError> {
        let session = CookieName::parse(session)?;
        let guest = CookieName::parse(format!("{session}{}", Self::GUEST))?;
        if guest.as_str().len() > MAX_NAME_LEN {
            return Err(ConfigError::CookieName {
                name: session.as_str().to_owned(),
                reason: "no session would fit beside it into the 4096 bytes that browsers allow: write a shorter name",
            });
        }
        if let Some(reason) = attributes.refusal(&session) {
            return Err(ConfigError::CookieAttributes {
                name: session.as_str().to_owned(),
                reason,
            });
        }
        Ok(Self {
            session,
            guest,
            attributes,
        })
    }

    fn known_to_be_sound(name: &str, attributes: Attributes) -> Self {
        match Self::new(name.to_owned(), attributes) {
            Ok(policy) => policy,
            Err(error) => unreachable!("{error}"),
        }
    }
}

impl Default for CookiePolicy {
    fn default() -> Self {
        Self::known_to_be_sound("__Host-Http-session", Attributes::default())
    }
}

/// Builds a [`CookiePolicy`].
#[derive(Clone, Debug)]
#[must_use]
pub struct CookiePolicyBuilder {
    name: Name,
    attributes: Attributes,
}

#[derive(Clone, Debug)]
enum Name {
    Base(String),
    Whole(String),
}

impl CookiePolicyBuilder {
    /// Sets what the session cookie's name has behind the prefix `__Host-Http-`.
    pub fn name(mut self, base: impl Into<String>) -> Self {
        self.name = Name::Base(base.into());
        self
    }

    /// Sets the session cookie's whole name, with another prefix or none.
    ///
    /// Without `__Host-Http-` other hosts of the same site, or scripts, can plant a cookie of that name:
    /// choose it only where an attribute needs it.
    pub fn whole_name(mut self, name: impl Into<String>) -> Self {
        self.name = Name::Whole(name.into());
        self
    }

    /// Sets on which requests from other sites browsers send the cookies.
    pub fn same_site(mut self, same_site: SameSite) -> Self {
        self.attributes.same_site = same_site;
        self
    }

    /// Gives each site that embeds this one cookies of its own (`Partitioned`, the CHIPS explainer).
    ///
    /// An embedded page needs [`SameSite::None`] besides.
    pub fn partitioned(mut self) -> Self {
        self.attributes.partitioned = true;
        self
    }

    /// Sends the cookies to this domain and all hosts below it, each of which can then read and set them.
    ///
    /// Needs a [whole name](Self::whole_name) whose prefix is not bound to one host.
    pub fn domain(mut self, domain: impl Into<String>) -> Self {
        self.attributes.domain = Some(domain.into());
        self
    }

    /// Sends the cookies only with requests below this path; `/` if not called.
    ///
    /// A path keeps nothing apart: scripts on other paths of the host can reach into it.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.attributes.path = path.into();
        self
    }

    /// The policy.
    ///
    /// # Errors
    ///
    /// If a browser would refuse the cookies or change them, or if no session would fit into one.
    pub fn build(self) -> Result<CookiePolicy, ConfigError> {
        let name = match self.name {
            Name::Whole(name) => name,
            Name::Base(base) if CookiePrefix::of(&base) != CookiePrefix::None => {
                return Err(ConfigError::CookieName {
                    name: base,
                    reason: "the prefix __Host-Http- is put before it: leave the prefix out, or give a whole name",
                });
            }
            Name::Base(base) => format!("{}{base}", CookiePrefix::HostHttp.as_str()),
        };
        CookiePolicy::new(name, self.attributes)
    }
}
