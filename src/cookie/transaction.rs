//! [`TransactionCookie`]: what a login remembers between the redirect to an identity provider and the
//! callback.

use std::{fmt, marker::PhantomData, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{
    HeaderMap, HeaderValue,
    header::{COOKIE, InvalidHeaderValue},
};
use memchr::memchr;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    CookieKind, CookieName, CookiePolicy, CookiePrefix, MAX_NAME_AND_VALUE, SameSite,
    attributes::Attributes,
};
use crate::{
    error::ConfigError,
    key::{Derived, KeyId, KeyRing, Mac, TAG_LEN},
    session::{
        data::{DataError, DataKey},
        time::Timestamp,
    },
};

/// How much of the Cookie fields is looked at, as with the cookies of sessions.
const MAX_BYTES: usize = 256 * 1024;
const EXPIRY_END: usize = KeyId::LEN + 8;

/// A short-lived, signed cookie of its own for one federated login under way: its `state`, its `nonce`,
/// its PKCE verifier, and where to go afterwards.
///
/// It is apart from the session, so that a login needs no guest session and the session cookie keeps
/// its `SameSite`. The value is signed under a key derived from the ring for this cookie's name, not
/// encrypted: the browser's owner can read it. It holds for ten minutes unless
/// [`lasting`](Self::lasting) says otherwise. A browser has one at a time; a second login that begins
/// takes the first one's place.
///
/// The cookie does not make the callback single-use: the identity provider's code is. Send
/// [`removal`](Self::removal) with the callback's answer, and compare the `state` with the one that came.
///
/// # How the callback comes back
///
/// | response mode | the browser sends | this cookie needs | `SameSite` of the session cookie |
/// |---|---|---|---|
/// | `query`: a `GET` | cookies with `Lax` and `None` | [`new`](Self::new), which is `Lax` | any: the callback sets it and reads nothing of it |
/// | `form_post`: a `POST` from another site | cookies with `None` only | [`for_form_post`](Self::for_form_post) | any, likewise; a guest session with `Lax` does not come, so its carried data is left behind |
///
/// After the callback, whose chain of redirects began on another site, a browser holds a cookie with
/// `SameSite=Strict` back: the page that the callback redirects to would show nobody logged in. With
/// `Strict`, answer the callback with a page of its own that goes on by itself (a `Refresh` header or a
/// link), or use `Lax`.
///
/// # Examples
///
/// ```
/// use http::{HeaderMap, header};
/// use serde::{Deserialize, Serialize};
/// use tower_session_guard::{Clock, KeyRing, SystemClock, TransactionCookie};
///
/// #[derive(Serialize, Deserialize)]
/// struct Pending {
///     state: String,
///     verifier: String,
/// }
///
/// let cookie = TransactionCookie::<Pending>::new(&KeyRing::generate()?, "oidc")?;
/// let pending = Pending { state: "…".to_owned(), verifier: "…".to_owned() };
/// let now = SystemClock.now();
/// let set_cookie = cookie.begin(&pending, now)?;
///
/// // At the callback:
/// let mut headers = HeaderMap::new();
/// # let sent = set_cookie.to_str()?.split(';').next().unwrap_or_default();
/// # headers.insert(header::COOKIE, sent.parse()?);
/// let pending = cookie.read(&headers, now).ok_or("start again")?;
/// # assert_eq!(pending.state, "…");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct TransactionCookie<T> {
    ring: KeyRing,
    name: CookieName,
    attributes: Attributes,
    keys: Arc<Derived<Mac>>,
    lifetime: Duration,
    value: PhantomData<fn() -> T>,
}

