//! What an identifier looks like from outside.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;

use super::{chance, form};

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

/// What kind of self-contained session the value is by its form, or nothing for an opaque one.
///
/// The list holds forms that cannot be mistaken: a JSON object, or the mark that a library puts first.
pub(super) fn self_contained(value: &str) -> Option<&'static str> {
    let decoded = form::decode(value.as_bytes());
    let decoded = String::from_utf8_lossy(&decoded);
    let value = decoded.trim_matches('"');
    if Jwt::parse(value).is_some() {
        return Some("a JSON Web Token");
    }
    let marks = [
        ("Fe26.2*", "a sealed object (iron)"),
        ("CfDJ8", "a protected ticket (ASP.NET Core)"),
        ("gAAAA", "an encrypted token (Fernet)"),
        ("v4.local.", "an encrypted token (PASETO)"),
        ("v4.public.", "a signed token (PASETO)"),
        ("v2.local.", "an encrypted token (PASETO)"),
    ];
    if let Some((_, form)) = marks.iter().find(|(mark, _)| value.starts_with(mark)) {
        return Some(form);
    }
    if is_tornado(value) {
        return Some("a signed value with its time (Tornado)");
    }
    // `data--signature`, or `data--iv--tag` where it is encrypted.
    let parts: Vec<_> = value.split("--").collect();
    let base64 = |part: &&str| part.len() >= 12 && decode(part).is_some();
    let is_hex = |part: &&str| part.len() >= 40 && part.bytes().all(|b| b.is_ascii_hexdigit());
    if matches!(&parts[..], [data, mac] if base64(data) && is_hex(mac))
        || (parts.len() == 3 && parts.iter().all(base64))
    {
        return Some("a signed or encrypted object (Rails)");
    }
    // An encrypted token of five parts, as JWE writes it.
    let five: Vec<_> = value.split('.').collect();
    if five.len() == 5 && object(five[0]).is_some_and(|header| header.get("enc").is_some()) {
        return Some("an encrypted JSON Web Token");
    }
    let first = value
        .trim_start_matches('.')
        .split(['.', ':', '|'])
        .next()
        .unwrap_or_default();
    if object(first).is_some() {
        return Some("a JSON object in base64");
    }
    // zlib's first bytes, and a signature behind: what itsdangerous and Django make of a longer session.
    let zlib = decode(first)
        .is_some_and(|bytes| matches!(bytes[..], [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..]));
    (zlib && looks_signed(value)).then_some("a compressed object with a signature")
}

/// `2|1:0|10:1700000000|4:user|…|signature`: lengths before each part.
fn is_tornado(value: &str) -> bool {
    let mut fields = value.strip_prefix("2|").unwrap_or_default().split('|');
    let counted = |field: Option<&str>| {
        field.is_some_and(|field| {
            field
                .split_once(':')
                .is_some_and(|(length, text)| length.parse() == Ok(text.len()))
        })
    };
    (0..4).all(|_| counted(fields.next())) && fields.next().is_some_and(|mac| mac.len() >= 40)
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
    use super::{Jwt, imitate, looks_signed, self_contained};

    const JWT: &str =
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

    #[test]
    fn tokens_are_told_from_ids() {
        assert!(self_contained(JWT).is_some() && looks_signed(JWT));
        assert!(looks_signed("4f2a.c2lnbmF0dXJlc2lnbmF0dXJl") && !looks_signed("4f2a9c0de1"));
    }

    /// Values as the libraries write them.
    #[test]
    fn self_contained_sessions_are_told_by_their_form() {
        for value in [
            "eyJ1c2VyIjoiYSJ9.aB3dEf.c2lnbmF0dXJlc2lnbmF0dXJl",
            ".eJyrVkpMyUzOyS9KVbJSSszJTFWqBQA8bgZH.aB3dEf.1mJkGmV0YQ2nZs3Zp8nO1hX0bqE",
            "2|1:0|10:1700000000|4:user|8:ImFsaWNl|4f2a9c0de14f2a9c0de14f2a9c0de14f2a9c0de14f2a9c0de14f2a9c0de14f2a",
            "Fe26.2*1*abc*def*ghi",
            "eyJ1c2VyIjoiYSJ9--4f2a9c0de14f2a9c0de14f2a9c0de14f2a9c0de1",
            "dGhpcyBpcyBlbmNyeXB0ZWQ%3D--aXZpdml2aXZpdml2--dGFndGFndGFndGFndGFn",
            "CfDJ8NrAkS",
            "gAAAAABmXyZ",
            "eyJpdiI6ImEiLCJ2YWx1ZSI6ImIifQ%3D%3D",
        ] {
            assert!(self_contained(value).is_some(), "{value}");
        }
        for value in [
            "4f2a9c0de1",
            "s%3Awh1Rk2v9cOqT0qXbD0m1lF3aVn8y5zJp.c2lnbmF0dXJlc2lnbmF0dXJlc2lnbmF0dXJl",
            "user-0042",
            "4f2a9c0de14f2a9c0de14f2a9c0de14f.4f2a9c0de14f2a9c0de14f2a9c0de14f",
            "a--b",
            "2|3",
        ] {
            assert_eq!(self_contained(value), None, "{value}");
        }
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
