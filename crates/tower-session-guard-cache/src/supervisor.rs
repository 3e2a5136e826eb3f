//! The one task of a cache: it opens the feed, listens to it, sends fences, and begins anew.

use std::{
    future::poll_fn,
    hash::{BuildHasher, RandomState},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use tokio::time::{Instant, sleep, timeout, timeout_at};
use tower_session_guard::store::{StoreError, StoreErrorKind, StoreFuture, feed::Feed};
use tracing::{info, warn};

use crate::epoch::{Epoch, Epochs, Held};

/// How long the opening of a feed may take. Its store has a time limit of its own, for each command.
const OPEN_LIMIT: Duration = Duration::from_secs(30);

/// How long a fence may take. Its store has a time limit of its own.
const FENCE_LIMIT: Duration = Duration::from_secs(10);

/// The pauses before a feed is opened again: the first, which doubles up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(25);
const LAST_PAUSE: Duration = Duration::from_secs(1);

/// The pause if the server, as it is set up, cannot tell of changes.
const PAUSE_IF_UNSUPPORTED: Duration = Duration::from_secs(10);

/// An epoch that lasted so long was a good one: the pauses begin anew.
const LASTING: Duration = Duration::from_secs(1);

/// A lease that runs out again and again is told of so often.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// Those who had to ask past the feed ask again so often while its lease does not live.
const CALL_BACK_EVERY: Duration = Duration::from_secs(1);

/// Opens a feed, each time with something new and empty for it to keep up to date.
pub(crate) trait Open<H>: Send + Sync + 'static {
    fn open(&self) -> StoreFuture<'_, (Box<dyn Feed>, H)>;
}

/// Keeps an epoch going for as long as the task runs.
pub(crate) async fn supervise<H>(epochs: Arc<Epochs<H>>, open: impl Open<H>)
where
    H: Held,
{
    let mut supervisor = Supervisor {
        epochs,
        is_lapsed: false,
        told_at: None,
        called_back_at: Instant::now(),
    };
    let (mut failures, mut is_told) = (0, false);
    loop {
        let opening = timeout(OPEN_LIMIT, open.open()).await;
        let (began, error) = match opening.unwrap_or_else(|_| Err(late())) {
            Ok((feed, held)) => {
                is_told = false;
                let began = Instant::now();
                (Some(began), supervisor.run(feed, held).await)
            }
            Err(error) => (None, error),
        };
        if began.is_some_and(|began| began.elapsed() >= LASTING) {
            failures = 0;
        }
        if began.is_none() && !is_told {
            is_told = true;
            warn!(
                ?error,
                "no feed of changes can be opened: nothing is answered from memory"
            );
        }
        sleep(pause(failures, error.kind())).await;
        failures += 1;
    }
}

struct Supervisor<H> {
    epochs: Arc<Epochs<H>>,
    is_lapsed: bool,
    told_at: Option<Instant>,
    called_back_at: Instant,
}

/// Ends an epoch, also if its task is dropped.
struct EndsWith<'a, H: Held>(&'a Epochs<H>, &'a Arc<Epoch<H>>);

impl<H: Held> Drop for EndsWith<'_, H> {
    fn drop(&mut self) {
        self.0.end(self.1);
    }
}

