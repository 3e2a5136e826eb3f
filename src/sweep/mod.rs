//! [`Sweeper`]: sweeps a store for as long as the application wants.

mod pace;
mod run;
mod stats;
mod task;

use std::{sync::Arc, time::Duration};

use self::{pace::Pace, run::Run};
pub use self::{stats::SweepStats, task::SweepTask};
use crate::{
    error::ConfigError, middleware::clock::SystemClock, session::time::Clock, store::Sweep,
};

/// Deletes expired sessions from a store that [does not do so itself](Sweep), from time to time and in batches.
///
/// Nothing runs before [`start`](Self::start), and nothing after the [`SweepTask`] that it returns is stopped or dropped.
///
/// *When.* The first sweep comes at a random moment of the first interval, each further one an interval after the end of
/// the one before, and up to a tenth of that later at random. So nodes that start together do not sweep together, and no
/// sweep is made up for after the machine was suspended. One node may sweep for all, or each for itself.
///
/// *What.* A sweep deletes what was over a minute ago, since the clocks of nodes may lie apart by as much. It deletes batch
/// by batch until nothing is left. After a full batch it pauses for as long as that batch took, so that it takes at most
/// half of what one connection can do.
///
/// *Failures.* A batch that fails, or takes longer than ten seconds, ends its sweep. The pause before the next one doubles
/// from the second failure on, up to an hour or the interval, whichever is longer. The log has one warning when an outage
/// begins and one line when it is over, both under the target `tower_session_guard`. Expired sessions stay invisible all
/// the while.
///
/// # Examples
///
/// ```
/// use tower_session_guard::{ConfigError, Sweeper, store::Sweep};
///
/// async fn serve(store: impl Sweep) -> Result<(), ConfigError> {
///     let sweeping = Sweeper::new(store).with_batch(500)?.start();
///     // … axum::serve(listener, app).with_graceful_shutdown(stopped()).await …
///     sweeping.stop().await;
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug)]
#[must_use = "it sweeps once it is started"]
pub struct Sweeper {
    store: Arc<dyn Sweep>,
    clock: Arc<dyn Clock>,
    interval: Duration,
    batch: u32,
}

impl Sweeper {
    /// The interval unless [`with_interval`](Self::with_interval) sets another: five minutes.
    pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(5 * 60);

    /// The shortest interval: a second.
    pub const MIN_INTERVAL: Duration = Duration::from_secs(1);

    /// The longest interval: a day.
    pub const MAX_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

    /// How many rows a batch deletes at most unless [`with_batch`](Self::with_batch) says otherwise: 1,000.
    pub const DEFAULT_BATCH: u32 = 1000;

    /// The largest batch: 10,000 rows.
    pub const MAX_BATCH: u32 = 10_000;

    /// Sweeps this store: a clone of the one that the layer has.
    pub fn new(store: impl Sweep) -> Self {
        Self {
            store: Arc::new(store),
            clock: Arc::new(SystemClock),
            interval: Self::DEFAULT_INTERVAL,
            batch: Self::DEFAULT_BATCH,
        }
    }

    /// Sets how long it waits between two sweeps.
    ///
    /// # Errors
    ///
    /// If `interval` is shorter than [`MIN_INTERVAL`](Self::MIN_INTERVAL) or longer than
    /// [`MAX_INTERVAL`](Self::MAX_INTERVAL).
    pub fn with_interval(mut self, interval: Duration) -> Result<Self, ConfigError> {
        if !(Self::MIN_INTERVAL..=Self::MAX_INTERVAL).contains(&interval) {
            return Err(ConfigError::Setting {
                name: "interval of sweeps",
                value: format!("{interval:?}"),
                reason: "the store would do nothing else, or fill up meanwhile: choose a second to a day",
            });
        }
        self.interval = interval;
        Ok(self)
    }

    /// Sets how many rows a batch deletes at most. In SQLite other writers wait while it does.
    ///
    /// # Errors
    ///
    /// If `rows` is 0 or more than [`MAX_BATCH`](Self::MAX_BATCH).
    pub fn with_batch(mut self, rows: u32) -> Result<Self, ConfigError> {
        if !(1..=Self::MAX_BATCH).contains(&rows) {
            return Err(ConfigError::Setting {
                name: "batch of a sweep",
                value: rows.to_string(),
                reason: "it would delete nothing, or hold other writers up: choose 1 to 10,000 rows",
            });
        }
        self.batch = rows;
        Ok(self)
    }

    /// Sets the clock by which it sweeps and waits: the layer's, where that is not the system's.
    ///
    /// If the clock tells when it has [reached](Clock::reached) a time, as that of tests does, the pauses are by this
    /// clock, or else by Tokio's.
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Starts a task that sweeps from now on. It sweeps until the answer is stopped or dropped, or its runtime ends.
    ///
    /// # Panics
    ///
    /// If it is called outside a Tokio runtime. In one without a timer the task panics, and nothing is swept.
    pub fn start(self) -> SweepTask {
        let pace = Pace {
            interval: self.interval,
        };
        SweepTask::spawn(|stats, stopped| {
            let run = Run {
                store: self.store,
                clock: self.clock,
                batch: self.batch,
                pace,
                stats,
                stopped,
            };
            run.until_stopped()
        })
    }
}
