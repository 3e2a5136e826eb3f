//! [`Waiters`]: who waits for a session to change.

use std::{
    collections::HashMap,
    fmt,
    future::{Future, poll_fn},
    hash::{BuildHasher, RandomState},
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::Poll,
    time::Duration,
};

use tokio::{
    sync::{Notify, watch},
    time::{Instant, timeout_at},
};
use tower_session_guard::{SessionId, store::Changed};

/// For each who waits, those who are woken in turn have so much more time to ask the store: it would else have as many
/// questions at once, of every node, when its connections break or it comes back.
const SPREAD_EACH: Duration = Duration::from_micros(500);

/// The most time.
const LONGEST_SPREAD: Duration = Duration::from_secs(5);

/// Below this they are woken at once: timers are no finer.
const SHORTEST_SPREAD: Duration = Duration::from_millis(1);

/// Who waits for a session to change. It costs one load of a number where something changes and nobody waits.
#[derive(Default)]
pub(crate) struct Waiters {
    waiting: AtomicUsize,
    by_id: Mutex<HashMap<SessionId, Group>>,
    all: watch::Sender<Woken>,
}

/// How everybody was woken.
#[derive(Clone, Copy, Default)]
struct Woken {
    /// How often at once.
    at_once: u64,
    /// Within what time the last time.
    within: Duration,
}

/// Those who wait for one session.
struct Group {
    notify: Arc<Notify>,
    members: usize,
}

/// One of them, who leaves when it is dropped.
struct Member {
    waiters: Arc<Waiters>,
    id: SessionId,
    notify: Arc<Notify>,
}

impl Waiters {
    /// A future that is ready once the session is woken after this call.
    pub(crate) fn changed(self: &Arc<Self>, id: &SessionId) -> Changed {
        let member = self.join(id);
        // Told of what comes from now on, polled or not.
        let told = Arc::clone(&member.notify).notified_owned();
        let mut all = self.all.subscribe();
        let before = all.borrow_and_update().at_once;
        Box::pin(async move {
            let _leaves = member;
            let (mut told, mut turn) = (pin!(told), pin!(turn(all, before)));
            poll_fn(|context| match told.as_mut().poll(context) {
                Poll::Ready(()) => Poll::Ready(()),
                Poll::Pending => turn.as_mut().poll(context),
            })
            .await;
        })
    }

    /// Wakes those who wait for a session.
    pub(crate) fn wake(&self, id: &SessionId) {
        if self.is_empty() {
            return;
        }
        let group = self.groups().remove(id);
        if let Some(group) = group {
            self.tell(&group);
        }
    }

    /// Wakes everybody.
    pub(crate) fn wake_all(&self) {
        if !self.is_empty() {
            self.all.send_modify(|woken| {
                woken.at_once += 1;
                woken.within = Duration::ZERO;
            });
        }
    }

