//! Keys that are no secret: patterned ones, and ones that were printed.

use sha2::{Digest, Sha256};

use crate::error::ConfigError;

/// The longest pattern that is looked for, in bytes.
const LONGEST_PERIOD: usize = 16;

/// SHA-256 digests of the keys that this crate's documentation and examples printed.
const PUBLISHED: [[u8; 32]; 2] = [digest(DIGEST_1), digest(DIGEST_2)];

const DIGEST_1: &[u8; 64] = b"91168217fc336524fe340c88a5d841895bd4473e0e5ed09981803978f23ef54b";
const DIGEST_2: &[u8; 64] = b"077f4f7699caf30ce7cb1dd1f498e38f2954b24780a6613f669903c19649ff01";

/// Refuses a key that anybody can know.
///
/// It cannot tell a random key from a chosen one: it finds what people write when they need *something* there.
pub(super) fn refuse_weak(key: &[u8], position: usize) -> Result<(), ConfigError> {
    if key.iter().all(|byte| *byte == key[0]) {
        return Err(ConfigError::UniformKey { position });
    }
    if is_patterned(key) {
        return Err(ConfigError::PatternedKey { position });
    }
    if PUBLISHED.contains(&Sha256::digest(key).into()) {
        return Err(ConfigError::PublishedKey { position });
    }
    Ok(())
}

/// Whether a key repeats a short pattern, or counts up or down by one.
fn is_patterned(key: &[u8]) -> bool {
    let repeats = |period| key.iter().zip(&key[period..]).all(|(a, b)| a == b);
    let steps = |by: u8| key.is_sorted_by(|a, b| a.wrapping_add(by) == *b);
    (2..=LONGEST_PERIOD.min(key.len() / 2)).any(repeats) || steps(1) || steps(u8::MAX)
}

const fn digest(digits: &[u8; 64]) -> [u8; 32] {
    const fn value(digit: u8) -> u8 {
        match digit {
            b'0'..=b'9' => digit - b'0',
            _ => digit - b'a' + 10,
        }
    }
    let mut bytes = [0; 32];
    let mut at = 0;
    while at < 32 {
        bytes[at] = value(digits[2 * at]) * 16 + value(digits[2 * at + 1]);
        at += 1;
    }
    bytes
}
