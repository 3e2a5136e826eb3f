//! Challenges of refreshes: 48 bytes, so exactly 64 characters.
//!
//! | bytes | field |
//! |---|---|
//! | 4 | when it was made, unix seconds, big-endian |
//! | 4 | how many proofs the session had accepted by then, big-endian |
//! | 8 | nonce |
//! | 32 | MAC over the family, the key's thumbprint and all of the above |
//!
//! Nothing is kept of a challenge: that its session accepts it once follows from the count.

use super::{
    keys::{DeviceKeys, split},
    offer::unix_seconds,
};
use crate::session::{device::Thumbprint, id::SessionId, prove::Challenge, time::Timestamp};

const BODY: usize = 4 + 4 + 8;

impl DeviceKeys {
    /// A challenge for the session of this family and its key, after `sequence` accepted proofs.
    pub(crate) fn challenge(
        &self,
        family: &SessionId,
        key: &Thumbprint,
        sequence: u32,
        now: Timestamp,
        nonce: [u8; 8],
    ) -> String {
        let mut body = [0; BODY];
        body[..4].copy_from_slice(&unix_seconds(now).to_be_bytes());
        body[4..8].copy_from_slice(&sequence.to_be_bytes());
        body[8..].copy_from_slice(&nonce);
        self.seal(&body, &message(family, key, &body), |macs| &macs.challenge)
    }

    /// What a challenge says, if it is one of ours for this session and key.
    pub(crate) fn open_challenge(
        &self,
        family: &SessionId,
        key: &Thumbprint,
        challenge: &[u8],
    ) -> Option<Challenge> {
        let (body, tag) = split::<BODY>(challenge)?;
        if !self.vouches(&message(family, key, &body), &tag, |macs| &macs.challenge) {
            return None;
        }
        let [a, b, c, d, e, f, g, h, ..] = body;
        Some(Challenge {
            made_at: Timestamp::from_unix_seconds(u32::from_be_bytes([a, b, c, d]).into()),
            sequence: u32::from_be_bytes([e, f, g, h]),
        })
    }
}

fn message(
    family: &SessionId,
    key: &Thumbprint,
    body: &[u8; BODY],
) -> [u8; SessionId::LEN + Thumbprint::LEN + BODY] {
    let mut message = [0; SessionId::LEN + Thumbprint::LEN + BODY];
    let (id, rest) = message.split_at_mut(SessionId::LEN);
    let (thumbprint, rest) = rest.split_at_mut(Thumbprint::LEN);
    id.copy_from_slice(family.as_bytes());
    thumbprint.copy_from_slice(&key.0);
    rest.copy_from_slice(body);
    message
}