impl<H> Supervisor<H>
where
    H: Held,
{
    /// One epoch, from its first fence until it fails.
    async fn run(&mut self, mut feed: Box<dyn Feed>, held: H) -> StoreError {
        let epochs = Arc::clone(&self.epochs);
        let epoch = Arc::new(Epoch::new(epochs.lease, held));
        let ends = EndsWith(&epochs, &epoch);
        let error = self.last(&mut *feed, &epoch).await;
        drop(ends);
        warn!(
            ?error,
            "the feed of changes ended, and every copy is forgotten"
        );
        error
    }

    async fn last(&mut self, feed: &mut dyn Feed, epoch: &Arc<Epoch<H>>) -> StoreError {
        self.is_lapsed = false;
        let period = self.epochs.lease.time() / 3;
        let mut has_begun = false;
        loop {
            let sent_at = Instant::now();
            if let Err(error) = self.fence(feed, epoch).await {
                return error;
            }
            if !has_begun {
                has_begun = true;
                self.epochs.begin(epoch);
                let lease = self.epochs.lease;
                info!(
                    ?lease,
                    "the feed of changes is open: this node answers from memory"
                );
            }
            if let Err(error) = listen(feed, epoch, sent_at + period).await {
                return error;
            }
        }
    }

    /// Sends a fence, and extends the lease from the moment before that.
    async fn fence(&mut self, feed: &mut dyn Feed, epoch: &Epoch<H>) -> Result<(), StoreError> {
        // Those who ask from here on wait for the next one.
        let asked = epoch.fences.take();
        let left = epoch.lease.left(self.epochs.clock.now());
        let sent = self.epochs.sending();
        let mut fence = pin!(feed.fence());
        match timeout(left, fence.as_mut()).await {
            Ok(answer) => answer?,
            Err(_) => {
                if left > Duration::ZERO {
                    self.lapse();
                }
                let answer = timeout(FENCE_LIMIT, fence).await;
                answer.unwrap_or_else(|_| Err(late()))?;
            }
        }
        if !epoch.lease.answered(sent) {
            return Err(StoreError::unavailable("the epoch has ended"));
        }
        for waiting in asked {
            let _may_have_left = waiting.send(());
        }
        let is_live = epoch.lease.is_live(self.epochs.clock.now());
        if is_live && std::mem::take(&mut self.is_lapsed) {
            info!("the lease of the copies lives again");
        }
        if is_live || self.called_back_at.elapsed() >= CALL_BACK_EVERY {
            self.called_back_at = Instant::now();
            self.epochs.call_back();
        }
        Ok(())
    }

    fn lapse(&mut self) {
        self.is_lapsed = true;
        self.epochs.counters.count_lapse();
        if self.told_at.is_none_or(|told| told.elapsed() >= TOLD_EVERY) {
            self.told_at = Some(Instant::now());
            let lapses = self.epochs.counters.lapses();
            warn!(
                lapses,
                "the lease of the copies ran out: nothing is answered from memory until a fence is answered"
            );
        }
    }
}

/// Listens until the next fence is due, or somebody asks for one.
async fn listen<H>(feed: &mut dyn Feed, epoch: &Epoch<H>, next: Instant) -> Result<(), StoreError> {
    let mut due = pin!(timeout_at(next, epoch.fences.asked()));
    let mut listening = feed.listen();
    poll_fn(|context| {
        if let Poll::Ready(Err(error)) = listening.as_mut().poll(context) {
            return Poll::Ready(Err(error));
        }
        due.as_mut().poll(context).map(|_| Ok(()))
    })
    .await
}

fn late() -> StoreError {
    StoreError::with_source(StoreErrorKind::Timeout, "the feed did not answer in time")
}

/// How long to wait before a feed is opened again: half of it by chance, so that nodes do not come all at once.
fn pause(failures: u32, kind: StoreErrorKind) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1 << failures.min(10));
    let pause = match kind {
        StoreErrorKind::Unsupported => PAUSE_IF_UNSUPPORTED,
        _ => doubled.min(LAST_PAUSE),
    };
    let chance = RandomState::new().hash_one(failures) as f64 / u64::MAX as f64;
    pause.mul_f64(0.5 + chance / 2.0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tower_session_guard::store::StoreErrorKind;

    use super::pause;

    #[test]
    fn pauses_grow_up_to_a_second_and_differ() {
        for (failures, most) in [(0, 25), (1, 50), (5, 800), (6, 1000), (u32::MAX, 1000)] {
            let most = Duration::from_millis(most);
            let pauses = [(); 8].map(|()| pause(failures, StoreErrorKind::Unavailable));
            assert!(
                pauses.iter().all(|pause| (most / 2..=most).contains(pause)),
                "{pauses:?}"
            );
            assert!(pauses.iter().any(|pause| *pause != pauses[0]));
        }
        assert!(pause(0, StoreErrorKind::Unsupported) >= Duration::from_secs(5));
    }
}
