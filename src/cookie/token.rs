//! Seals and opens tokens: the value of a cookie, as one HMAC vouches for it.

use std::{fmt, ops::RangeInclusive, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{ByKind, CookieKind, CookiePolicy, MAX_NAME_AND_VALUE};
use crate::{
    key::{Derived, KeyId, KeyRing, LABEL, Mac, TAG_LEN},
    session::{
        authentication::Subject,
        codec::{Malformed, Reader},
        id::{Claim, Secret, SessionId},
        record::State,
        time::Timestamp,
    },
};

const REFERENCE: u8 = 1;
const SELF_CONTAINED: u8 = 2;

/// Version and key id.
const HEAD_LEN: usize = 1 + KeyId::LEN;
const REFERENCE_BODY_LEN: usize = HEAD_LEN + SessionId::LEN + Secret::LEN + 4;
const REFERENCE_BYTES: usize = REFERENCE_BODY_LEN + TAG_LEN;
const REFERENCE_LEN: usize = REFERENCE_BYTES / 3 * 4;

const ISSUE_TIME_LEN: usize = 6;
const SELF_CONTAINED_HEAD_LEN: usize = HEAD_LEN + SessionId::LEN + ISSUE_TIME_LEN;
const SELF_CONTAINED_MAX_BYTES: usize = MAX_NAME_AND_VALUE / 4 * 3;
/// Flags and three times of a byte each.
const MIN_STATE_LEN: usize = 4;
/// Flags, three times, authentication, elevation, label and binding, each as long as it may be.
const MAX_STATE_LEN_WITHOUT_DATA: usize = {
    let time = 10;
    let authentication = 1 + time + 2 + Subject::MAX_LEN;
    let elevation = 1 + time;
    let label = 2 + 128;
    let binding = 1 + 64;
    1 + 3 * time + authentication + elevation + label + binding
};

/// The longest cookie name beside which every session fits that has no data.
pub(super) const MAX_NAME_LEN: usize = MAX_NAME_AND_VALUE
    - encoded_len(SELF_CONTAINED_HEAD_LEN + MAX_STATE_LEN_WITHOUT_DATA + TAG_LEN);

/// How far the clocks of two servers may lie apart.
const MAX_SKEW: Duration = Duration::from_secs(60);

const fn encoded_len(bytes: usize) -> usize {
    (bytes * 4).div_ceil(3)
}

const fn decoded_len(characters: usize) -> usize {
    characters * 3 / 4
}

/// The value of a cookie: whoever has it is the session's holder.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(crate) struct Token(String);

impl Token {
    fn encode(bytes: &[u8]) -> Self {
        Self(URL_SAFE_NO_PAD.encode(bytes))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(REDACTED)")
    }
}

/// What a token whose MAC held says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Opened<T> {
    pub(crate) value: T,
    /// Whether it was signed with a key that no longer signs.
    pub(crate) stale_key: bool,
}

/// The session inside a self-contained token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SelfContained {
    pub(crate) id: SessionId,
    pub(crate) state: State,
}

/// Why a value is not a valid token, the less telling causes first; a client never learns which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rejected {
    /// Its length, its spelling, its version or, though signed by us, its content is not a token's.
    Malformed,
    /// Its key id is not in the ring.
    UnknownKey,
    /// Its MAC is another.
    Forged,
    /// It is ours, and its session has ended.
    Expired,
    /// It is ours, and was issued later than any honest clock says.
    FromTheFuture,
}

/// A session that does not fit into a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLarge;

/// What signs and verifies the tokens of one layer: a key for each version, name and audience.
#[derive(Debug)]
pub(crate) struct TokenKeys {
    keys: Derived<ByKind<Macs>>,
    max_len: ByKind<usize>,
}

/// The MACs for the tokens of one cookie under one key of the ring.
struct Macs {
    reference: Mac,
    self_contained: Mac,
}

