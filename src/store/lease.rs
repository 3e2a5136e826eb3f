//! [`Lease`]: for how long a node may answer from its own memory.

use std::time::Duration;

use crate::error::ConfigError;

/// For how long a node may go by its own copy of what a store holds, once it knew that the copy was up to date.
///
/// A node that hears of changes by a [feed](super::feed) holds copies. It proves by a *fence* that it has heard of
/// everything, and trusts its copies for the lease's time from the moment it **sent** the fence. A node that hears
/// nothing, since its connection broke, its process stood still or its server changed, so stops trusting them by
/// itself and asks the store.
///
/// | | [`exact`](Self::exact) | [`bounded`](Self::bounded) |
/// |---|---|---|
/// | an ending is acknowledged | once it holds on every node | at once |
/// | it holds on other nodes | before the acknowledgment | within the lease, as a rule within a millisecond |
/// | what an ending costs | the lease's time, and a few milliseconds | nothing |
///
/// The nodes of one store may have different leases. Endings wait for the longest one if the lease of any node is
/// exact, also on nodes that hold no copies.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tower_session_guard::store::Lease;
///
/// let lease = Lease::exact(Duration::from_millis(250))?;
/// assert!(lease.is_exact());
/// # Ok::<(), tower_session_guard::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    time: Duration,
    is_exact: bool,
}

impl Lease {
    /// The shortest lease: below it, ordinary delays of a network would end it all the time.
    pub const MIN: Duration = Duration::from_millis(100);

    /// The longest lease: above it, an ending would take longer than a user waits for a logout.
    pub const MAX: Duration = Duration::from_secs(5);

    /// A lease under which an ending is acknowledged only once it holds on every node. 250 ms is a good begin.
    ///
    /// # Errors
    ///
    /// If `time` is shorter than [`MIN`](Self::MIN) or longer than [`MAX`](Self::MAX).
    pub fn exact(time: Duration) -> Result<Self, ConfigError> {
        Self::of(time, true)
    }

    /// A lease under which an ending is acknowledged at once and holds on other nodes within `time`. A second is a
    /// good begin.
    ///
    /// # Errors
    ///
    /// If `time` is shorter than [`MIN`](Self::MIN) or longer than [`MAX`](Self::MAX).
    pub fn bounded(time: Duration) -> Result<Self, ConfigError> {
        Self::of(time, false)
    }

    fn of(time: Duration, is_exact: bool) -> Result<Self, ConfigError> {
        if (Self::MIN..=Self::MAX).contains(&time) {
            return Ok(Self { time, is_exact });
        }
        Err(ConfigError::Limit {
            name: "lease",
            reason: "a node cannot hold it, or a logout would take too long: choose 100 milliseconds to 5 seconds",
        })
    }

    /// For how long a copy is trusted from the moment its fence was sent.
    #[must_use]
    pub const fn time(self) -> Duration {
        self.time
    }

    /// Whether endings wait until they hold on every node.
    #[must_use]
    pub const fn is_exact(self) -> bool {
        self.is_exact
    }

    /// The time in whole milliseconds, rounded up: how a store with a [feed](super::feed) writes a lease down.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        // No lease is longer than five seconds.
        self.time.as_nanos().div_ceil(1_000_000) as u64
    }

    /// For how long an ending waits until it holds on every node, where the nodes go by the leases `held`.
    ///
    /// It is for stores with a [feed](super::feed). The store writes the ending, then asks for the leases of its
    /// namespace, and waits from the answer on.
    ///
    /// The wait is the longest lease if any is exact, and a thousandth more, since clocks do not run alike. `None`:
    /// nothing waits. A lease of `None` is one that the store cannot read, as a later release may write. It counts as
    /// the longest exact one.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_session_guard::store::Lease;
    ///
    /// let exact = Lease::exact(Duration::from_millis(250))?;
    /// let bounded = Lease::bounded(Duration::from_secs(1))?;
    ///
    /// assert_eq!(Lease::ending_wait([Some(bounded)]), None);
    /// let wait = Lease::ending_wait([Some(exact), Some(bounded)]);
    /// assert_eq!(wait, Some(Duration::from_millis(1001)));
    /// # Ok::<(), tower_session_guard::ConfigError>(())
    /// ```
    #[must_use]
    pub fn ending_wait(held: impl IntoIterator<Item = Option<Self>>) -> Option<Duration> {
        let (mut longest, mut is_exact) = (Duration::ZERO, false);
        for lease in held {
            let lease = lease.unwrap_or(Self {
                time: Self::MAX,
                is_exact: true,
            });
            longest = longest.max(lease.time);
            is_exact |= lease.is_exact;
        }
        is_exact.then(|| longest + longest / 1000)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Lease;

    #[test]
    fn a_lease_has_100_ms_to_5_s() {
        for (millis, holds) in [
            (0, false),
            (99, false),
            (100, true),
            (5000, true),
            (5001, false),
        ] {
            let time = Duration::from_millis(millis);
            assert_eq!(Lease::exact(time).is_ok(), holds, "{millis}");
            assert_eq!(Lease::bounded(time).is_ok(), holds, "{millis}");
        }
        let millisecond = Duration::from_millis(1);
        assert!(Lease::bounded(Lease::MAX + millisecond / 2).is_err());
    }

    #[test]
    fn a_lease_is_written_down_as_no_shorter_than_it_is() {
        for (micros, millis) in [(250_000, 250), (250_001, 251), (4_999_001, 5000)] {
            let lease = Lease::exact(Duration::from_micros(micros)).unwrap();
            assert_eq!(lease.as_millis(), millis, "{micros}");
        }
    }

    #[test]
    fn an_ending_waits_for_the_longest_lease_and_a_thousandth_if_any_is_exact() {
        let millis = Duration::from_millis;
        let exact = |time| Some(Lease::exact(millis(time)).unwrap());
        let bounded = |time| Some(Lease::bounded(millis(time)).unwrap());
        let wait = |micros| Some(Duration::from_micros(micros));
        for (held, waits) in [
            (&[][..], None),
            (&[bounded(100), bounded(5000)], None),
            (&[exact(250)], wait(250_250)),
            (&[exact(250), bounded(1000), exact(100)], wait(1_001_000)),
            (&[bounded(1000), exact(250)], wait(1_001_000)),
            (&[None], wait(5_005_000)),
            (&[bounded(1000), None], wait(5_005_000)),
        ] {
            assert_eq!(Lease::ending_wait(held.iter().copied()), waits, "{held:?}");
            let reversed = held.iter().rev().copied();
            assert_eq!(Lease::ending_wait(reversed), waits, "{held:?}");
        }
    }
}
