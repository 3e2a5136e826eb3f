//! [`FlashCookie`]: the signed cookie that carries messages to the next page.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use cookie::{Cookie, CookieJar, Key, SameSite, time::Duration};
use http::{HeaderMap, HeaderValue, header::COOKIE};
use tower_session_guard::{CookiePrefix, DerivedKey, KeyRing};

use super::message::FlashMessage;
use crate::{load::tell, word::is_word};

/// How much of the `Cookie` fields is looked at, as with the cookies of sessions.
const MAX_BYTES: usize = 256 * 1024;

/// What name and value of a cookie may have together (RFC 6265bis, section 5.6).
const MAX_NAME_AND_VALUE: usize = 4096;

/// The signature before the value: 32 bytes in Base64.
const SIGNATURE: usize = 44;

/// The signed cookie of flash messages, as a part of the router's state.
///
/// It is apart from the session: messages survive a login and a logout, and leave no session for a visitor. It is signed with keys that are
/// derived from the [`KeyRing`] for this cookie's name and audience, and rolls over with the ring. It is not encrypted: the browser's
/// owner can read it. It lasts for ten minutes.
///
/// Its name is `__Host-Http-flash` unless [`named`](Self::named) sets another, with `Secure`, `HttpOnly`, `SameSite=Lax` and `Path=/`.
#[derive(Clone, Debug)]
#[must_use = "make it a part of the router's state"]
pub struct FlashCookie {
    ring: KeyRing,
    name: String,
    is_secure: bool,
    audience: String,
}

impl FlashCookie {
    /// The longest time that a message waits for a page that shows it.
    pub const LIFETIME: std::time::Duration = std::time::Duration::from_secs(600);

    /// The cookie `__Host-Http-flash`, signed under this ring.
    pub fn new(keys: &KeyRing) -> Self {
        Self {
            ring: keys.clone(),
            name: format!("{}flash", CookiePrefix::HostHttp.as_str()),
            is_secure: true,
            audience: String::new(),
        }
    }

    /// Names the cookie `__Host-Http-` and `name`: for a second application on the same host.
    ///
    /// # Panics
    ///
    /// If the name is empty, is longer than 64 bytes, or has other characters than letters, digits, `-` and `_`.
    #[track_caller]
    pub fn named(self, name: &str) -> Self {
        assert!(
            is_word(name) && name.len() <= 64,
            "a flash cookie's name has 1 to 64 letters, digits, `-` and `_`: {name:?}"
        );
        let name = format!("{}{name}", CookiePrefix::HostHttp.as_str());
        Self { name, ..self }
    }

    /// Names the application that the cookie is for, so that one of another application under the same keys is worth nothing here. It is the
    /// empty one unless set.
    pub fn with_audience(self, audience: impl Into<String>) -> Self {
        let audience = audience.into();
        Self { audience, ..self }
    }

    /// Leaves out `Secure` and the prefix of the name, so that browsers keep the cookie over plain HTTP: for development only, together with
    /// [`CookiePolicy::plain_http_for_development`](tower_session_guard::CookiePolicy::plain_http_for_development).
    pub fn plain_http_for_development(self) -> Self {
        let prefix = CookiePrefix::HostHttp.as_str();
        let name = self.name.strip_prefix(prefix).unwrap_or(&self.name);
        Self {
            name: name.to_owned(),
            is_secure: false,
            ..self
        }
    }

    /// One key of each of the ring's, the signing one first. The name is in them, since a signature covers the value alone.
    fn keys(&self) -> Vec<Key> {
        let lengths = (self.name.len(), self.audience.len());
        let purpose = format!("flash 1 {lengths:?} {} {}", self.name, self.audience);
        let keys = self.ring.derive_keys(purpose);
        keys.iter()
            .map(DerivedKey::as_ref)
            .map(Key::derive_from)
            .collect()
    }

    /// The messages that came, and whether a cookie of the name did.
    ///
    /// Of two different cookies that hold, none counts: one of them was planted.
    pub(super) fn read(&self, headers: &HeaderMap) -> (Vec<FlashMessage>, bool) {
        let mut left = MAX_BYTES;
        let mut came = false;
        let mut found: Option<String> = None;
        let mut keys = Vec::new();
        for field in headers.get_all(COOKIE) {
            let Some(rest) = left.checked_sub(field.len()) else {
                break;
            };
            left = rest;
            let Ok(field) = field.to_str() else {
                continue;
            };
            let cookies = Cookie::split_parse(field).flatten();
            for cookie in cookies.filter(|cookie| cookie.name() == self.name) {
                came = true;
                if keys.is_empty() {
                    keys = self.keys();
                }
                let Some(value) = verified(&keys, &cookie.into_owned()) else {
                    continue;
                };
                match &found {
                    Some(other) if *other != value => return (Vec::new(), true),
                    _ => found = Some(value),
                }
            }
        }
        let messages = found.and_then(|value| decode(&value)).unwrap_or_default();
        (messages, came)
    }

    /// The `Set-Cookie` that carries the messages. What does not fit is left out, the oldest first, and the log says so.
    pub(super) fn write(&self, mut messages: Vec<FlashMessage>) -> Option<HeaderValue> {
        let room = MAX_NAME_AND_VALUE - SIGNATURE - self.name.len();
        let mut value = encode(&messages);
        if value.len() > room {
            tell!(
                warn,
                "flash messages of {} bytes do not fit in a cookie: the oldest are left out, and the last one is cut",
                value.len()
            );
        }
        while value.len() > room {
            match &mut *messages {
                // Base64 makes four characters of three bytes, JSON up to six of one.
                [last] => last.shorten((value.len() - room).div_ceil(8)),
                _ => drop(messages.remove(0)),
            }
            value = encode(&messages);
        }
        let max_age = Duration::seconds(Self::LIFETIME.as_secs().try_into().unwrap_or_default());
        let cookie = self.cookie(value).max_age(max_age).build();
        let mut jar = CookieJar::new();
        jar.signed_mut(self.keys().first()?).add(cookie);
        header(jar.get(&self.name)?)
    }

    /// The `Set-Cookie` that removes it.
    pub(super) fn removal(&self) -> Option<HeaderValue> {
        header(&self.cookie(String::new()).max_age(Duration::ZERO).build())
    }

    fn cookie(&self, value: String) -> cookie::CookieBuilder<'static> {
        Cookie::build((self.name.clone(), value))
            .path("/")
            .secure(self.is_secure)
            .http_only(true)
            .same_site(SameSite::Lax)
    }
}

fn verified(keys: &[Key], cookie: &Cookie<'static>) -> Option<String> {
    let jar = CookieJar::new();
    keys.iter().find_map(|key| {
        let cookie = jar.signed(key).verify(cookie.clone())?;
        Some(cookie.value().to_owned())
    })
}

fn encode(messages: &[FlashMessage]) -> String {
    // Of texts.
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(messages).unwrap_or_default())
}

fn decode(value: &str) -> Option<Vec<FlashMessage>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(value).ok()?).ok()
}

fn header(cookie: &Cookie<'_>) -> Option<HeaderValue> {
    let mut header = HeaderValue::try_from(cookie.to_string()).ok()?;
    header.set_sensitive(true);
    Some(header)
}
