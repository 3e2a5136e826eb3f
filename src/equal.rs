//! [`same`]: whether two digests are the same, in constant time.

use subtle::ConstantTimeEq;

/// Length of an HMAC-SHA-256 tag and of a SHA-256 digest in bytes.
const LEN: usize = 32;

/// Whether two tags or digests are the same, compared in constant time.
///
/// In words, since a comparison in constant time takes as long for one as for a byte.
pub(crate) fn same(one: &[u8; LEN], other: &[u8; LEN]) -> bool {
    let words = |digest: &[u8; LEN]| -> [u64; LEN / 8] {
        let (chunks, _) = digest.as_chunks();
        std::array::from_fn(|at| u64::from_ne_bytes(chunks[at]))
    };
    words(one).ct_eq(&words(other)).into()
}

#[cfg(test)]
mod tests {
    use super::{LEN, same};

    #[test]
    fn every_bit_counts() {
        let one = std::array::from_fn(|at| at as u8);
        assert!(same(&one, &one.clone()));
        for bit in 0..LEN * 8 {
            let mut other = one;
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(!same(&one, &other), "bit {bit}");
        }
    }
}
