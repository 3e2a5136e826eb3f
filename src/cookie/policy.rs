//! [`CookiePolicy`]: names and attributes that browsers take, and can remove again.

use super::{
    CookieKind,
    attributes::{Attributes, SameSite},
    name::{CookieName, CookiePrefix},
    scope::CookieScope,
    token::MAX_NAME_LEN,
};
use crate::error::ConfigError;

/// The names and attributes of the two cookies, such that browsers take them and can remove them again.
///
/// The default is `__Host-Http-session` for logged-in users and `__Host-Http-session-guest` for guests, who
/// have a session with data and no login, both with `Path=/; Secure; HttpOnly; SameSite=Lax`. Browsers that know
/// the `Http-` part refuse such a cookie from a script or another host; older ones treat the name as
/// `__Host-`. Current Chromium and Firefox take it over plain HTTP from `localhost` too; Safari wants HTTPS
/// there as well.
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
    /// Where cookies of these names were kept before.
    former: Vec<Attributes>,
    clears_site_data: bool,
}

impl CookiePolicy {
    /// What the guest cookie's name has behind the session cookie's.
    pub(super) const GUEST: &str = "-guest";

    /// Begins with the default policy.
    pub fn builder() -> CookiePolicyBuilder {
        CookiePolicyBuilder {
            name: Name::Base("session".to_owned()),
            attributes: Attributes::default(),
            former: Vec::new(),
            clears_site_data: false,
        }
    }

    /// Cookies without `Secure`, for plain HTTP on a developer's own machine: `session-dev` and
    /// `session-dev-guest`.
    ///
    /// Never for a server that others reach: whoever is on the way reads such a cookie and plants one, and
    /// no prefix keeps scripts and sibling hosts from setting it. Its names differ from the production
    /// ones, so no token of one is taken for the other. Chromium and Firefox need this only for hosts
    /// other than `localhost`; Safari needs it there too.
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

    /// The name of the guest cookie, which holds a session with data and no login.
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

    /// Whether browsers are to keep the cookies of trusted connections only.
    pub(crate) const fn is_secure(&self) -> bool {
        self.attributes.secure
    }

    pub(crate) const fn same_site(&self) -> SameSite {
        self.attributes.same_site
    }

    pub(super) const fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    pub(super) fn former(&self) -> &[Attributes] {
        &self.former
    }

