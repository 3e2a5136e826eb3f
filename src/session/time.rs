//! [`Timestamp`]: a moment, handed in as a parameter; nothing here reads a clock.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// How far the clocks of two servers may lie apart: what lies further ahead is not believed.
pub(crate) const CLOCK_ALLOWANCE: Duration = Duration::from_secs(60);

/// A moment in milliseconds since the Unix epoch.
///
/// Arithmetic saturates, so that a far future stays a far future.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The moment `millis` milliseconds after the Unix epoch.
    #[must_use]
    pub const fn from_unix_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// The moment `seconds` seconds after the Unix epoch.
    #[must_use]
    pub const fn from_unix_seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_unix_millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down.
    #[must_use]
    pub const fn as_unix_seconds(self) -> u64 {
        self.0 / 1000
    }

    /// This moment `by` later.
    #[must_use]
    pub const fn after(self, by: Duration) -> Self {
        Self(self.0.saturating_add(millis(by)))
    }

    /// How long ago `earlier` was; zero if it lies in the future.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// Tells the time.
///
/// The layer reads it once a request, and once more at a mark; stores are handed what it said.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> Timestamp;

    /// A future that is ready once this clock shows `at` or later; `None`, the default, for a clock that goes by itself.
    ///
    /// A clock that is set by hand wakes with it the connections that wait for their session's end
    /// ([`AuthenticatedSession::ended`](crate::AuthenticatedSession::ended)). For other clocks the layer sleeps, and reads
    /// the clock again.
    fn reached(&self, at: Timestamp) -> Option<Reached> {
        let _ = at;
        None
    }
}

/// The clock behind it: for one that is chosen while the program runs.
impl<C> Clock for Arc<C>
where
    C: Clock + ?Sized,
{
    fn now(&self) -> Timestamp {
        (**self).now()
    }

    fn reached(&self, at: Timestamp) -> Option<Reached> {
        (**self).reached(at)
    }
}

/// What [`Clock::reached`] returns: a boxed future that holds on to nothing of the caller's.
pub type Reached = Pin<Box<dyn Future<Output = ()> + Send>>;

impl From<SystemTime> for Timestamp {
    /// Times before the epoch become the epoch.
    fn from(time: SystemTime) -> Self {
        Self(millis(time.duration_since(UNIX_EPOCH).unwrap_or_default()))
    }
}

impl From<Timestamp> for SystemTime {
    fn from(time: Timestamp) -> Self {
        UNIX_EPOCH
            .checked_add(Duration::from_millis(time.0))
            .unwrap_or(UNIX_EPOCH)
    }
}

/// Whole milliseconds, without the 128 bits in which the standard library counts them.
const fn millis(time: Duration) -> u64 {
    let seconds = time.as_secs().saturating_mul(1000);
    seconds.saturating_add(time.subsec_millis() as u64)
}