impl<T> TransactionCookie<T> {
    /// The cookie `__Host-Http-` and `name`, for callbacks that come by `GET`.
    ///
    /// # Errors
    ///
    /// If the name has characters that a cookie's name may not have, or is one of the
    /// [default policy](CookiePolicy::default)'s session cookies.
    pub fn new(keys: &KeyRing, name: &str) -> Result<Self, ConfigError> {
        let whole = format!("{}{name}", CookiePrefix::HostHttp.as_str());
        let name = CookieName::parse(whole)?;
        let cookie = Self {
            ring: keys.clone(),
            keys: Arc::new(derived(keys, &name, "")),
            name,
            attributes: Attributes::default(),
            lifetime: Duration::from_secs(600),
            value: PhantomData,
        };
        cookie.apart_from(&CookiePolicy::default())
    }

    /// Names the application that the cookie is for, so that one of another application under the same keys
    /// is worth nothing here. It is the empty one unless set.
    #[must_use]
    pub fn with_audience(mut self, audience: impl AsRef<str>) -> Self {
        self.keys = Arc::new(derived(&self.ring, &self.name, audience.as_ref()));
        self
    }

    /// Makes sure that the session cookies of `policy` have other names.
    ///
    /// # Errors
    ///
    /// If one of them has this cookie's name: each would take the other for a forged one, and overwrite it.
    pub fn apart_from(self, policy: &CookiePolicy) -> Result<Self, ConfigError> {
        let kinds = [CookieKind::Session, CookieKind::Guest];
        if kinds.iter().any(|kind| *policy.name(*kind) == self.name) {
            return Err(ConfigError::CookieName {
                name: self.name.to_string(),
                reason: "the session has a cookie of this name: give the transaction another, such as \"oidc\"",
            });
        }
        Ok(self)
    }

    /// Lets the cookie come with a `POST` from the identity provider's site: `SameSite=None`.
    #[must_use]
    pub fn for_form_post(mut self) -> Self {
        self.attributes.same_site = SameSite::None;
        self
    }

    /// Sets for how long a login may be under way.
    ///
    /// # Errors
    ///
    /// If that is shorter than a second or longer than an hour.
    pub fn lasting(mut self, time: Duration) -> Result<Self, ConfigError> {
        if !(Duration::from_secs(1)..=Duration::from_secs(3600)).contains(&time) {
            return Err(ConfigError::Limit {
                name: "time of a transaction",
                reason: "choose between 1 second and 1 hour",
            });
        }
        self.lifetime = time;
        Ok(self)
    }

    /// The cookie's name.
    #[must_use]
    pub const fn name(&self) -> &CookieName {
        &self.name
    }

    /// The `Set-Cookie` that removes the cookie.
    #[must_use]
    pub fn removal(&self) -> HeaderValue {
        self.set_cookie("", 0)
            .unwrap_or_else(|_| unreachable!("names and attributes are visible ASCII"))
    }

    fn set_cookie(&self, value: &str, max_age: u64) -> Result<HeaderValue, InvalidHeaderValue> {
        let suffix = self.attributes.suffix();
        let mut header =
            HeaderValue::try_from(format!("{}={value}{suffix}; Max-Age={max_age}", self.name))?;
        header.set_sensitive(true);
        Ok(header)
    }

    /// The JSON inside a value whose MAC holds and whose time is not over.
    fn open(&self, value: &[u8], now: Timestamp) -> Option<Vec<u8>> {
        let mut bytes = URL_SAFE_NO_PAD.decode(value).ok()?;
        let (message, tag) = bytes.split_last_chunk::<TAG_LEN>()?;
        if message.len() < EXPIRY_END {
            return None;
        }
        let key_id = KeyId::from_bytes([message[0], message[1], message[2]]);
        let keys = self.keys.current();
        let (mac, _) = keys.find(key_id)?;
        let holds = mac.verify(message, tag);
        let mut expiry = [0; 8];
        expiry.copy_from_slice(&message[KeyId::LEN..EXPIRY_END]);
        let expiry = Timestamp::from_unix_millis(u64::from_be_bytes(expiry));
        if !holds || now >= expiry {
            return None;
        }
        bytes.truncate(bytes.len() - TAG_LEN);
        bytes.drain(..EXPIRY_END);
        Some(bytes)
    }

