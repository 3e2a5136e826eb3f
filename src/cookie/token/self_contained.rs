//! Self-contained tokens, version 3: as long as the session needs, within what a cookie may hold.
//!
//! | bytes | field |
//! |---|---|
//! | 1 | version, 3 |
//! | 3 | key id |
//! | 16 | session id |
//! | 6 | issue time, unix milliseconds, big-endian: when the session was last seen |
//! | … | the session's state |
//! | 32 | MAC over all of the above |
//!
//! Version 2 is the same with a state of schema 1. Such tokens open; what is issued is of version 3.

use std::ops::RangeInclusive;

#[cfg(any(test, fuzzing, bench))]
use super::Opened;
use super::{
    Rejected, SELF_CONTAINED, SELF_CONTAINED_V1, Token, TokenKeys, decode,
    size::{BEFORE, MAX_BYTES, MAX_BYTES_WITHOUT_DATA, decoded_len, encoded_len},
};
use crate::{
    cookie::{CookieKind, MAX_NAME_AND_VALUE},
    key::TAG_LEN,
    session::{
        codec::Reader,
        id::SessionId,
        live::Signature,
        state::{Schema, State},
        time::{CLOCK_ALLOWANCE, Timestamp},
    },
};

/// A session with a little data.
const USUAL_BYTES: usize = 192;
/// A state of its flags and three times of a byte each.
const MIN_BYTES: usize = BEFORE + 4 + TAG_LEN;

/// A self-contained token whose MAC held, and whose session is yet to be read.
#[derive(Debug)]
pub(crate) struct Authentic<'a> {
    pub(crate) id: SessionId,
    /// What may become of its signature.
    pub(crate) signature: Signature,
    issued_at: Timestamp,
    kind: CookieKind,
    now: Timestamp,
    schema: Schema,
    state: &'a [u8],
}

impl Authentic<'_> {
    /// Reads the session in place of the default one, unless it has expired.
    pub(crate) fn read(&self, state: &mut State) -> Result<(), Rejected> {
        state.read(self.state, self.schema, self.issued_at)?;
        if !belongs(state, self.kind) {
            return Err(Rejected::Malformed);
        }
        if self.now >= state.absolute_expiry {
            return Err(Rejected::Expired);
        }
        Ok(())
    }
}

/// A session that does not fit into a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLarge;

impl TokenKeys {
    /// How long a self-contained token may be, in characters, whichever cookie it is in.
    pub(crate) const fn self_contained_lengths() -> RangeInclusive<usize> {
        encoded_len(MIN_BYTES)..=MAX_NAME_AND_VALUE
    }

    /// How many bytes of entries always fit into a self-contained token, whatever else the session has.
    pub(crate) fn data_budget(&self) -> usize {
        let value = self.max_len.guest.min(self.max_len.session);
        decoded_len(value).saturating_sub(MAX_BYTES_WITHOUT_DATA)
    }

    /// A token that holds the whole session, issued when it was last seen.
    ///
    /// A guest's session has no authentication and the other has one, or [`read`](Self::read_self_contained)
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
        let mut bytes = Vec::with_capacity(MAX_BYTES_WITHOUT_DATA + state.entries.len());
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

    /// What `read` makes of a self-contained token, if it is one of ours.
    pub(crate) fn read_self_contained<T>(
        &self,
        kind: CookieKind,
        value: &[u8],
        now: Timestamp,
        read: impl FnOnce(Authentic<'_>) -> Result<T, Rejected>,
    ) -> Result<T, Rejected> {
        if !Self::self_contained_lengths().contains(&value.len())
            || value.len() > *self.max_len.of(kind)
        {
            return Err(Rejected::Malformed);
        }
        // Filling a buffer for the longest token costs more than the MAC of a usual one.
        if value.len() <= encoded_len(USUAL_BYTES) {
            read(self.authentic_self_contained(kind, value, now, &mut [0; USUAL_BYTES])?)
        } else {
            read(self.authentic_self_contained(kind, value, now, &mut [0; MAX_BYTES])?)
        }
    }

    fn authentic_self_contained<'a>(
        &self,
        kind: CookieKind,
        value: &[u8],
        now: Timestamp,
        buffer: &'a mut [u8],
    ) -> Result<Authentic<'a>, Rejected> {
        let bytes = decode(value, buffer)?;
        let (schema, body, signature) = if bytes.first() == Some(&SELF_CONTAINED_V1) {
            let (body, signature) = self.authentic(SELF_CONTAINED_V1, bytes, |macs| {
                &macs.of(kind).self_contained_v1
            })?;
            (Schema::V1, body, signature)
        } else {
            let (body, signature) =
                self.authentic(SELF_CONTAINED, bytes, |macs| &macs.of(kind).self_contained)?;
            (Schema::V2, body, signature)
        };
        let mut fields = Reader::new(body);
        let id = SessionId::from_bytes(fields.array()?);
        let [a, b, c, d, e, f] = fields.array()?;
        let issued_at = Timestamp::from_unix_millis(u64::from_be_bytes([0, 0, a, b, c, d, e, f]));
        if issued_at > now.after(CLOCK_ALLOWANCE) {
            return Err(Rejected::FromTheFuture);
        }
        Ok(Authentic {
            id,
            signature,
            issued_at,
            kind,
            now,
            schema,
            state: fields.rest(),
        })
    }
}

/// The session inside a self-contained token, by itself.
#[cfg(any(test, fuzzing, bench))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SelfContained {
    pub(crate) id: SessionId,
    pub(crate) state: State,
}

#[cfg(any(test, fuzzing, bench))]
impl TokenKeys {
    /// The session in a self-contained token, if it is one of ours and has not expired.
    pub(crate) fn open_self_contained(
        &self,
        kind: CookieKind,
        value: &[u8],
        now: Timestamp,
    ) -> Result<Opened<SelfContained>, Rejected> {
        self.read_self_contained(kind, value, now, |token| {
            let (id, signature) = (token.id, token.signature);
            let mut state = State::default();
            token.read(&mut state)?;
            let value = SelfContained { id, state };
            Ok(Opened { value, signature })
        })
    }
}

/// Whether a session belongs into that cookie.
const fn belongs(state: &State, kind: CookieKind) -> bool {
    match kind {
        CookieKind::Guest => state.authentication.is_none(),
        CookieKind::Session => state.authentication.is_some(),
    }
}
