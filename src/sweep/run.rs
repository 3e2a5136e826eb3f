//! [`Run`]: the loop of a sweeper.

use std::{future::poll_fn, pin::pin, sync::Arc, task::Poll, time::Duration};

use rand::{TryRng, rngs::SysRng};
use tokio::{
    sync::watch,
    task::yield_now,
    time::{Instant, sleep, timeout},
};
use tracing::{info, warn};

use super::{pace::Pace, stats::SweepStats};
use crate::{
    session::time::{CLOCK_ALLOWANCE, Clock, Timestamp},
    store::{StoreError, Sweep, time_limit::within},
};

/// How long a batch may take. A store has a shorter limit, if it has one.
const BATCH_LIMIT: Duration = Duration::from_secs(10);

pub(super) struct Run {
    pub(super) store: Arc<dyn Sweep>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) batch: u32,
    pub(super) pace: Pace,
    pub(super) stats: SweepStats,
    pub(super) stopped: watch::Receiver<bool>,
}

impl Run {
    pub(super) async fn until_stopped(mut self) {
        let mut pause = self.pace.first(chance());
        let mut failures = 0_u32;
        while self.rest(pause).await {
            let swept = self.sweep().await;
            match &swept {
                Ok(()) if failures > 0 => info!(
                    target: "tower_session_guard",
                    failures,
                    "expired sessions are swept again"
                ),
                Ok(()) => {}
                Err(error) if failures == 0 => warn!(
                    target: "tower_session_guard",
                    ?error,
                    "expired sessions cannot be swept: they stay invisible, and their rows stay until the store works \
                     again; if it timed out, set a smaller batch (Sweeper::with_batch)"
                ),
                Err(_) => {}
            }
            failures = match swept {
                Ok(()) => 0,
                Err(_) => failures.saturating_add(1),
            };
            pause = self.pace.next(failures, chance());
        }
    }

    /// Waits so long, and says whether to go on.
    async fn rest(&mut self, time: Duration) -> bool {
        let reached = self.clock.reached(self.clock.now().after(time));
        let mut reached = reached.unwrap_or_else(|| Box::pin(sleep(time)));
        let mut stopped = pin!(self.stopped.wait_for(|stopped| *stopped));
        poll_fn(|cx| {
            if stopped.as_mut().poll(cx).is_ready() {
                return Poll::Ready(false);
            }
            reached.as_mut().poll(cx).map(|()| true)
        })
        .await
    }

    /// Deletes what is over, until nothing is left or it is stopped.
    async fn sweep(&mut self) -> Result<(), StoreError> {
        let until = Self::surely_over(self.clock.now());
        loop {
            let began = Instant::now();
            let batch = within(BATCH_LIMIT, self.store.sweep(until, self.batch)).await;
            let deleted = batch.inspect_err(|_| self.stats.count_failed())?;
            self.stats.count_deleted(deleted);
            if deleted < u64::from(self.batch) {
                self.stats.count_completed();
                return Ok(());
            }
            yield_now().await;
            let stopped = self.stopped.wait_for(|stopped| *stopped);
            if timeout(began.elapsed(), stopped).await.is_ok() {
                return Ok(());
            }
        }
    }

    /// What is over by then is over on every node.
    fn surely_over(now: Timestamp) -> Timestamp {
        let allowance = u64::try_from(CLOCK_ALLOWANCE.as_millis()).unwrap_or(u64::MAX);
        Timestamp::from_unix_millis(now.as_unix_millis().saturating_sub(allowance))
    }
}

/// A number from 0 to 1. Without random bytes nodes may sweep together, which does no harm.
fn chance() -> f64 {
    let drawn = SysRng.try_next_u32().unwrap_or(u32::MAX / 2);
    f64::from(drawn) / f64::from(u32::MAX)
}
