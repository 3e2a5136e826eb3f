//! [`Cutoff`]: the moment up to which everything of an owner or a tag has ended.

use std::time::Duration;

use crate::session::time::Timestamp;

/// The moment up to which everything under an [`IndexKey`](super::IndexKey) has ended.
///
/// Removing what an index names cannot end a login that is still under way. The cut-off does: it is written
/// before anything is removed, and a login that was admitted before it undoes itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cutoff {
    /// What was admitted or issued at this time or earlier has ended.
    pub at: Timestamp,
    /// Until when the cut-off must be remembered.
    pub until: Timestamp,
    /// Who wrote it, and in which order: opaque to a store.
    pub mark: [u8; 16],
}

impl Cutoff {
    /// The length of [`to_bytes`](Self::to_bytes).
    pub const LEN: usize = 32;

    /// For how long after `until` a store keeps a cut-off, so that a clock set back by less revives nothing.
    pub const SLACK: Duration = Duration::from_secs(60);

    /// A cut-off.
    #[must_use]
    pub const fn new(at: Timestamp, until: Timestamp, mark: [u8; 16]) -> Self {
        Self { at, until, mark }
    }

    /// Whether a login or an elevation of a request that was admitted then has ended before it was settled.
    ///
    /// A request that was admitted by the process that wrote the cut-off is ordered by that process's own
    /// sequence, so a login that arrives once the ending was answered always succeeds. Any other is ordered by
    /// the clocks: one that was admitted at the cut-off's time or earlier has ended.
    #[must_use]
    pub fn ends(&self, admitted: &Admitted) -> bool {
        let (writer, sequence) = self.mark.split_at(8);
        let (process, own) = admitted.mark.split_at(8);
        if writer == process {
            // Big-endian numbers compare as their bytes do.
            own < sequence
        } else {
            admitted.at <= self.at
        }
    }

    /// What a store keeps where `self` was and `newer` comes: the later time of each, and the mark of the
    /// later cut-off, which is `newer` where both are of the same time.
    #[must_use]
    pub fn raised_by(&self, newer: &Self) -> Self {
        let later = if newer.at >= self.at { newer } else { self };
        Self {
            until: self.until.max(newer.until),
            ..*later
        }
    }

    /// The cut-off as bytes: two times in milliseconds, big-endian, and the mark.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[..8].copy_from_slice(&self.at.as_unix_millis().to_be_bytes());
        bytes[8..16].copy_from_slice(&self.until.as_unix_millis().to_be_bytes());
        bytes[16..].copy_from_slice(&self.mark);
        bytes
    }

    /// The cut-off of these bytes; `None` unless they are [`LEN`](Self::LEN) many.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (at, rest) = bytes.split_first_chunk()?;
        let (until, rest) = rest.split_first_chunk()?;
        Some(Self {
            at: Timestamp::from_unix_millis(u64::from_be_bytes(*at)),
            until: Timestamp::from_unix_millis(u64::from_be_bytes(*until)),
            mark: rest.try_into().ok()?,
        })
    }
}

/// When a request was admitted, as cut-offs are compared with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Admitted {
    /// The time of the process that admitted it.
    pub at: Timestamp,
    /// That process, and how many cut-offs it had written by then: 8 bytes each, the number big-endian.
    pub mark: [u8; 16],
}

impl Admitted {
    /// A request that was admitted then.
    #[must_use]
    pub const fn new(at: Timestamp, mark: [u8; 16]) -> Self {
        Self { at, mark }
    }
}

#[cfg(test)]
mod tests {
    use super::{Admitted, Cutoff};
    use crate::session::time::Timestamp;

    fn cutoff(at: u64, until: u64, mark: u8) -> Cutoff {
        let time = Timestamp::from_unix_millis;
        Cutoff::new(time(at), time(until), [mark; 16])
    }

    #[test]
    fn a_cutoff_is_read_back_from_its_bytes() {
        let written = cutoff(1, 2, 3);
        assert_eq!(Cutoff::from_bytes(&written.to_bytes()), Some(written));
        for len in (0..40).filter(|len| *len != Cutoff::LEN) {
            assert_eq!(Cutoff::from_bytes(&vec![0; len]), None, "{len}");
        }
    }

    /// S02: a later cut-off with an earlier end does not shorten the one before it.
    #[test]
    fn a_cutoff_never_falls() {
        let held = cutoff(5, 50, 1);
        assert_eq!(held.raised_by(&cutoff(6, 40, 2)), cutoff(6, 50, 2));
        assert_eq!(held.raised_by(&cutoff(4, 60, 2)), cutoff(5, 60, 1));
        assert_eq!(held.raised_by(&cutoff(5, 50, 2)), cutoff(5, 50, 2));
    }

    /// S05: within a process the order is by sequence, whatever the clock says; else by the clocks.
    #[test]
    fn a_login_under_way_ends_and_one_that_comes_later_does_not() {
        let time = Timestamp::from_unix_millis;
        let mark = |process: u8, sequence: u8| {
            let mut mark = [process; 16];
            mark[8..].copy_from_slice(&u64::from(sequence).to_be_bytes());
            mark
        };
        let cutoff = Cutoff::new(time(10), time(99), mark(1, 3));
        for (at, process, sequence, ends) in [
            (10, 1, 2, true),
            (99, 1, 2, true),
            (10, 1, 3, false),
            (1, 1, 3, false),
            (10, 2, 9, true),
            (9, 2, 9, true),
            (11, 2, 0, false),
        ] {
            let admitted = Admitted::new(time(at), mark(process, sequence));
            assert_eq!(cutoff.ends(&admitted), ends, "{at} {process} {sequence}");
        }
    }
}
