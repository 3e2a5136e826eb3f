//! [`DeviceCookie`]: the cookies beside the session's that concern its device.

use std::time::Duration;

use http::HeaderValue;

use super::{
    CookieName, CookiePolicy, CookiePrefix, attributes::Attributes, response::value::header_value,
    token::Token,
};
use crate::error::ConfigError;

/// The name and the attributes of a cookie that concerns a session's device; they follow from those of the session's.
///
/// The bound cookie is short-lived, and only the session's device can have it renewed. What a browser is told that the credential looks like and what `Set-Cookie` says are one text (D08): where they differ,
/// Chromium registers the session and then holds back every request for a refresh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeviceCookie {
    name: CookieName,
    /// Behind the value, each with `"; "` before it.
    suffix: String,
}

impl DeviceCookie {
    /// The bound cookie beside the session cookie of `policy`.
    ///
    /// # Errors
    ///
    /// If Chromium would not bind it: it needs `Secure`, and knows no `Partitioned`.
    pub(crate) fn bound(policy: &CookiePolicy) -> Result<Self, ConfigError> {
        Self::named(policy, "-bound")
    }

    /// The cookie that remembers for a minute that the device was asked for a fresh proof.
    ///
    /// # Errors
    ///
    /// As those of the bound cookie.
    pub(crate) fn demand(policy: &CookiePolicy) -> Result<Self, ConfigError> {
        Self::named(policy, "-demand")
    }

    /// The one whose name has `suffix` behind the session cookie's.
    fn named(policy: &CookiePolicy, suffix: &str) -> Result<Self, ConfigError> {
        let attributes = policy.attributes();
        let session = policy.session_name();
        let refused = [
            (
                !attributes.secure,
                "devices are bound over HTTPS only: leave plain_http_for_development out where they are",
            ),
            (
                attributes.partitioned,
                "Chromium binds no partitioned cookie: leave Partitioned out, or device binding",
            ),
        ];
        if let Some((_, reason)) = refused.into_iter().find(|(refused, _)| *refused) {
            return Err(ConfigError::CookieAttributes {
                name: session.as_str().to_owned(),
                reason,
            });
        }
        // Whatever the session's is called, the cookie is `Secure`, so its name may promise that no other host has set it. Chromium
        // rebuilds the cookie from its attributes, and takes no rebuilt one whose name has `Http-` in its prefix.
        let prefix = if attributes.domain.is_none() && attributes.path == "/" {
            CookiePrefix::Host
        } else {
            CookiePrefix::Secure
        };
        let base = &session.as_str()[session.prefix().as_str().len()..];
        Ok(Self {
            name: CookieName::parse(format!("{}{base}{suffix}", prefix.as_str()))?,
            suffix: Attributes::suffix(attributes),
        })
    }

    pub(crate) const fn name(&self) -> &CookieName {
        &self.name
    }

    /// The attributes as the instructions to the browser name them, such as `Path=/; Secure; HttpOnly; SameSite=Lax`.
    pub(crate) fn attributes(&self) -> &str {
        self.suffix.trim_start_matches("; ")
    }

    /// The `Set-Cookie` that hands out `token` for `max_age`.
    pub(crate) fn set(&self, token: &Token, max_age: Duration) -> HeaderValue {
        let (name, suffix, seconds) = (&self.name, &self.suffix, max_age.as_secs());
        let value = token.as_str();
        let mut value = header_value(format!("{name}={value}{suffix}; Max-Age={seconds}").into());
        value.set_sensitive(true);
        value
    }

    /// The `Set-Cookie` that removes the cookie.
    pub(crate) fn removal(&self) -> HeaderValue {
        let (name, suffix) = (&self.name, &self.suffix);
        header_value(format!("{name}={suffix}; Max-Age=0").into())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::DeviceCookie;
    use crate::{
        cookie::{
            CookiePolicy, CookiePolicyBuilder, SameSite,
            token::{Token, bound::BoundKeys},
        },
        key::KeyRing,
        session::{id::SessionId, time::Timestamp},
    };

    fn token() -> Token {
        let ring = KeyRing::of_tests([[7; 32]]);
        let cookie = DeviceCookie::bound(&CookiePolicy::default()).unwrap();
        let keys = BoundKeys::new(&ring, cookie.name(), "");
        let now = Timestamp::from_unix_seconds(1_800_000_000);
        keys.seal_bound(&SessionId::from_bytes([1; 16]), now, [0; 4])
    }

    #[test]
    fn its_name_promises_what_its_attributes_allow_and_never_begins_with_http() {
        let name = |policy: CookiePolicyBuilder| {
            let cookie = DeviceCookie::bound(&policy.build().unwrap()).unwrap();
            cookie.name().as_str().to_owned()
        };
        let named = |session| CookiePolicy::builder().whole_name(session);
        assert_eq!(name(CookiePolicy::builder()), "__Host-session-bound");
        for session in [
            "__Host-Http-sid",
            "__Host-sid",
            "__Http-sid",
            "__Secure-sid",
            "sid",
        ] {
            assert_eq!(name(named(session)), "__Host-sid-bound", "{session}");
        }
        for session in ["__Http-sid", "__Secure-sid", "sid"] {
            let elsewhere = [
                named(session).domain("example.com"),
                named(session).path("/app"),
            ];
            for policy in elsewhere {
                assert_eq!(name(policy), "__Secure-sid-bound", "{session}");
            }
        }
    }

    /// D08, D07: the same attributes in the instructions, where it is set and where it is removed.
    #[test]
    fn its_attributes_are_the_same_wherever_they_stand() {
        let policies = [
            (
                CookiePolicy::builder(),
                "Path=/; Secure; HttpOnly; SameSite=Lax",
            ),
            (
                CookiePolicy::builder().same_site(SameSite::Strict),
                "Path=/; Secure; HttpOnly; SameSite=Strict",
            ),
            (
                CookiePolicy::builder()
                    .whole_name("__Http-sid")
                    .domain("example.com")
                    .path("/app"),
                "Path=/app; Domain=example.com; Secure; HttpOnly; SameSite=Lax",
            ),
        ];
        for (policy, attributes) in policies {
            let cookie = DeviceCookie::bound(&policy.build().unwrap()).unwrap();
            assert_eq!(cookie.attributes(), attributes);
            let (name, value) = (cookie.name(), token());
            let value = value.as_str();
            let set = cookie.set(&token(), Duration::from_millis(570_999));
            assert_eq!(set, format!("{name}={value}; {attributes}; Max-Age=570"));
            assert!(set.is_sensitive());
            let removal = cookie.removal();
            assert_eq!(removal, format!("{name}=; {attributes}; Max-Age=0"));
        }
    }

    #[test]
    fn a_cookie_that_chromium_does_not_bind_is_refused_with_the_remedy() {
        let partitioned = CookiePolicy::builder().partitioned().build().unwrap();
        let told = DeviceCookie::bound(&partitioned).unwrap_err().to_string();
        assert!(told.contains("leave Partitioned out"), "{told}");
        let plain = CookiePolicy::plain_http_for_development();
        let told = DeviceCookie::bound(&plain).unwrap_err().to_string();
        assert!(told.contains("over HTTPS only"), "{told}");
    }
}