    /// The different values that came under our name, byte for byte, and hold.
    fn valid<'a>(&self, headers: &'a HeaderMap, now: Timestamp) -> Vec<(&'a [u8], Vec<u8>)> {
        let mut valid: Vec<(&[u8], Vec<u8>)> = Vec::new();
        let mut left = MAX_BYTES;
        for field in headers.get_all(COOKIE) {
            let Some(rest) = left.checked_sub(field.len()) else {
                break;
            };
            left = rest;
            for pair in field.as_bytes().split(|byte| *byte == b';') {
                let pair = trim(pair);
                let Some(equals) = memchr(b'=', pair) else {
                    continue;
                };
                let (name, value) = (&pair[..equals], &pair[equals + 1..]);
                if name == self.name.as_str().as_bytes()
                    && valid.len() < 2
                    && !valid.iter().any(|(seen, _)| *seen == value)
                    && let Some(json) = self.open(value, now)
                {
                    valid.push((value, json));
                }
            }
        }
        valid
    }
}

impl<T> TransactionCookie<T>
where
    T: Serialize + DeserializeOwned,
{
    /// The `Set-Cookie` that begins a login.
    ///
    /// # Errors
    ///
    /// If the value does not turn into JSON that reads back as it was, or name and value would exceed 4,096 bytes.
    pub fn begin(&self, value: &T, now: Timestamp) -> Result<HeaderValue, DataError> {
        let keys = self.keys.current();
        let (key_id, mac) = keys.first();
        let mut bytes = key_id.as_bytes().to_vec();
        let expiry = now.after(self.lifetime).as_unix_millis();
        bytes.extend_from_slice(&expiry.to_be_bytes());
        bytes.extend_from_slice(&DataKey::<T>::encode(value)?);
        let tag = mac.tag(&bytes);
        bytes.extend_from_slice(&tag);
        let value = URL_SAFE_NO_PAD.encode(bytes);
        if self.name.as_str().len() + value.len() > MAX_NAME_AND_VALUE {
            return Err(DataError::too_large());
        }
        self.set_cookie(&value, self.lifetime.as_secs())
            .map_err(|_| DataError::too_large())
    }

    /// The login that is under way in the browser that sent these headers.
    ///
    /// `None` where there is no valid cookie, its time is over, or two different valid ones came, since
    /// then somebody is planting.
    #[must_use]
    pub fn read(&self, headers: &HeaderMap, now: Timestamp) -> Option<T> {
        match &*self.valid(headers, now) {
            [(_, json)] => DataKey::decode(json).ok(),
            _ => None,
        }
    }
}

impl<T> Clone for TransactionCookie<T> {
    fn clone(&self) -> Self {
        Self {
            ring: self.ring.clone(),
            name: self.name.clone(),
            attributes: self.attributes.clone(),
            keys: Arc::clone(&self.keys),
            lifetime: self.lifetime,
            value: PhantomData,
        }
    }
}

impl<T> fmt::Debug for TransactionCookie<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransactionCookie")
            .field("name", &self.name)
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}

fn derived(keys: &KeyRing, name: &CookieName, audience: &str) -> Derived<Mac> {
    let context = [name.as_str().as_bytes(), audience.as_bytes()];
    keys.derive("transaction cookie", &context)
}

fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use http::{HeaderMap, HeaderValue, header::COOKIE};

    use super::{CookiePolicy, EXPIRY_END, MAX_BYTES, TransactionCookie};
    use crate::{
        key::{KeyRing, TAG_LEN},
        session::{data::DataErrorKind, time::Timestamp},
    };

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_800_000_000);

    fn cookie(name: &str) -> TransactionCookie<String> {
        let keys = KeyRing::from_bytes([*b"an unguessable key of 32 bytes!!"]).unwrap();
        TransactionCookie::new(&keys, name).unwrap()
    }

    fn pair(set_cookie: &HeaderValue) -> String {
        set_cookie
            .to_str()
            .unwrap()
            .split(';')
            .next()
            .unwrap()
            .to_owned()
    }

    fn begun(value: &str) -> String {
        pair(&cookie("oidc").begin(&value.to_owned(), NOW).unwrap())
    }

    fn read_at(cookies: &[&str], now: Timestamp) -> Option<String> {
        let mut headers = HeaderMap::new();
        for cookie in cookies {
            headers.append(COOKIE, cookie.parse().unwrap());
        }
        cookie("oidc").read(&headers, now)
    }

    #[test]
    fn what_began_is_read_back_until_its_time_is_over() {
        let sent = begun("state");
        assert_eq!(read_at(&[&sent], NOW), Some("state".to_owned()));
        assert_eq!(
            read_at(&["a=b", &format!("c=d; \t{sent}\t; e=f")], NOW),
            Some("state".to_owned())
        );
        let last = NOW.after(Duration::from_millis(599_999));
        assert!(read_at(&[&sent], last).is_some());
        assert_eq!(read_at(&[&sent], NOW.after(Duration::from_secs(600))), None);
    }

    /// R21, R25.
    #[test]
    fn a_changed_cookie_is_worth_nothing() {
        let sent = begun("state");
        let start = sent.find('=').unwrap() + 1;
        for at in start..sent.len() {
            let mut other = sent.clone().into_bytes();
            other[at] = if other[at] == b'A' { b'B' } else { b'A' };
            let other = String::from_utf8(other).unwrap();
            assert_eq!(read_at(&[&other], NOW), None, "{at}");
        }
        for text in [
            "__Host-Http-oidc=",
            "__Host-Http-oidc",
            "__Host-Http-oidc=AAAA",
            &format!("{sent}="),
        ] {
            assert_eq!(read_at(&[text], NOW), None, "{text}");
        }
    }

    /// R25: from nothing to a key id, an expiry and a tag without anything between them.
    #[test]
    fn a_value_of_any_length_that_says_nothing_is_refused() {
        for len in 0..=EXPIRY_END + TAG_LEN {
            let value = format!("__Host-Http-oidc={}", URL_SAFE_NO_PAD.encode(vec![0; len]));
            assert_eq!(read_at(&[&value], NOW), None, "{len}");
        }
    }

    /// A login that could not be read back does not begin.
    #[test]
    fn a_value_that_would_not_read_back_is_refused() {
        let keys = KeyRing::from_bytes([*b"an unguessable key of 32 bytes!!"]).unwrap();
        let cookie = TransactionCookie::<f64>::new(&keys, "oidc").unwrap();
        let refused = cookie.begin(&f64::NAN, NOW).unwrap_err();
        assert_eq!(refused.kind(), DataErrorKind::Encode);
        assert!(cookie.begin(&0.5, NOW).is_ok());
    }

    /// R22, R51.
    #[test]
    fn a_cookie_of_another_name_is_worth_nothing() {
        let other = cookie("saml").begin(&"state".to_owned(), NOW).unwrap();
        let value = pair(&other).split_once('=').unwrap().1.to_owned();
        assert_eq!(read_at(&[&format!("__Host-Http-oidc={value}")], NOW), None);
        assert_eq!(
            read_at(&[&begun("state").replacen("__Host", "__host", 1)], NOW),
            None
        );
    }

    /// R52.
    #[test]
    fn two_different_valid_ones_count_as_none() {
        let (one, two) = (begun("one"), begun("two"));
        assert_eq!(read_at(&[&one, &two], NOW), None);
        assert_eq!(read_at(&[&one, &one], NOW), Some("one".to_owned()));
        assert_eq!(
            read_at(&["__Host-Http-oidc=junk", &one], NOW),
            Some("one".to_owned())
        );
    }

    /// R40, R42.
    #[test]
    fn only_the_one_for_form_post_goes_along_from_other_sites() {
        let attributes = |set: &HeaderValue| {
            let set = set.to_str().unwrap();
            let (_, attributes) = set.split_once(';').unwrap();
            attributes.rsplit_once("; Max-Age=").unwrap().0.to_owned()
        };
        let lax = cookie("oidc");
        let set = lax.begin(&String::new(), NOW).unwrap();
        assert_eq!(attributes(&set), " Path=/; Secure; HttpOnly; SameSite=Lax");
        assert_eq!(attributes(&lax.removal()), attributes(&set));
        assert!(lax.removal().to_str().unwrap().ends_with("; Max-Age=0"));
        let posted = cookie("oidc").for_form_post();
        let set = posted.begin(&String::new(), NOW).unwrap();
        assert_eq!(attributes(&set), " Path=/; Secure; HttpOnly; SameSite=None");
        assert_eq!(attributes(&posted.removal()), attributes(&set));
    }

    /// R28.
    #[test]
    fn what_fills_the_cookie_is_taken_and_one_character_more_is_not() {
        let begin = |len: usize| cookie("oidc").begin(&"x".repeat(len), NOW);
        let most = (2900..3100).rev().find(|len| begin(*len).is_ok()).unwrap();
        let sent = pair(&begin(most).unwrap());
        assert_eq!(sent.len(), 4096 + "=".len());
        assert_eq!(read_at(&[&sent], NOW), Some("x".repeat(most)));
    }

    /// S10: junk ahead of the good one changes nothing, within the bytes that are looked at.
    #[test]
    fn junk_ahead_of_the_good_one_changes_nothing() {
        let sent = begun("state");
        for junk in [7, 8, 9, 300] {
            let mut cookies: Vec<_> = (0..junk).map(|n| format!("__Host-Http-oidc={n}")).collect();
            cookies.push(sent.clone());
            let cookies: Vec<_> = cookies.iter().map(String::as_str).collect();
            assert_eq!(read_at(&cookies, NOW), Some("state".to_owned()), "{junk}");
        }
    }

    /// R54.
    #[test]
    fn what_exceeds_256_kibibytes_is_not_looked_at() {
        let sent = begun("state");
        let padding = format!("a={}", "x".repeat(MAX_BYTES - 2 - sent.len()));
        assert!(read_at(&[&padding, &sent], NOW).is_some());
        assert!(read_at(&[&format!("{padding}x"), &sent], NOW).is_none());
    }

    /// S22, R22.
    #[test]
    fn a_cookie_for_another_application_is_worth_nothing() {
        let shop = cookie("oidc").with_audience("shop");
        let sent = pair(&shop.begin(&"state".to_owned(), NOW).unwrap());
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, sent.parse().unwrap());
        assert_eq!(shop.read(&headers, NOW), Some("state".to_owned()));
        for other in [cookie("oidc"), cookie("oidc").with_audience("admin")] {
            assert_eq!(other.read(&headers, NOW), None);
        }
    }

    /// S22.
    #[test]
    fn the_names_of_session_cookies_are_refused() {
        let keys = KeyRing::generate().unwrap();
        for name in ["session", "session-guest"] {
            let refused = TransactionCookie::<u8>::new(&keys, name).unwrap_err();
            assert!(
                refused.to_string().contains("the session has a cookie"),
                "{refused}"
            );
        }
        let named = CookiePolicy::builder().name("app").build().unwrap();
        for (name, refused) in [("app", true), ("app-guest", true), ("oidc", false)] {
            let cookie = TransactionCookie::<u8>::new(&keys, name).unwrap();
            assert_eq!(cookie.apart_from(&named).is_err(), refused, "{name}");
        }
    }

    /// R31.
    #[test]
    fn it_prints_its_name_and_no_key() {
        let printed = format!("{:?}", cookie("oidc"));
        assert!(printed.contains("__Host-Http-oidc"), "{printed}");
        assert!(!printed.contains("unguessable"), "{printed}");
    }

    #[test]
    fn what_a_browser_would_drop_is_refused() {
        assert!(cookie("oidc").begin(&"x".repeat(4000), NOW).is_err());
        assert!(TransactionCookie::<u8>::new(&KeyRing::generate().unwrap(), "a b").is_err());
        assert!(cookie("oidc").lasting(Duration::from_secs(3601)).is_err());
    }
}