impl TokenKeys {
    pub(crate) fn new(ring: KeyRing, policy: &CookiePolicy, audience: &str) -> Self {
        let names = policy.clone();
        let audience = audience.to_owned();
        let by_name = move |key: &Mac, kind| {
            let name = names.name(kind).as_str().as_bytes();
            let mac = |version| key.derive(&[LABEL, &[version], name, audience.as_bytes()]);
            Macs {
                reference: mac(REFERENCE),
                self_contained: mac(SELF_CONTAINED),
            }
        };
        let max_len = |kind| MAX_NAME_AND_VALUE - policy.name(kind).as_str().len();
        Self {
            keys: Derived::new(ring, move |key| ByKind {
                guest: by_name(key, CookieKind::Guest),
                session: by_name(key, CookieKind::Session),
            }),
            max_len: ByKind {
                guest: max_len(CookieKind::Guest),
                session: max_len(CookieKind::Session),
            },
        }
    }

    /// How long a reference token is, in characters.
    pub(crate) const fn reference_lengths() -> RangeInclusive<usize> {
        REFERENCE_LEN..=REFERENCE_LEN
    }

    /// How long a self-contained token may be, in characters, whichever cookie it is in.
    pub(crate) const fn self_contained_lengths() -> RangeInclusive<usize> {
        encoded_len(SELF_CONTAINED_HEAD_LEN + MIN_STATE_LEN + TAG_LEN)..=MAX_NAME_AND_VALUE
    }

    /// How many bytes of entries always fit into a self-contained token, whatever else the session has.
    pub(crate) fn data_budget(&self) -> usize {
        let value = self.max_len.guest.min(self.max_len.session);
        decoded_len(value)
            .saturating_sub(SELF_CONTAINED_HEAD_LEN + MAX_STATE_LEN_WITHOUT_DATA + TAG_LEN)
    }

    /// A token that finds a session and proves it.
    ///
    /// The expiry it carries is rounded up to a second and ends at 2106: the record is the authority.
    pub(crate) fn seal_reference(
        &self,
        kind: CookieKind,
        id: &SessionId,
        secret: &Secret,
        absolute_expiry: Timestamp,
    ) -> Token {
        let keys = self.keys.current();
        let (key_id, macs) = keys.first();
        let seconds = absolute_expiry.as_unix_millis().div_ceil(1000);
        let expiry = u32::try_from(seconds).unwrap_or(u32::MAX);
        let mut bytes = Zeroizing::new([0; REFERENCE_BYTES]);
        let mut rest = &mut bytes[..];
        for field in [
            &[REFERENCE][..],
            key_id.as_bytes(),
            id.as_bytes(),
            secret.as_bytes(),
            &expiry.to_be_bytes(),
        ] {
            let (place, after) = rest.split_at_mut(field.len());
            place.copy_from_slice(field);
            rest = after;
        }
        let tag = macs.of(kind).reference.tag(&bytes[..REFERENCE_BODY_LEN]);
        bytes[REFERENCE_BODY_LEN..].copy_from_slice(&tag);
        Token::encode(&*bytes)
    }

    /// What a reference token claims, if it is one of ours and has not expired.
    pub(crate) fn open_reference(
        &self,
        kind: CookieKind,
        value: &[u8],
        now: Timestamp,
    ) -> Result<Opened<Claim>, Rejected> {
        if value.len() != REFERENCE_LEN {
            return Err(Rejected::Malformed);
        }
        let mut bytes = [0; REFERENCE_BYTES];
        decode(value, &mut bytes)?;
        let (body, stale_key) =
            self.authentic(REFERENCE, &bytes, |macs| &macs.of(kind).reference)?;
        let mut fields = Reader::new(body);
        let id = SessionId::from_bytes(fields.array()?);
        let secret = Secret::from_bytes(fields.array()?);
        let expiry = u32::from_be_bytes(fields.array()?);
        if now >= Timestamp::from_unix_seconds(expiry.into()) {
            return Err(Rejected::Expired);
        }
        Ok(Opened {
            value: Claim::new(id, secret),
            stale_key,
        })
    }

