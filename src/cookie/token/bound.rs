//! Values of the cookies that concern a session's device, version 1: 60 bytes, so exactly 80 characters.
//!
//! | bytes | field |
//! |---|---|
//! | 1 | version, 1 |
//! | 3 | key id |
//! | 16 | the family: the id of the login |
//! | 4 | when the device proved that it has its key, or was asked to; unix seconds, big-endian |
//! | 4 | nonce |
//! | 32 | MAC over all of the above |
//!
//! It is verified without a store. For how long the proof is good is the layer's to say, so a shorter time holds at once.

use super::{
    Rejected, Token, decode,
    size::{HEAD_LEN, encoded_len},
};
use crate::{
    cookie::CookieName,
    key::{Derived, KeyId, KeyRing, Mac, TAG_LEN},
    session::{
        codec::Reader,
        id::SessionId,
        present::{BoundProof, MAX_LIFETIME},
        time::{CLOCK_ALLOWANCE, Timestamp},
    },
};

const VERSION: u8 = 1;
const SIGNED: usize = HEAD_LEN + SessionId::LEN + 4 + 4;
const BYTES: usize = SIGNED + TAG_LEN;
const CHARACTERS: usize = encoded_len(BYTES);

/// What signs and verifies the values of one cookie of a layer: a key for what it says, its name and the audience.
#[derive(Debug)]
pub(crate) struct BoundKeys(Derived<Mac>);

impl BoundKeys {
    /// Of bound cookies, which say when a device proved itself.
    pub(crate) fn new(ring: &KeyRing, name: &CookieName, audience: &str) -> Self {
        Self::with(ring, "bound cookie", name, audience)
    }

    /// Of cookies that say when a device was asked for a fresh proof.
    pub(crate) fn of_demands(ring: &KeyRing, name: &CookieName, audience: &str) -> Self {
        Self::with(ring, "device demand", name, audience)
    }

    fn with(ring: &KeyRing, purpose: &'static str, name: &CookieName, audience: &str) -> Self {
        let context = [name.as_str().as_bytes(), audience.as_bytes()];
        Self(ring.derive(purpose, &context))
    }

    /// The value for a session whose device proved itself at `proved_at`, or was asked to.
    pub(crate) fn seal_bound(
        &self,
        family: &SessionId,
        proved_at: Timestamp,
        nonce: [u8; 4],
    ) -> Token {
        let keys = self.0.current();
        let (key_id, mac) = keys.first();
        let seconds = u32::try_from(proved_at.as_unix_seconds()).unwrap_or(u32::MAX);
        let mut bytes = [&[VERSION], &key_id.as_bytes()[..], family.as_bytes()].concat();
        bytes.extend_from_slice(&seconds.to_be_bytes());
        bytes.extend_from_slice(&nonce);
        let tag = mac.tag(&bytes);
        bytes.extend_from_slice(&tag);
        Token::encode(&bytes)
    }

    /// What a value says, if it is one of ours and may still be good. Whether it is good is for `present` to say.
    ///
    /// # Errors
    ///
    /// Why it is not.
    pub(crate) fn open_bound(&self, value: &[u8], now: Timestamp) -> Result<BoundProof, Rejected> {
        if value.len() != CHARACTERS {
            return Err(Rejected::Malformed);
        }
        let mut bytes = [0; BYTES];
        decode(value, &mut bytes)?;
        let (signed, tag) = bytes.split_last_chunk().ok_or(Rejected::Malformed)?;
        let mut fields = Reader::new(signed);
        if fields.byte()? != VERSION {
            return Err(Rejected::Malformed);
        }
        let key_id = KeyId::from_bytes(fields.array()?);
        let keys = self.0.current();
        let (mac, _) = keys.find(key_id).ok_or(Rejected::UnknownKey)?;
        if !mac.verify(signed, tag) {
            return Err(Rejected::Forged);
        }
        let family = SessionId::from_bytes(fields.array()?);
        let proved_at = Timestamp::from_unix_seconds(u32::from_be_bytes(fields.array()?).into());
        if proved_at > now.after(CLOCK_ALLOWANCE) {
            return Err(Rejected::FromTheFuture);
        }
        if now.since(proved_at) >= MAX_LIFETIME {
            return Err(Rejected::Expired);
        }
        Ok(BoundProof { family, proved_at })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{BYTES, BoundKeys, CHARACTERS, VERSION};
    use crate::{
        cookie::{
            CookiePolicy,
            token::{Rejected, Token, decode},
        },
        key::KeyRing,
        session::{
            id::SessionId,
            present::{BoundProof, MAX_LIFETIME},
            time::Timestamp,
        },
    };

    const FAMILY: SessionId = SessionId::from_bytes(*b"0123456789abcdef");
    const NOW: Timestamp = Timestamp::from_unix_seconds(1_800_000_000);

    fn keys(ring: &KeyRing, name: &str, audience: &str) -> BoundKeys {
        let policy = CookiePolicy::builder().whole_name(name).build().unwrap();
        BoundKeys::new(ring, policy.session_name(), audience)
    }

    fn ring(seed: u8) -> KeyRing {
        KeyRing::of_tests([[seed; 32]])
    }

    fn open(keys: &BoundKeys, value: &[u8], now: Timestamp) -> Result<BoundProof, Rejected> {
        keys.open_bound(value, now)
    }

    /// R21, R25.
    #[test]
    fn every_bit_of_a_value_is_vouched_for() {
        let keys = keys(&ring(1), "sid", "");
        let value = keys.seal_bound(&FAMILY, NOW, [1; 4]);
        let value = value.as_str().as_bytes();
        assert_eq!(value.len(), CHARACTERS);
        let mut bytes = [0; BYTES];
        decode(value, &mut bytes).unwrap();
        for bit in 0..BYTES * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            let cause = match bit / 8 {
                0 => Rejected::Malformed,
                1..4 => Rejected::UnknownKey,
                _ => Rejected::Forged,
            };
            let flipped = Token::encode(&flipped);
            assert_eq!(
                open(&keys, flipped.as_str().as_bytes(), NOW),
                Err(cause),
                "{bit}"
            );
        }
        for other in [
            &value[1..],
            &[value, b"A"].concat(),
            &[value, b"="].concat(),
            &[],
        ] {
            assert_eq!(open(&keys, other, NOW), Err(Rejected::Malformed));
        }
    }

