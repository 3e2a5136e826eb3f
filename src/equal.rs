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
    use std::{hint::black_box, time::Instant};

    use super::{LEN, same};

    /// R27: a comparison that stops at the first wrong byte is over many times sooner where that is the first one.
    #[test]
    fn where_two_differ_does_not_show_in_time() {
        const LEAST: usize = 20_000;
        let one: [u8; LEN] = std::array::from_fn(|at| at as u8);
        let differing = |at: usize| {
            let mut other = one;
            other[at] ^= 1;
            other
        };
        let (first, last) = (differing(0), differing(LEN - 1));
        let time = |other: &[u8; LEN]| {
            let began = Instant::now();
            for _ in 0..LEAST {
                assert!(!same(black_box(&one), black_box(other)));
            }
            began.elapsed()
        };
        // What else the machine does makes some rounds slower and none faster.
        let rounds = (0..40).map(|_| (time(&first), time(&last)));
        let (fast, slow) = rounds
            .reduce(|best, round| (best.0.min(round.0), best.1.min(round.1)))
            .unwrap();
        let ratio = slow.as_secs_f64() / fast.as_secs_f64();
        assert!((0.67..1.5).contains(&ratio), "{ratio}");
    }

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
