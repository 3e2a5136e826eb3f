//! Reference tokens, version 1: 72 bytes, so exactly 96 characters.
//!
//! | bytes | field |
//! |---|---|
//! | 1 | version, 1 |
//! | 3 | key id |
//! | 16 | session id |
//! | 16 | secret |
//! | 4 | absolute expiry, unix seconds, big-endian |
//! | 32 | MAC over all of the above |

use std::ops::RangeInclusive;

use zeroize::Zeroizing;

use super::{
    Opened, REFERENCE, Rejected, Token, TokenKeys, decode,
    size::{HEAD_LEN, encoded_len},
};
use crate::{
    cookie::CookieKind,
    key::TAG_LEN,
    session::{
        codec::Reader,
        id::{Claim, Secret, SessionId},
        time::Timestamp,
    },
};

/// 40 bytes: an HMAC of them costs two compressions, the least that one can cost.
const SIGNED: usize = HEAD_LEN + SessionId::LEN + Secret::LEN + 4;
const BYTES: usize = SIGNED + TAG_LEN;
const CHARACTERS: usize = encoded_len(BYTES);

impl TokenKeys {
    /// How long a reference token is, in characters.
    pub(crate) const fn reference_lengths() -> RangeInclusive<usize> {
        CHARACTERS..=CHARACTERS
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
        let mut bytes = Zeroizing::new([0; BYTES]);
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
        let tag = macs.of(kind).reference.tag(&bytes[..SIGNED]);
        bytes[SIGNED..].copy_from_slice(&tag);
        Token::encode(&*bytes)
    }

    /// What a reference token claims, if it is one of ours and has not expired.
    pub(crate) fn open_reference(
        &self,
        kind: CookieKind,
        value: &[u8],
        now: Timestamp,
    ) -> Result<Opened<Claim>, Rejected> {
        if value.len() != CHARACTERS {
            return Err(Rejected::Malformed);
        }
        let mut bytes = [0; BYTES];
        decode(value, &mut bytes)?;
        let (body, signature) =
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
            signature,
        })
    }
}