    fn new(session: String, attributes: Attributes) -> Result<Self, ConfigError> {
        let session = CookieName::parse(session)?;
        if session.as_str().ends_with(Self::GUEST) {
            // It would be the name, and so the key, of another layer's guest cookie.
            return Err(ConfigError::CookieName {
                name: session.as_str().to_owned(),
                reason: "this ending is the guest cookie's: write a name that ends otherwise",
            });
        }
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
            former: Vec::new(),
            clears_site_data: false,
        })
    }

    pub(super) const fn clears_site_data(&self) -> bool {
        self.clears_site_data
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
    former: Vec<CookieScope>,
    clears_site_data: bool,
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
    /// choose it only where an attribute needs it, or where something on the way does.
    ///
    /// # Examples
    ///
    /// Firebase Hosting hands no cookie but `__session` on to a server. So a guest cookie never arrives: keep nothing for
    /// anonymous visitors there. And a sibling host can plant a cookie, which may log a user out or into the attacker's
    /// own account; a login still begins a new session under a new token.
    ///
    /// ```
    /// use tower_session_guard::CookiePolicy;
    ///
    /// let policy = CookiePolicy::builder().whole_name("__session").build()?;
    /// assert_eq!(policy.session_name().as_str(), "__session");
    /// # Ok::<(), tower_session_guard::ConfigError>(())
    /// ```
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
    /// An embedded page needs [`SameSite::None`] besides. A change of this setting is a change of scope: see
    /// [`formerly`](Self::formerly).
    pub fn partitioned(mut self) -> Self {
        self.attributes.partitioned = true;
        self
    }

    /// Sends the cookies to this domain and all hosts below it, each of which can then read and set them.
    ///
    /// Needs a [whole name](Self::whole_name) whose prefix is not bound to one host. A change of this setting is a
    /// change of scope: see [`formerly`](Self::formerly).
    pub fn domain(mut self, domain: impl Into<String>) -> Self {
        self.attributes.domain = Some(domain.into());
        self
    }

    /// Sends the cookies only with requests below this path; `/` if not called.
    ///
    /// A path keeps nothing apart: scripts on other paths of the host can reach into it. A change of this setting is
    /// a change of scope: see [`formerly`](Self::formerly).
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.attributes.path = path.into();
        self
    }

    /// Names a scope that cookies of this name had before, so that browsers remove those that they still have there.
    ///
    /// A browser tells cookies apart by name, domain, path and partition. After a change of one of these it keeps the
    /// old cookie beside the new one and sends both, until the old one's time is over or the browser closes. The layer
    /// goes by the sessions that are alive, so users stay logged in as they were, and a login or a logout ends every
    /// session that came. With a former scope named, every response that sets or removes a cookie also removes the
    /// one at that scope. Keep the setting for as long as sessions last; each scope adds one `Set-Cookie` field.
    ///
    /// A change of the name, or of the keys, needs no such care: the old cookie is then another one.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::{CookiePolicy, CookieScope};
    ///
    /// // It was host-only before.
    /// let policy = CookiePolicy::builder()
    ///     .whole_name("__Http-shop")
    ///     .domain("example.com")
    ///     .formerly(CookieScope::host_only())
    ///     .build()?;
    /// # let _ = policy;
    /// # Ok::<(), tower_session_guard::ConfigError>(())
    /// ```
    pub fn formerly(mut self, scope: CookieScope) -> Self {
        self.former.push(scope);
        self
    }

    /// Asks browsers at a logout to forget what they cached and stored of this origin
    /// (`Clear-Site-Data: "cache", "storage"`, W3C Clear Site Data).
    ///
    /// Off unless called, since it also empties what the application keeps in the browser for users who are not logged in.
    /// It never says `"cookies"`: browsers delete the cookies that come with such a response too, and a
    /// handler that says so beside a cookie of ours has that word taken out, whether or not this is on.
    pub fn clear_site_data_on_logout(mut self) -> Self {
        self.clears_site_data = true;
        self
    }

    /// The policy.
    ///
    /// # Errors
    ///
    /// If a browser would refuse the cookies or change them, or if no session would fit into one. If a former scope is
    /// the present one, or one that cookies of this name never had.
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
        let policy = CookiePolicy::new(name, self.attributes)?;
        let former = self.former.into_iter();
        let former = former.map(|scope| scope.before(&policy.session, &policy.attributes));
        Ok(CookiePolicy {
            former: former.collect::<Result<_, _>>()?,
            clears_site_data: self.clears_site_data,
            ..policy
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{CookiePolicy, CookiePolicyBuilder};
    use crate::{
        cookie::{CookieKind, CookiePrefix, SameSite},
        error::ConfigError,
    };

    #[test]
    fn the_default_is_the_strongest_that_browsers_know() {
        let policy = CookiePolicy::default();
        assert_eq!(policy, CookiePolicy::builder().build().unwrap());
        assert_eq!(policy.session_name().as_str(), "__Host-Http-session");
        assert_eq!(policy.guest_name().as_str(), "__Host-Http-session-guest");
        for kind in [CookieKind::Guest, CookieKind::Session] {
            let name = policy.name(kind);
            assert_eq!(name.prefix(), CookiePrefix::HostHttp);
            // However it is taken, it is the name that goes out.
            let texts: [&str; 2] = [name.as_ref(), &format!("{name}")];
            assert_eq!(texts, [name.as_str(); 2]);
        }
        assert_eq!(
            policy.attributes().suffix(),
            "; Path=/; Secure; HttpOnly; SameSite=Lax"
        );
    }

    // R47
    #[test]
    fn only_the_constructor_named_for_it_leaves_secure_out() {
        let policy = CookiePolicy::plain_http_for_development();
        assert_eq!(
            policy.attributes().suffix(),
            "; Path=/; HttpOnly; SameSite=Lax"
        );
        assert_eq!(policy.session_name().as_str(), "session-dev");
        assert_eq!(policy.guest_name().as_str(), "session-dev-guest");
        for builder in [
            CookiePolicy::builder(),
            CookiePolicy::builder().whole_name("sid"),
            CookiePolicy::builder().whole_name("session-dev"),
        ] {
            let suffix = builder.build().unwrap().attributes().suffix();
            assert!(suffix.contains("; Secure; HttpOnly;"), "{suffix}");
        }
    }

    // R40
    #[test]
    fn names_that_a_browser_or_a_server_would_refuse_or_change_are_refused() {
        #[track_caller]
        fn check(name: &str, hint: &str) {
            let refused = CookiePolicy::builder().whole_name(name).build();
            match refused {
                Err(ConfigError::CookieName {
                    name: named,
                    reason,
                }) => {
                    assert_eq!(named, name);
                    assert!(reason.contains(hint), "{reason}");
                }
                other => panic!("{other:?}"),
            }
        }
        check("", "write a name");
        for byte in (0..=0x20).chain([0x7F]).chain(*b"()<>@,;:\\\"/[]?={}") {
            check(&format!("a{}b", char::from(byte)), "RFC 9110");
        }
        check("größe", "RFC 9110");
        check("\u{a0}sid", "RFC 9110");
        check("__host-http-sid", "__Host-Http-");
        check("__HOST-HTTP-sid", "__Host-Http-");
        check("__Host-http-sid", "__Host-Http-");
        check("__host-Http-sid", "__Host-Http-");
        check("__host-sid", "write it as __Host-");
        check("__HOST-sid", "write it as __Host-");
        check("__http-sid", "write it as __Http-");
        check("__secure-sid", "write it as __Secure-");
        check("__SECURE-sid", "write it as __Secure-");
        for prefix in ["__Host-Http-", "__Host-", "__Http-", "__Secure-"] {
            check(prefix, "after the prefix");
        }
        check("sid-guest", "guest cookie's");
        check("__Host-Http-sid-guest", "guest cookie's");
        check(&"n".repeat(4096), "shorter");
    }

    #[test]
    fn a_base_name_gets_its_prefix_from_us() {
        let refusal = |base| CookiePolicy::builder().name(base).build().err();
        assert!(refusal("app").is_none());
        for base in ["__Host-app", "__host-http-app", "__SECURE-app", "", "a b"] {
            let refused = refusal(base);
            assert!(
                matches!(refused, Some(ConfigError::CookieName { .. })),
                "{base}"
            );
        }
    }

    #[test]
    fn whole_names_are_taken_as_they_are() {
        for (name, prefix) in [
            ("__Host-Http-sid", CookiePrefix::HostHttp),
            ("__Host-sid", CookiePrefix::Host),
            ("__Http-sid", CookiePrefix::Http),
            ("__Secure-sid", CookiePrefix::Secure),
            ("sid", CookiePrefix::None),
            ("__Hosted-sid", CookiePrefix::None),
            ("_Host-sid", CookiePrefix::None),
            ("!#$%&'*+-.^_`|~09azAZ", CookiePrefix::None),
        ] {
            let policy = CookiePolicy::builder().whole_name(name).build().unwrap();
            assert_eq!(policy.session_name().as_str(), name);
            assert_eq!(policy.guest_name().to_string(), format!("{name}-guest"));
            assert_eq!(policy.session_name().prefix(), prefix);
            assert_eq!(policy.guest_name().prefix(), prefix);
        }
    }

    // R40, R48
    #[test]
    fn attributes_are_checked_against_the_prefix() {
        type Set = fn(CookiePolicyBuilder) -> CookiePolicyBuilder;
        let domain: Set = |policy| policy.domain("example.com");
        let path: Set = |policy| policy.path("/app");
        let root: Set = |policy| policy.path("/");
        let none: Set = |policy| policy.same_site(SameSite::None);
        let chips: Set = |policy| policy.partitioned().same_site(SameSite::None);
        #[track_caller]
        fn check(name: &str, set: Set, taken: bool) {
            let built = set(CookiePolicy::builder().whole_name(name)).build();
            match built {
                Ok(_) => assert!(taken),
                Err(ConfigError::CookieAttributes { .. }) => assert!(!taken),
                Err(other) => panic!("{other}"),
            }
        }
        for name in ["__Host-Http-sid", "__Host-sid"] {
            check(name, domain, false);
            check(name, path, false);
        }
        for name in ["__Http-sid", "__Secure-sid", "sid"] {
            check(name, domain, true);
            check(name, path, true);
        }
        for name in [
            "__Host-Http-sid",
            "__Host-sid",
            "__Http-sid",
            "__Secure-sid",
            "sid",
        ] {
            check(name, root, true);
            check(name, none, true);
            check(name, chips, true);
        }
    }
}
