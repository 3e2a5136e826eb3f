//! A token of forty bytes and its MAC, in 96 characters.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The key that every token here names.
pub(super) const KEY_ID: [u8; 3] = *b"key";
const PAYLOAD: usize = 40;
const WHOLE: usize = PAYLOAD + 32;
/// Its length as text.
pub const TEXT: usize = WHOLE / 3 * 4;

/// What a token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// The session.
    pub session: [u8; 16],
    /// When it began, in unix seconds.
    pub issued: u32,
    /// When it ends.
    pub expires: u32,
    /// Who is logged in; 0 is nobody.
    pub user: u64,
    /// What the handler wrote.
    pub note: u32,
}

/// Seals and opens tokens with a key whose schedule is computed once.
#[derive(Clone)]
pub struct Sealer(Hmac<Sha256>);

impl Sealer {
    /// Prepares a key.
    #[must_use]
    pub fn new(key: [u8; 32]) -> Self {
        Self(Hmac::new_from_slice(&key).expect("HMAC takes keys of any length"))
    }

    /// Writes a token at the end of a buffer.
    pub fn seal(&self, known: &Known, out: &mut Vec<u8>) {
        let mut bytes = [0; WHOLE];
        bytes[0] = 1;
        bytes[1..4].copy_from_slice(&KEY_ID);
        bytes[4..20].copy_from_slice(&known.session);
        bytes[20..24].copy_from_slice(&known.issued.to_be_bytes());
        bytes[24..28].copy_from_slice(&known.expires.to_be_bytes());
        bytes[28..36].copy_from_slice(&known.user.to_be_bytes());
        bytes[36..40].copy_from_slice(&known.note.to_be_bytes());
        let (payload, tag) = bytes.split_at_mut(PAYLOAD);
        tag.copy_from_slice(&self.mac(payload).finalize().into_bytes());
        let at = out.len();
        out.resize(at + TEXT, 0);
        URL_SAFE_NO_PAD
            .encode_slice(bytes, &mut out[at..])
            .expect("the text fits");
    }

    /// What a token says, when its MAC holds.
    #[must_use]
    pub fn open(&self, text: &[u8]) -> Option<Known> {
        Self::open_with(text, |_| Some(self))
    }

    /// The same with the key that the token names.
    pub fn open_with<'k>(
        text: &[u8],
        key: impl FnOnce([u8; 3]) -> Option<&'k Self>,
    ) -> Option<Known> {
        let text: &[u8; TEXT] = text.try_into().ok()?;
        let mut bytes = [0; WHOLE];
        URL_SAFE_NO_PAD
            .decode_slice_unchecked(text, &mut bytes)
            .ok()?;
        let (payload, tag) = bytes.split_at(PAYLOAD);
        key(part(payload, 1))?.mac(payload).verify_slice(tag).ok()?;
        if payload[0] != 1 || payload[1..4] != KEY_ID {
            return None;
        }
        Some(Known {
            session: part(payload, 4),
            issued: u32::from_be_bytes(part(payload, 20)),
            expires: u32::from_be_bytes(part(payload, 24)),
            user: u64::from_be_bytes(part(payload, 28)),
            note: u32::from_be_bytes(part(payload, 36)),
        })
    }

    pub(super) fn tag(&self, message: &[u8]) -> [u8; 32] {
        self.mac(message).finalize().into_bytes().into()
    }

    pub(super) fn holds(&self, message: &[u8], tag: &[u8]) -> bool {
        self.mac(message).verify_slice(tag).is_ok()
    }

    fn mac(&self, payload: &[u8]) -> Hmac<Sha256> {
        self.0.clone().chain_update(payload)
    }
}

fn part<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut part = [0; N];
    part.copy_from_slice(&bytes[at..at + N]);
    part
}

#[cfg(test)]
mod tests {
    use super::{Known, Sealer, TEXT};

    #[test]
    fn a_token_opens_as_it_was_sealed_and_not_when_changed() {
        let known = Known {
            session: [9; 16],
            issued: 1,
            expires: 2,
            user: 3,
            note: 4,
        };
        let sealer = Sealer::new([5; 32]);
        let mut text = Vec::new();
        sealer.seal(&known, &mut text);
        assert_eq!(text.len(), TEXT);
        assert_eq!(sealer.open(&text), Some(known));
        for at in 0..TEXT {
            let mut changed = text.clone();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(sealer.open(&changed), None, "character {at}");
        }
    }
}
