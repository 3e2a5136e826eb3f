//! A token with a whole session in it, as long as that needs.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use smol_str::SmolStr;

use super::token::KEY_ID;
use super::{Known, Sealer};

const USUAL: usize = 192;
const TAG: usize = 32;
const LOGGED_IN: u8 = 1;

/// A session as an application knows it: whose, since when and until when, and its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Full {
    pub(super) session: [u8; 16],
    /// In milliseconds: seen, ends, began, token issued, proved.
    pub(super) times: [u64; 5],
    pub(super) level: u8,
    pub(super) subject: Option<SmolStr>,
    /// Decoded where it is read.
    pub(super) data: Option<Arc<[u8]>>,
}

impl Full {
    /// What a handler that knows numbers only sees of it.
    pub(super) fn known(&self) -> Known {
        let seconds = |millis: u64| u32::try_from(millis / 1000).unwrap_or(u32::MAX);
        let note = self.data.as_deref().and_then(|data| data.try_into().ok());
        Known {
            session: self.session,
            issued: seconds(self.times[3]),
            expires: seconds(self.times[1]),
            user: u64::from(self.subject.is_some()),
            note: note.map_or(0, u32::from_be_bytes),
        }
    }

    pub(super) fn of(known: &Known) -> Self {
        let millis = |seconds: u32| u64::from(seconds) * 1000;
        let (issued, expires) = (millis(known.issued), millis(known.expires));
        Self {
            session: known.session,
            times: [issued, expires, issued, issued, issued],
            level: 1,
            subject: (known.user != 0).then(|| SmolStr::new(known.user.to_string())),
            data: (known.note != 0).then(|| known.note.to_be_bytes()[..].into()),
        }
    }
}

impl Sealer {
    /// Writes a token at the end of a buffer.
    pub(super) fn seal_full(&self, full: &Full, out: &mut Vec<u8>) {
        let seen = full.times[0];
        let mut bytes = Vec::with_capacity(USUAL);
        bytes.push(2);
        bytes.extend_from_slice(&KEY_ID);
        bytes.extend_from_slice(&full.session);
        bytes.extend_from_slice(&seen.to_be_bytes()[2..]);
        bytes.push(if full.subject.is_some() { LOGGED_IN } else { 0 });
        full.times[1..]
            .iter()
            .for_each(|time| put(&mut bytes, seen, *time));
        if let Some(subject) = &full.subject {
            bytes.push(full.level);
            bytes.push(u8::try_from(subject.len()).expect("a subject is short"));
            bytes.extend_from_slice(subject.as_bytes());
        }
        bytes.extend_from_slice(full.data.as_deref().unwrap_or_default());
        let tag = self.tag(&bytes);
        bytes.extend_from_slice(&tag);
        let at = out.len();
        out.resize(at + (bytes.len() * 4).div_ceil(3), 0);
        URL_SAFE_NO_PAD
            .encode_slice(bytes, &mut out[at..])
            .expect("the text fits");
    }

    /// The session in a token, when the MAC under the key that it names holds.
    pub(super) fn open_full<'k>(
        text: &[u8],
        key: impl FnOnce([u8; 3]) -> Option<&'k Self>,
    ) -> Option<Full> {
        let mut buffer = [0; USUAL];
        let len = URL_SAFE_NO_PAD.decode_slice(text, &mut buffer).ok()?;
        let (signed, tag) = buffer[..len].split_last_chunk::<TAG>()?;
        let (&[version, a, b, c], body) = signed.split_first_chunk()?;
        if version != 2 || !key([a, b, c])?.holds(signed, tag) {
            return None;
        }
        let (session, body) = body.split_first_chunk()?;
        let (&[a, b, c, d, e, f], body) = body.split_first_chunk()?;
        let seen = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
        let (&flags, mut rest) = body.split_first()?;
        let mut times = [seen; 5];
        for time in &mut times[1..] {
            *time = take(&mut rest, seen)?;
        }
        let (mut level, mut subject) = (0, None);
        if flags & LOGGED_IN != 0 {
            let (&[its_level, len], after) = rest.split_first_chunk()?;
            let (text, after) = after.split_at_checked(len.into())?;
            (level, rest) = (its_level, after);
            subject = Some(SmolStr::new(str::from_utf8(text).ok()?));
        }
        Some(Full {
            session: *session,
            times,
            level,
            subject,
            data: (!rest.is_empty()).then(|| rest.into()),
        })
    }
}

/// A time as its distance from another, seven bits a byte.
fn put(out: &mut Vec<u8>, from: u64, time: u64) {
    let distance = time.wrapping_sub(from).cast_signed();
    let mut left = ((distance << 1) ^ (distance >> 63)).cast_unsigned();
    while left >= 0x80 {
        out.push(left.to_le_bytes()[0] | 0x80);
        left >>= 7;
    }
    out.push(left.to_le_bytes()[0]);
}

fn take(bytes: &mut &[u8], from: u64) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            let distance = (value >> 1).cast_signed() ^ -(value & 1).cast_signed();
            return Some(from.wrapping_add(distance.cast_unsigned()));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Full, Sealer};

    #[test]
    fn a_session_opens_as_it_was_sealed() {
        let full = Full {
            session: [9; 16],
            times: [10_000, 90_000_000, 5_000, 10_000, 4_000],
            level: 2,
            subject: Some("alice".into()),
            data: Some([1, 2, 3][..].into()),
        };
        let nobody = Full {
            level: 0,
            subject: None,
            data: None,
            ..full.clone()
        };
        let sealer = Sealer::new([5; 32]);
        for full in [full, nobody] {
            let mut text = Vec::new();
            sealer.seal_full(&full, &mut text);
            assert_eq!(Sealer::open_full(&text, |_| Some(&sealer)), Some(full));
            text[30] ^= 1;
            assert_eq!(Sealer::open_full(&text, |_| Some(&sealer)), None);
        }
    }
}