    /// R22.
    #[test]
    fn a_value_opens_under_its_own_name_audience_and_ring_only() {
        let own = keys(&ring(1), "a", "x");
        let value = own.seal_bound(&FAMILY, NOW, [1; 4]);
        for (other, refused) in [
            (keys(&ring(1), "a", "x"), None),
            (keys(&ring(1), "b", "x"), Some(Rejected::Forged)),
            (keys(&ring(1), "a", "y"), Some(Rejected::Forged)),
            (keys(&ring(2), "a", "x"), Some(Rejected::UnknownKey)),
        ] {
            assert_eq!(open(&other, value.as_str().as_bytes(), NOW).err(), refused);
        }
        // R26: it follows the ring.
        let ring = ring(1);
        let rolling = keys(&ring, "a", "x");
        ring.replace(&KeyRing::of_tests([[2; 32], [1; 32]]));
        assert!(open(&rolling, value.as_str().as_bytes(), NOW).is_ok());
        ring.replace(&KeyRing::of_tests([[2; 32]]));
        let refused = open(&rolling, value.as_str().as_bytes(), NOW);
        assert_eq!(refused, Err(Rejected::UnknownKey));
    }

    /// A reference token of a cookie of the same name has the same version, and another key.
    #[test]
    fn no_other_token_of_the_same_name_opens() {
        let policy = CookiePolicy::builder().whole_name("sid").build().unwrap();
        let tokens = crate::cookie::token::TokenKeys::new(ring(1), &policy, "");
        let keys = keys(&ring(1), "sid", "");
        let value = keys.seal_bound(&FAMILY, NOW, [1; 4]);
        let mut bytes = [0; BYTES];
        decode(value.as_str().as_bytes(), &mut bytes).unwrap();
        assert_eq!(bytes[0], VERSION);
        let kind = crate::cookie::CookieKind::Session;
        for opened in [
            tokens
                .open_reference(kind, value.as_str().as_bytes(), NOW)
                .err(),
            tokens
                .open_self_contained(kind, value.as_str().as_bytes(), NOW)
                .err(),
        ] {
            assert_eq!(opened, Some(Rejected::Malformed));
        }
    }

    /// R24, D05.
    #[test]
    fn a_proof_is_neither_older_than_any_lifetime_nor_of_the_future() {
        let keys = keys(&ring(1), "sid", "");
        let value = keys.seal_bound(&FAMILY, NOW.after(Duration::from_millis(999)), [1; 4]);
        let millis = NOW.as_unix_millis();
        let lifetime = MAX_LIFETIME.as_millis() as u64;
        let proof = BoundProof {
            family: FAMILY,
            proved_at: NOW,
        };
        for (now, expected) in [
            (millis - 60_001, Err(Rejected::FromTheFuture)),
            (millis - 60_000, Ok(proof)),
            (millis, Ok(proof)),
            (millis + lifetime - 1, Ok(proof)),
            (millis + lifetime, Err(Rejected::Expired)),
            (u64::MAX, Err(Rejected::Expired)),
        ] {
            let now = Timestamp::from_unix_millis(now);
            assert_eq!(open(&keys, value.as_str().as_bytes(), now), expected);
        }
    }

    /// D07: each is another.
    #[test]
    fn two_values_of_one_moment_differ() {
        let keys = keys(&ring(1), "sid", "");
        let [one, other] = [[1; 4], [2; 4]].map(|nonce| keys.seal_bound(&FAMILY, NOW, nonce));
        assert_ne!(one.as_str(), other.as_str());
    }
}
