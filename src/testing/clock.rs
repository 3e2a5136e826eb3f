//! [`ManualClock`]: time that moves only when it is told to.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::session::time::{Clock, Timestamp};

/// A clock that stands still until it is moved.
///
/// Clones are the same clock.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tower_session_guard::{Clock, KeyRing, SessionLayer, Timestamp, testing::ManualClock};
///
/// let clock = ManualClock::starting_at(Timestamp::from_unix_seconds(1_800_000_000));
/// let sessions = SessionLayer::new(KeyRing::generate()?).with_clock(clock.clone());
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(clock.now().as_unix_seconds(), 1_800_000_060);
/// # let _ = sessions;
/// # Ok::<(), tower_session_guard::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct ManualClock(Arc<AtomicU64>);

impl ManualClock {
    /// A clock that stands at `now`.
    #[must_use]
    pub fn starting_at(now: Timestamp) -> Self {
        Self(Arc::new(AtomicU64::new(now.as_unix_millis())))
    }

    /// Moves the clock forward and tells its new time.
    pub fn advance(&self, by: Duration) -> Timestamp {
        let millis = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        let before = self.0.fetch_add(millis, Ordering::SeqCst);
        Timestamp::from_unix_millis(before.wrapping_add(millis))
    }

    /// Sets the clock, backwards too.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.as_unix_millis(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_millis(self.0.load(Ordering::SeqCst))
    }
}
