//! What an identifier looks like from outside.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;

use super::chance;

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);

/// A JSON Web Token, taken apart and not verified.
#[derive(Clone, Debug)]
pub(super) struct Jwt {
    pub(super) header: Value,
    pub(super) payload: Value,
    encoded_payload: String,
    signature: String,
}

impl Jwt {
    pub(super) fn parse(token: &str) -> Option<Self> {
        let mut parts = token.split('.');
        let (header, payload, signature) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let header_json = object(header)?;
        header_json.get("alg")?;
        Some(Self {
            header: header_json,
            payload: object(payload)?,
            encoded_payload: payload.to_owned(),
            signature: signature.to_owned(),
        })
    }

    /// Tokens that nobody signed, each with a word for what was done to it.
    pub(super) fn forgeries(&self, token: &str) -> Vec<(&'static str, String)> {
        let mut forged = Vec::new();
        for alg in ["none", "None"] {
            let mut header = self.header.clone();
            header["alg"] = alg.into();
            let header = URL_SAFE.encode(header.to_string()).replace('=', "");
            forged.push((
                "alg none and no signature",
                format!("{header}.{}.", self.encoded_payload),
            ));
        }
        if !self.signature.is_empty() {
            forged.push(("a changed signature", tampered(token)));
        }
        forged
    }
}

/// Whether the holder can read what is in the token: a session that the token carries itself.
pub(super) fn is_self_contained(value: &str) -> bool {
    let first = value
        .trim_start_matches('.')
        .split(['.', ':', '|'])
        .next()
        .unwrap_or_default();
    Jwt::parse(value).is_some() || object(first).is_some()
}

/// Whether a part at the end looks like a signature over the rest.
pub(super) fn looks_signed(value: &str) -> bool {
    let tail = value.rsplit(['.', ':', '|']).next().unwrap_or_default();
    let alphabet = |b: u8| b.is_ascii_alphanumeric() || b"+/-_=%".contains(&b);
    tail.len() < value.len() && tail.len() >= 20 && tail.bytes().all(alphabet)
}

/// The value with one character of its last part, the signature, changed.
pub(super) fn tampered(value: &str) -> String {
    let tail = value.rsplit(['.', ':', '|']).next().unwrap_or_default();
    // In the middle: the last character may hold bits that decoders pass over.
    let at = value.len().saturating_sub(tail.len() / 2 + 1);
    let Some((head, rest)) = value.split_at_checked(at) else {
        return format!("A{value}");
    };
    let other = if rest.starts_with('0') { '1' } else { '0' };
    let rest: String = rest.chars().skip(1).collect();
    format!("{head}{other}{rest}")
}

/// The bytes behind base64, in either alphabet.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE
        .decode(text)
        .or_else(|_| STANDARD.decode(text))
        .ok()
}

fn object(encoded: &str) -> Option<Value> {
    serde_json::from_slice(&decode(encoded)?)
        .ok()
        .filter(Value::is_object)
}

/// A value of the client's own making that looks like this one: same length, same classes of characters.
pub(super) fn imitate(value: &[u8]) -> Vec<u8> {
    let hex = value.iter().all(u8::is_ascii_hexdigit);
    let pick =
        |choices: &[u8]| choices[usize::from(u16::from_ne_bytes(chance::bytes())) % choices.len()];
    value
        .iter()
        .map(|b| match b {
            b'0'..=b'9' => pick(b"0123456789"),
            b'a'..=b'z' if hex => pick(b"abcdef"),
            b'A'..=b'Z' if hex => pick(b"ABCDEF"),
            b'a'..=b'z' => pick(b"abcdefghijklmnopqrstuvwxyz"),
            b'A'..=b'Z' => pick(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
            other => *other,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Jwt, imitate, is_self_contained, looks_signed};

    const JWT: &str =
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

    #[test]
    fn tokens_are_told_from_ids() {
        assert!(is_self_contained(JWT) && looks_signed(JWT));
        assert!(is_self_contained(
            "eyJ1c2VyIjoiYSJ9.aB3dEf.c2lnbmF0dXJlc2lnbmF0dXJl"
        ));
        assert!(!is_self_contained("4f2a9c0de1"));
        assert!(looks_signed("4f2a.c2lnbmF0dXJlc2lnbmF0dXJl") && !looks_signed("4f2a9c0de1"));
    }

    #[test]
    fn forgeries_keep_the_payload_and_differ_in_decoded_signature() {
        let forged = Jwt::parse(JWT).unwrap().forgeries(JWT);
        assert_eq!(forged.len(), 3);
        for (_, token) in &forged {
            let again = Jwt::parse(token).unwrap();
            assert_eq!(again.payload["sub"], "a");
            assert_ne!(
                super::decode(&again.signature),
                super::decode(JWT.rsplit('.').next().unwrap())
            );
        }
    }

    #[test]
    fn tampering_changes_the_signature_alone() {
        assert_eq!(super::tampered("payload.abcd"), "payload.a0cd");
        assert_eq!(super::tampered("éa"), "Aéa");
        assert_eq!(super::tampered(""), "0");
    }

    #[test]
    fn imitations_keep_the_shape() {
        let made = imitate(b"ab12-ZZ.");
        assert_eq!((made.len(), made[4], made[7]), (8, b'-', b'.'));
        assert!(
            made[0].is_ascii_lowercase()
                && made[2].is_ascii_digit()
                && made[5].is_ascii_uppercase()
        );
    }
}
