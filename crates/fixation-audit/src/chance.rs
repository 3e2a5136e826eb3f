//! Randomness for markers, imitations and the key of the digests.

use rand::rngs::SysRng;
use rand::{Rng as _, rand_core::UnwrapErr};

/// Bytes from the operating system.
///
/// # Panics
///
/// The operating system has none to give.
pub(super) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    UnwrapErr(SysRng).fill_bytes(&mut bytes);
    bytes
}
