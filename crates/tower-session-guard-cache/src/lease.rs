//! [`EpochLease`]: until when what an epoch holds may be trusted.

use std::{
    sync::atomic::{
        AtomicU64,
        Ordering::{AcqRel, Acquire},
    },
    time::Duration,
};

use crate::clock::Moment;

/// The epoch has ended. Every moment is later.
const ENDED: u64 = 0;

/// No fence was answered yet. No moment is earlier.
const UNPROVED: u64 = 1;

/// Until when the copies of one epoch may be trusted.
///
/// It is extended from the moment at which a fence was *sent*: a change of that moment or before it has been applied
/// once the fence is answered, one that came later has perhaps not. An epoch that has ended never lives again.
#[derive(Debug)]
pub(crate) struct EpochLease {
    time: Duration,
    live_until: AtomicU64,
}

/// A fence that was sent, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SentFence(Moment);

/// Until when copies may be trusted that are looked up after this was read.
///
/// Read first, then look up, then compare with a clock that is read last: the copy was true when the fence was sent, and
/// whatever came later is acknowledged only once `live_until` is over, however long this thread stood still in between.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trusted(u64);

/// As it is: for the checked model.
#[cfg(test)]
impl Clone for EpochLease {
    fn clone(&self) -> Self {
        Self {
            time: self.time,
            live_until: AtomicU64::new(self.trusted().0),
        }
    }
}

impl EpochLease {
    pub(crate) const fn new(time: Duration) -> Self {
        Self {
            time,
            live_until: AtomicU64::new(UNPROVED),
        }
    }

    /// A fence is sent now: ask for this before it is.
    pub(crate) const fn sending(now: Moment) -> SentFence {
        SentFence(now)
    }

    /// A fence was answered, and everything before it applied. False if the epoch has ended.
    pub(crate) fn answered(&self, SentFence(sent): SentFence) -> bool {
        let until = sent.after(self.time).get();
        let later = |before| (before != ENDED).then(|| until.max(before));
        self.live_until.fetch_update(AcqRel, Acquire, later).is_ok()
    }

    /// The epoch has ended.
    pub(crate) fn end(&self) {
        self.live_until.swap(ENDED, AcqRel);
    }

    #[inline]
    pub(crate) fn trusted(&self) -> Trusted {
        Trusted(self.live_until.load(Acquire))
    }

    #[inline]
    pub(crate) fn is_live(&self, now: Moment) -> bool {
        self.trusted().holds(now)
    }

    /// For how much longer copies may be trusted; zero if they may not.
    pub(crate) fn left(&self, now: Moment) -> Duration {
        let until = self.trusted().0;
        Duration::from_nanos(until.saturating_sub(now.get()))
    }
}

impl Trusted {
    #[inline]
    pub(crate) const fn holds(self, now: Moment) -> bool {
        now.get() < self.0
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::EpochLease;
    use crate::clock::Moment;

    const LEASE: Duration = Duration::from_millis(300);

    fn at(millis: u64) -> Moment {
        Moment::at(Duration::from_millis(millis))
    }

    #[test]
    fn a_lease_begins_with_its_first_answer_and_counts_from_when_the_fence_was_sent() {
        let lease = EpochLease::new(LEASE);
        assert!(!lease.is_live(at(0)));
        let sent = EpochLease::sending(at(100));
        assert!(!lease.is_live(at(100)));
        assert!(lease.answered(sent));
        assert!(lease.is_live(at(399)));
        assert!(!lease.is_live(at(400)));
        assert_eq!(lease.left(at(390)), Duration::from_millis(10));
        assert_eq!(lease.left(at(500)), Duration::ZERO);
    }

    #[test]
    fn an_answer_that_comes_late_shortens_nothing() {
        let lease = EpochLease::new(LEASE);
        let [first, second] = [at(100), at(200)].map(EpochLease::sending);
        assert!(lease.answered(second));
        assert!(lease.answered(first));
        assert!(lease.is_live(at(499)));
    }

    #[test]
    fn a_lease_that_ran_out_is_revived_and_an_epoch_that_ended_is_not() {
        let lease = EpochLease::new(LEASE);
        assert!(lease.answered(EpochLease::sending(at(100))));
        assert!(!lease.is_live(at(1000)));
        assert!(lease.answered(EpochLease::sending(at(1000))));
        assert!(lease.is_live(at(1000)));
        lease.end();
        assert!(!lease.is_live(at(1000)));
        assert!(!lease.answered(EpochLease::sending(at(1001))));
        assert!(!lease.is_live(at(1001)));
        assert!(!lease.is_live(at(0)));
    }

    #[test]
    fn what_was_trusted_when_it_was_looked_up_is_not_trusted_for_longer() {
        let lease = EpochLease::new(LEASE);
        assert!(lease.answered(EpochLease::sending(at(100))));
        let trusted = lease.trusted();
        assert!(lease.answered(EpochLease::sending(at(390))));
        assert!(trusted.holds(at(399)));
        assert!(!trusted.holds(at(400)));
    }
}
