//! [`Follow`]: waits until a session has ended.

use std::{
    future::{self, Future, poll_fn},
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};

use tokio::time::{Instant, sleep};

use super::{
    question::{Answer, Question},
    waiting::Watch,
};
use crate::{
    session::{ended::EndCause, time::Timestamp},
    store::Changed,
};

/// The first pause after a store has failed; it grows up to the policy's interval.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// How long a wait for a clock sleeps at a time: while a machine is suspended its timers may stand still, and clocks are
/// set.
const LONGEST_NAP: Duration = Duration::from_secs(15);

/// The least time between two questions, should a store tell of changes without end.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);

/// A wait for the end of a session.
pub(crate) struct Follow {
    /// Boxed, since a future that waits holds it more than once.
    question: Box<Question>,
    watch: Watch,
    /// When the session ends unless it is used, by the last answer.
    limit: Timestamp,
}

impl Follow {
    pub(crate) fn new(question: Question, watch: Watch) -> Self {
        Self {
            limit: question.first_limit(),
            question: Box::new(question),
            watch,
        }
    }

    /// Waits until the session has ended.
    ///
    /// It asks at once, since the session may have ended between its request's admission and the begin of the wait; then
    /// whenever something may have happened.
    pub(crate) async fn end(mut self) -> EndCause {
        let interval = self.question.policy.recheck_interval();
        let mut pause = FIRST_PAUSE;
        loop {
            if let Some(cause) = self.watch.over() {
                return cause;
            }
            let asked_at = Instant::now();
            // Before the question: a change after its answer is not missed.
            let changed = self.question.changed();
            let seen = self.watch.seen();
            let asking = async { Some(self.question.ask(seen).await) };
            let woken = async {
                self.watch.woken().await;
                None
            };
            let Some(answer) = race(pin!(woken), pin!(asking)).await else {
                continue;
            };
            let next = match answer {
                Ok(Answer::Lives { until }) => {
                    self.limit = until;
                    pause = FIRST_PAUSE;
                    interval
                }
                Ok(Answer::Over(known)) => return self.cause(known),
                // A store that fails must not keep a connection open whose session may be over.
                Err(_) if self.limit_is_reached() => return EndCause::Expired,
                Err(_) => {
                    let next = pause.min(interval);
                    pause = (pause * 2).min(interval);
                    next
                }
            };
            self.rest(changed, asked_at, next).await;
        }
    }

    /// Why the session ended that turned out to be gone.
    fn cause(&self, known: Option<EndCause>) -> EndCause {
        let own = self.watch.over().or(known).or(self.watch.likely());
        own.unwrap_or(if self.limit_is_reached() {
            EndCause::Expired
        } else {
            EndCause::Ended
        })
    }

    fn limit_is_reached(&self) -> bool {
        self.question.clock.now() >= self.limit
    }

    /// Waits until the session may have ended, or `most` after the last question.
    async fn rest(&mut self, changed: Option<Changed>, asked_at: Instant, most: Duration) {
        let mut changed = pin!(async {
            match changed {
                Some(changed) => changed.await,
                None => future::pending().await,
            }
            tokio::time::sleep_until(asked_at + SHORTEST_PAUSE).await;
            true
        });
        let deadline = asked_at + most;
        loop {
            let (now, clock) = (self.question.clock.now(), &self.question.clock);
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || now >= self.limit {
                return;
            }
            let reached = clock.reached(self.limit);
            let nap = match reached {
                Some(_) => left,
                None => left.min(self.limit.since(now)).min(LONGEST_NAP),
            };
            let time = async {
                let reached = async {
                    match reached {
                        Some(reached) => reached.await,
                        None => future::pending().await,
                    }
                };
                race(pin!(reached), pin!(sleep(nap))).await;
                false
            };
            let woken = async {
                self.watch.woken().await;
                true
            };
            let (woken, time) = (pin!(woken), pin!(time));
            if race(woken, pin!(race(changed.as_mut(), time))).await {
                return;
            }
        }
    }
}

/// What the first of two futures says. They stay where they are: moved in, each would take room twice.
fn race<'a, T>(
    mut one: Pin<&'a mut impl Future<Output = T>>,
    mut other: Pin<&'a mut impl Future<Output = T>>,
) -> impl Future<Output = T> + 'a {
    poll_fn(move |cx| match one.as_mut().poll(cx) {
        Poll::Ready(first) => Poll::Ready(first),
        Poll::Pending => other.as_mut().poll(cx),
    })
}
