//! Fresh ids and secrets, from the operating system's random source.

use rand::{TryRng, rngs::SysRng};

use super::failure::SessionError;
use crate::session::id::{Fresh, Secret, SessionId};

/// Draws `N` bytes.
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N], SessionError> {
    let mut bytes = [0; N];
    fill(&mut bytes)?;
    Ok(bytes)
}

/// Draws the 128 bits of an id and the 128 bits of a secret.
pub(crate) fn fresh() -> Result<Fresh, SessionError> {
    // In one draw: what it costs is the call, not the bytes.
    let mut drawn = [[0; SessionId::LEN]; 2];
    fill(drawn.as_flattened_mut())?;
    let [id, secret] = drawn;
    Ok(Fresh {
        id: SessionId::from_bytes(id),
        secret: Secret::from_bytes(secret),
    })
}

fn fill(bytes: &mut [u8]) -> Result<(), SessionError> {
    SysRng
        .try_fill_bytes(bytes)
        .map_err(SessionError::randomness)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::fresh;

    /// R20.
    #[test]
    fn ids_and_secrets_are_evenly_spread_and_never_repeat() {
        const DRAWS: usize = 100_000;
        let mut seen = HashSet::new();
        let mut counts = [[0_u32; 256]; 32];
        for _ in 0..DRAWS {
            let fresh = fresh().unwrap();
            let mut bytes = [0; 32];
            bytes[..16].copy_from_slice(fresh.id.as_bytes());
            bytes[16..].copy_from_slice(fresh.secret.as_bytes());
            assert!(seen.insert(bytes));
            for (count, byte) in counts.iter_mut().zip(bytes) {
                count[usize::from(byte)] += 1;
            }
        }
        // Chi-squared with 255 degrees of freedom: mean 255, standard deviation 22.6; 255 + 8 sigma.
        for count in counts {
            let expected = DRAWS as f64 / 256.0;
            let chi: f64 = count
                .iter()
                .map(|n| (f64::from(*n) - expected).powi(2) / expected)
                .sum();
            assert!(chi < 436.0, "{chi}");
        }
    }
}