    /// A token that holds the whole session, issued when it was last seen.
    ///
    /// A guest's session has no authentication and the other has one, or [`open`](Self::open_self_contained)
    /// refuses the token.
    pub(crate) fn seal_self_contained(
        &self,
        kind: CookieKind,
        id: &SessionId,
        state: &State,
    ) -> Result<Token, TooLarge> {
        debug_assert!(belongs(state, kind));
        let keys = self.keys.current();
        let (key_id, macs) = keys.first();
        // Six bytes of milliseconds last until the year 10889.
        let [0, 0, issue_time @ ..] = state.last_seen_at.as_unix_millis().to_be_bytes() else {
            return Err(TooLarge);
        };
        let without_data = SELF_CONTAINED_HEAD_LEN + MAX_STATE_LEN_WITHOUT_DATA + TAG_LEN;
        let mut bytes = Vec::with_capacity(without_data + state.entries.len());
        bytes.push(SELF_CONTAINED);
        bytes.extend_from_slice(key_id.as_bytes());
        bytes.extend_from_slice(id.as_bytes());
        bytes.extend_from_slice(&issue_time);
        state.encode_into(&mut bytes);
        if encoded_len(bytes.len() + TAG_LEN) > *self.max_len.of(kind) {
            return Err(TooLarge);
        }
        let tag = macs.of(kind).self_contained.tag(&bytes);
        bytes.extend_from_slice(&tag);
        Ok(Token::encode(&bytes))
    }

    /// The session in a self-contained token, if it is one of ours and has not expired.
    pub(crate) fn open_self_contained(
        &self,
        kind: CookieKind,
        value: &[u8],
        now: Timestamp,
    ) -> Result<Opened<SelfContained>, Rejected> {
        if !Self::self_contained_lengths().contains(&value.len())
            || value.len() > *self.max_len.of(kind)
        {
            return Err(Rejected::Malformed);
        }
        let mut bytes = [0; SELF_CONTAINED_MAX_BYTES];
        let bytes = decode(value, &mut bytes)?;
        let (body, stale_key) =
            self.authentic(SELF_CONTAINED, bytes, |macs| &macs.of(kind).self_contained)?;
        let mut fields = Reader::new(body);
        let id = SessionId::from_bytes(fields.array()?);
        let [a, b, c, d, e, f] = fields.array()?;
        let issued_at = Timestamp::from_unix_millis(u64::from_be_bytes([0, 0, a, b, c, d, e, f]));
        if issued_at > now.after(MAX_SKEW) {
            return Err(Rejected::FromTheFuture);
        }
        let state = State::decode(fields.rest(), issued_at)?;
        if !belongs(&state, kind) {
            return Err(Rejected::Malformed);
        }
        if now >= state.absolute_expiry {
            return Err(Rejected::Expired);
        }
        Ok(Opened {
            value: SelfContained { id, state },
            stale_key,
        })
    }

    /// What stands between head and MAC, and whether the key no longer signs.
    ///
    /// Nothing but the version and the key id is looked at before the MAC held.
    fn authentic<'a>(
        &self,
        version: u8,
        bytes: &'a [u8],
        mac: impl FnOnce(&ByKind<Macs>) -> &Mac,
    ) -> Result<(&'a [u8], bool), Rejected> {
        let (signed, tag) = bytes.split_last_chunk().ok_or(Rejected::Malformed)?;
        let (&[own_version, a, b, c], body) =
            signed.split_first_chunk().ok_or(Rejected::Malformed)?;
        if own_version != version {
            return Err(Rejected::Malformed);
        }
        let keys = self.keys.current();
        let (macs, stale_key) = keys
            .find(KeyId::from_bytes([a, b, c]))
            .ok_or(Rejected::UnknownKey)?;
        if !mac(macs).verify(signed, tag) {
            return Err(Rejected::Forged);
        }
        Ok((body, stale_key))
    }
}

impl From<Malformed> for Rejected {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// Strict: neither padding nor another alphabet nor bits that say nothing.
fn decode<'a>(value: &[u8], bytes: &'a mut [u8]) -> Result<&'a [u8], Rejected> {
    let len = URL_SAFE_NO_PAD
        .decode_slice(value, bytes)
        .map_err(|_| Rejected::Malformed)?;
    Ok(&bytes[..len])
}

/// Whether a session belongs into that cookie.
const fn belongs(state: &State, kind: CookieKind) -> bool {
    match kind {
        CookieKind::Guest => state.authentication.is_none(),
        CookieKind::Session => state.authentication.is_some(),
    }
}