    /// Wakes everybody, each at a moment by chance if they are many. Until then they are woken by the others.
    pub(crate) fn wake_all_in_turn(&self) {
        let waiting = self.waiting.load(SeqCst);
        if waiting > 0 {
            self.all.send_modify(|woken| woken.within = spread(waiting));
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.load(SeqCst) == 0
    }

    fn tell(&self, group: &Group) {
        self.waiting.fetch_sub(group.members, SeqCst);
        group.notify.notify_waiters();
    }

    fn join(self: &Arc<Self>, id: &SessionId) -> Member {
        let mut groups = self.groups();
        let group = groups.entry(*id).or_insert_with(|| Group {
            notify: Arc::default(),
            members: 0,
        });
        group.members += 1;
        self.waiting.fetch_add(1, SeqCst);
        Member {
            waiters: Arc::clone(self),
            id: *id,
            notify: Arc::clone(&group.notify),
        }
    }

    fn groups(&self) -> MutexGuard<'_, HashMap<SessionId, Group>> {
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits until everybody is woken, and then for its own moment. To be woken again puts that off no further.
async fn turn(mut all: watch::Receiver<Woken>, before: u64) {
    let mut moment = None;
    loop {
        let woken = all.changed();
        match moment {
            Some(moment) => match timeout_at(moment, woken).await {
                Ok(_) => {}
                Err(_) => return,
            },
            // The sender lives as long as a member.
            None => _ = woken.await,
        }
        let Woken { at_once, within } = *all.borrow_and_update();
        if at_once != before || within < SHORTEST_SPREAD {
            return;
        }
        moment.get_or_insert_with(|| Instant::now() + by_chance(within));
    }
}

/// Within what time so many are woken.
fn spread(waiting: usize) -> Duration {
    let waiting = u32::try_from(waiting).unwrap_or(u32::MAX);
    SPREAD_EACH.saturating_mul(waiting).min(LONGEST_SPREAD)
}

fn by_chance(most: Duration) -> Duration {
    most.mul_f64(RandomState::new().hash_one(()) as f64 / u64::MAX as f64)
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut groups = self.waiters.groups();
        // A group that was told has left already, and another may have come in its place.
        let Some(group) = groups.get_mut(&self.id) else {
            return;
        };
        if !Arc::ptr_eq(&group.notify, &self.notify) {
            return;
        }
        self.waiters.waiting.fetch_sub(1, SeqCst);
        group.members -= 1;
        if group.members == 0 {
            groups.remove(&self.id);
        }
    }
}

impl fmt::Debug for Waiters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiters")
            .field("waiting", &self.waiting)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::Arc,
        task::{Context, Poll, Waker},
        time::Duration,
    };

    use tokio::{task::JoinSet, time::Instant};
    use tower_session_guard::{SessionId, store::Changed};

    use super::{LONGEST_SPREAD, Waiters, spread};

    const A: SessionId = SessionId::from_bytes([1; 16]);
    const B: SessionId = SessionId::from_bytes([2; 16]);

    fn is_ready(changed: &mut Changed) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        changed.as_mut().poll(&mut context) == Poll::Ready(())
    }

    #[test]
    fn whoever_waits_for_a_session_is_told_polled_or_not() {
        let waiters = Arc::new(Waiters::default());
        let (mut polled, mut unpolled) = (waiters.changed(&A), waiters.changed(&A));
        let mut other = waiters.changed(&B);
        assert!(!is_ready(&mut polled));
        waiters.wake(&A);
        assert!(is_ready(&mut polled) && is_ready(&mut unpolled));
        assert!(!is_ready(&mut other));
        waiters.wake_all();
        assert!(is_ready(&mut other));
        let mut later = waiters.changed(&A);
        assert!(!is_ready(&mut later));
    }

    #[test]
    fn those_who_leave_leave_nothing() {
        let waiters = Arc::new(Waiters::default());
        let first = waiters.changed(&A);
        let mut second = waiters.changed(&A);
        drop(first);
        assert!(!waiters.is_empty());
        waiters.wake(&A);
        assert!(is_ready(&mut second));
        let third = waiters.changed(&A);
        drop(second);
        assert!(!waiters.is_empty());
        drop(third);
        assert!(waiters.is_empty() && waiters.groups().is_empty());
        drop(waiters.changed(&B));
        assert!(waiters.is_empty() && waiters.groups().is_empty());
    }

    /// Ten thousand who wait ask the store within five seconds, not all at once.
    #[tokio::test(start_paused = true)]
    async fn many_who_are_woken_together_ask_one_after_the_other() {
        const MANY: usize = 10_000;
        let waiters = Arc::new(Waiters::default());
        let mut all = JoinSet::new();
        for number in 0..MANY {
            let mut bytes = [3; SessionId::LEN];
            bytes[..8].copy_from_slice(&(number as u64).to_be_bytes());
            let changed = waiters.changed(&SessionId::from_bytes(bytes));
            all.spawn(async move {
                let began = Instant::now();
                changed.await;
                began.elapsed()
            });
        }
        waiters.wake_all_in_turn();
        waiters.wake_all_in_turn();
        let mut seconds = [0; 5];
        for after in all.join_all().await {
            seconds[after.as_secs().min(4) as usize] += 1;
            assert!(after <= LONGEST_SPREAD + Duration::from_millis(2));
        }
        // Within ten standard deviations.
        let even = |count: &usize| count.abs_diff(MANY / 5) <= 400;
        assert!(seconds.iter().all(even), "{seconds:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_of_its_session_wakes_one_whose_turn_has_not_come() {
        let waiters = Arc::new(Waiters::default());
        let _others: Vec<_> = (0..2_000).map(|_| waiters.changed(&B)).collect();
        let mut changed: Vec<_> = (0..10).map(|_| waiters.changed(&A)).collect();
        waiters.wake_all_in_turn();
        changed.retain_mut(|changed| !is_ready(changed));
        assert!(changed.len() > 5);
        waiters.wake(&A);
        assert!(changed.iter_mut().all(is_ready));
    }

    #[tokio::test(start_paused = true)]
    async fn everybody_can_be_woken_at_once_before_and_after_their_turns_are_given() {
        let waiters = Arc::new(Waiters::default());
        let _others: Vec<_> = (0..2_000).map(|_| waiters.changed(&B)).collect();
        let mut unpolled = waiters.changed(&A);
        let mut polled: Vec<_> = (0..10).map(|_| waiters.changed(&A)).collect();
        waiters.wake_all_in_turn();
        polled.retain_mut(|changed| !is_ready(changed));
        assert!(polled.len() > 5);
        waiters.wake_all();
        waiters.wake_all_in_turn();
        assert!(is_ready(&mut unpolled) && polled.iter_mut().all(is_ready));
    }

    #[test]
    fn few_are_woken_at_once_and_none_waits_for_long() {
        assert_eq!(spread(1), Duration::from_micros(500));
        assert_eq!(spread(1_000), Duration::from_millis(500));
        assert_eq!(spread(usize::MAX), LONGEST_SPREAD);
    }
}
