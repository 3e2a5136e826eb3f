//! One-time codes after RFC 6238, as an authenticator app shows them.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Sha256, Sha512};

/// The shared secret of an authenticator app, with what the application agreed on.
pub(in super::super) struct Totp {
    key: Vec<u8>,
    hash: Hash,
    digits: u32,
    period: u64,
}

#[derive(Clone, Copy)]
enum Hash {
    Sha1,
    Sha256,
    Sha512,
}

impl Totp {
    /// Reads a secret in base32 (spaces, hyphens and lower case are fine), or a whole `otpauth://totp/…` address.
    pub(in super::super) fn parse(text: &str) -> Result<Self, &'static str> {
        let mut totp = Self {
            key: Vec::new(),
            hash: Hash::Sha1,
            digits: 6,
            period: 30,
        };
        let Some(address) = text.strip_prefix("otpauth://totp/") else {
            totp.key = base32(text)?;
            return Ok(totp);
        };
        let query = address.split_once('?').map_or("", |(_, query)| query);
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            match name {
                "secret" => totp.key = base32(value)?,
                "algorithm" => totp.hash = hash(value)?,
                "digits" => totp.digits = number(value, 6, 8)?,
                "period" => totp.period = number(value, 1, 3_600)?.into(),
                _ => {}
            }
        }
        if totp.key.is_empty() {
            return Err("the otpauth address holds no secret");
        }
        Ok(totp)
    }

    /// The code at this time, in seconds since 1970.
    pub(in super::super) fn at(&self, seconds: u64) -> String {
        let counter = (seconds / self.period).to_be_bytes();
        let mac = match self.hash {
            Hash::Sha1 => code::<Hmac<Sha1>>(&self.key, &counter),
            Hash::Sha256 => code::<Hmac<Sha256>>(&self.key, &counter),
            Hash::Sha512 => code::<Hmac<Sha512>>(&self.key, &counter),
        };
        let from = mac.last().map_or(0, |last| usize::from(last & 15));
        let number = mac
            .get(from..from + 4)
            .and_then(|bytes| bytes.try_into().ok())
            .map_or(0, u32::from_be_bytes);
        let number = (number & 0x7fff_ffff) % 10_u32.pow(self.digits);
        format!("{number:0width$}", width = self.digits as usize)
    }
}

impl fmt::Debug for Totp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Totp").finish_non_exhaustive()
    }
}

fn code<M: Mac + KeyInit>(key: &[u8], counter: &[u8]) -> Vec<u8> {
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(key) else {
        return Vec::new();
    };
    mac.update(counter);
    mac.finalize().into_bytes().to_vec()
}

fn hash(name: &str) -> Result<Hash, &'static str> {
    match name.to_ascii_uppercase().as_str() {
        "SHA1" => Ok(Hash::Sha1),
        "SHA256" => Ok(Hash::Sha256),
        "SHA512" => Ok(Hash::Sha512),
        _ => Err("the algorithm of one-time codes is SHA1, SHA256 or SHA512"),
    }
}

fn number(text: &str, least: u32, most: u32) -> Result<u32, &'static str> {
    text.parse()
        .ok()
        .filter(|number| (least..=most).contains(number))
        .ok_or("one-time codes have 6 to 8 digits, and a period of 1 to 3600 seconds")
}

/// Base32 of RFC 4648. Padding may be missing.
fn base32(text: &str) -> Result<Vec<u8>, &'static str> {
    const WRONG: &str = "the secret of one-time codes is not base32";
    let (mut bits, mut held, mut bytes) = (0_u32, 0_u32, Vec::new());
    let text = text.trim_end_matches('=').replace("%3D", "");
    for c in text.bytes().filter(|c| !b" -".contains(c)) {
        let value = match c.to_ascii_uppercase() {
            c @ b'A'..=b'Z' => c - b'A',
            c @ b'2'..=b'7' => c - b'2' + 26,
            _ => return Err(WRONG),
        };
        bits = (bits << 5) | u32::from(value);
        held += 5;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held & 0xff) as u8);
        }
    }
    if bytes.is_empty() {
        Err(WRONG)
    } else {
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::Totp;

    /// The keys of RFC 6238, appendix B (with erratum 2866: each as long as its hash), in base32.
    const SHA1: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
    const SHA256: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZA";
    const SHA512: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNA";

    #[test]
    fn the_vectors_of_rfc_6238_hold() {
        let rows = [
            (59, "94287082", "46119246", "90693936"),
            (1_111_111_109, "07081804", "68084774", "25091201"),
            (1_111_111_111, "14050471", "67062674", "99943326"),
            (1_234_567_890, "89005924", "91819424", "93441116"),
            (2_000_000_000, "69279037", "90698825", "38618901"),
            (20_000_000_000, "65353130", "77737706", "47863826"),
        ];
        for (time, sha1, sha256, sha512) in rows {
            for (name, key, expected) in [
                ("SHA1", SHA1, sha1),
                ("SHA256", SHA256, sha256),
                ("SHA512", SHA512, sha512),
            ] {
                let address = format!("otpauth://totp/a?secret={key}&algorithm={name}&digits=8");
                assert_eq!(
                    Totp::parse(&address).unwrap().at(time),
                    expected,
                    "{name} at {time}"
                );
            }
        }
    }

    #[test]
    fn a_bare_secret_makes_six_digits() {
        assert_eq!(Totp::parse(SHA1).unwrap().at(59), "287082");
        let spelled = "gezd gnbv-gy3t qojq GEZDGNBVGY3TQOJQ====";
        assert_eq!(Totp::parse(spelled).unwrap().at(59), "287082");
    }

    #[test]
    fn what_is_no_secret_is_refused() {
        for text in [
            "",
            "018",
            "otpauth://totp/a?digits=6",
            "otpauth://totp/a?secret=GEZDGNBV&digits=9",
            "otpauth://totp/a?secret=GEZDGNBV&algorithm=MD5",
        ] {
            assert!(Totp::parse(text).is_err(), "{text}");
        }
    }
}
