//! [`Rules`]: which claims make a logout token (OpenID Connect Back-Channel Logout 1.0, sections 2.4 and 2.6).

use std::{fmt, time::Duration};

use serde_json::{Map, Value};
use tower_session_guard::{Subject, Timestamp};

use crate::{refusal::Refusal, replay::TokenId};

/// What says in `events` that a token is a logout token.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// The longest `jti` and `sid`, in bytes.
const MAX_ID: usize = 1024;

/// What the claims of a logout token have to be.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) issuer: String,
    pub(crate) client_id: String,
    /// How far the provider's clock may be ahead.
    pub(crate) leeway: Duration,
    /// How long a token may be good for.
    pub(crate) max_lifetime: Duration,
}

/// What a logout token asks for.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Logout {
    pub(crate) id: TokenId,
    pub(crate) expires_at: Timestamp,
    pub(crate) whom: Whom,
}

/// Whose sessions end.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Whom {
    /// Those that began in this session at the provider.
    Session(String),
    /// All of the user whom the provider calls so.
    Subject(String),
}

impl Rules {
    pub(super) fn check(
        &self,
        claims: &Map<String, Value>,
        now: Timestamp,
    ) -> Result<Logout, Refusal> {
        // An ID token has one, or could have: no token may be taken for the other kind.
        if claims.contains_key("nonce") {
            return Err(Refusal::Nonce);
        }
        let events = claims.get("events").and_then(Value::as_object);
        if !events
            .and_then(|events| events.get(EVENT))
            .is_some_and(Value::is_object)
        {
            return Err(Refusal::Events);
        }
        if claims.get("iss").and_then(Value::as_str) != Some(&self.issuer) {
            return Err(Refusal::Issuer);
        }
        if !claims
            .get("aud")
            .is_some_and(|audience| self.is_for_this_client(audience))
        {
            return Err(Refusal::Audience);
        }
        let expires_at = self.check_times(claims, now)?;
        let id = text(claims, "jti", MAX_ID, Refusal::TokenId)?;
        let id = id.ok_or(Refusal::TokenId)?;
        let session = text(claims, "sid", MAX_ID, Refusal::SessionId)?;
        let subject = text(claims, "sub", Subject::MAX_LEN, Refusal::Subject)?;
        let whom = match (session, subject) {
            (Some(session), _) => Whom::Session(session.to_owned()),
            (None, Some(subject)) => Whom::Subject(subject.to_owned()),
            (None, None) => return Err(Refusal::Nobody),
        };
        Ok(Logout {
            id: TokenId::of(&self.issuer, id),
            expires_at,
            whom,
        })
    }

    /// Of several audiences each would have to be trusted (OpenID Connect Core 1.0, section 3.1.3.7, 3): there are none.
    fn is_for_this_client(&self, audience: &Value) -> bool {
        let audience = match audience {
            Value::Array(audiences) if audiences.len() == 1 => &audiences[0],
            other => other,
        };
        audience.as_str() == Some(&self.client_id)
    }

    /// When the token expires, if it may be used now.
    fn check_times(
        &self,
        claims: &Map<String, Value>,
        now: Timestamp,
    ) -> Result<Timestamp, Refusal> {
        let latest = now.after(self.leeway);
        let issued_at = claims.get("iat").and_then(moment);
        let issued_at = issued_at.filter(|issued_at| *issued_at <= latest);
        let issued_at = issued_at.ok_or(Refusal::IssuedAt)?;
        let expires_at = claims
            .get("exp")
            .and_then(moment)
            .ok_or(Refusal::NoExpiry)?;
        if expires_at <= now {
            return Err(Refusal::Expired);
        }
        // A token that is old is over, or was good for too long.
        if expires_at <= issued_at || expires_at.since(issued_at) > self.max_lifetime {
            return Err(Refusal::Lifetime);
        }
        match claims.get("nbf") {
            None => Ok(expires_at),
            Some(from) if moment(from).is_some_and(|from| from <= latest) => Ok(expires_at),
            Some(_) => Err(Refusal::NotBefore),
        }
    }
}

/// The claim as text of 1 to `most` bytes; none if it is missing, and `refusal` if it is anything else.
fn text<'a>(
    claims: &'a Map<String, Value>,
    name: &str,
    most: usize,
    refusal: Refusal,
) -> Result<Option<&'a str>, Refusal> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if (1..=most).contains(&text.len()) => Ok(Some(text)),
        Some(_) => Err(refusal),
    }
}

/// A NumericDate: seconds since the Unix epoch, which may have a fraction (RFC 7519, section 2).
fn moment(date: &Value) -> Option<Timestamp> {
    if let Some(seconds) = date.as_u64() {
        return Some(Timestamp::from_unix_seconds(seconds));
    }
    let seconds = date.as_f64()?;
    let seconds = Duration::try_from_secs_f64(seconds).ok()?;
    Some(Timestamp::default().after(seconds))
}

/// Shows by what, and never whom.
impl fmt::Debug for Whom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.claim())
    }
}

impl fmt::Debug for Logout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Logout");
        shown.field("whom", &self.whom).finish_non_exhaustive()
    }
}

impl Whom {
    /// The claim that says it.
    pub(crate) const fn claim(&self) -> &'static str {
        match self {
            Self::Session(_) => "sid",
            Self::Subject(_) => "sub",
        }
    }
}
