//! [`ManualClock`]: time that moves only when it is told to.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;

use crate::session::time::{Clock, Reached, Timestamp};

/// A clock that stands still until it is moved.
///
/// Clones are the same clock. Moving it wakes what waits for a time that it has [reached](Clock::reached).
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
pub struct ManualClock(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    millis: AtomicU64,
    moved: Notify,
}

impl ManualClock {
    /// A clock that stands at `now`.
    #[must_use]
    pub fn starting_at(now: Timestamp) -> Self {
        Self(Arc::new(Inner {
            millis: AtomicU64::new(now.as_unix_millis()),
            moved: Notify::new(),
        }))
    }

    /// Moves the clock forward and tells its new time.
    pub fn advance(&self, by: Duration) -> Timestamp {
        let millis = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        let before = self.0.millis.fetch_add(millis, Ordering::SeqCst);
        self.0.moved.notify_waiters();
        Timestamp::from_unix_millis(before.wrapping_add(millis))
    }

    /// Sets the clock, backwards too.
    pub fn set(&self, now: Timestamp) {
        self.0.millis.store(now.as_unix_millis(), Ordering::SeqCst);
        self.0.moved.notify_waiters();
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_millis(self.0.millis.load(Ordering::SeqCst))
    }

    fn reached(&self, at: Timestamp) -> Option<Reached> {
        let clock = self.clone();
        Some(Box::pin(async move {
            loop {
                let mut moved = pin!(clock.0.moved.notified());
                // Before the clock is read, so that no move in between is missed.
                moved.as_mut().enable();
                if clock.now() >= at {
                    return;
                }
                moved.await;
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::ManualClock;
    use crate::session::time::{Clock, Timestamp};

    #[tokio::test]
    async fn a_clock_that_is_shared_is_the_same_clock() {
        let clock = ManualClock::starting_at(Timestamp::from_unix_seconds(7));
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let later = clock.now().after(Duration::from_secs(1));
        let reached = Clock::reached(&shared, later).unwrap();
        clock.advance(Duration::from_secs(1));
        reached.await;
        assert_eq!(Clock::now(&shared), later);
    }
}
