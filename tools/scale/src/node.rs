//! [`Node`]: a node's epoch, its lease, and the cores that hash passwords.

use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

use fastrand::Rng;

use crate::{SECOND, Time, setup::Login};

/// The pauses before a feed is opened again, as the cache crate has them.
const FIRST_PAUSE: Time = SECOND / 40;
const LAST_PAUSE: Time = SECOND;

#[derive(Debug)]
pub(crate) struct Node {
    /// Which epoch it is, if one is open.
    pub(crate) epoch: Option<u32>,
    pub(crate) epochs: u32,
    began_at: Time,
    live_until: Time,
    failures: u32,
    /// When each core is free.
    cores: BinaryHeap<Reverse<Time>>,
}

impl Node {
    pub(crate) fn new(cores: usize) -> Self {
        Self {
            epoch: None,
            epochs: 0,
            began_at: 0,
            live_until: 0,
            failures: 0,
            cores: (0..cores).map(|_| Reverse(0)).collect(),
        }
    }

    /// The present epoch, if its lease lives.
    pub(crate) fn live(&self, now: Time) -> Option<u32> {
        self.epoch.filter(|_| now < self.live_until)
    }

    pub(crate) fn begin(&mut self, now: Time) {
        self.epochs += 1;
        self.epoch = Some(self.epochs);
        self.began_at = now;
    }

    /// A fence was answered that was sent then. Tells for how long no lease lived.
    pub(crate) fn fenced(&mut self, sent: Time, lease: Time, now: Time) -> Time {
        let lapsed = now.saturating_sub(self.live_until);
        self.live_until = self.live_until.max(sent + lease);
        lapsed
    }

    /// The epoch has ended, or none could be opened. Tells the pause until the next attempt.
    pub(crate) fn end(&mut self, now: Time, rng: &mut Rng) -> Time {
        if self.epoch.take().is_some() && now - self.began_at >= SECOND {
            self.failures = 0;
        }
        self.live_until = 0;
        let pause = (FIRST_PAUSE << self.failures.min(10)).min(LAST_PAUSE);
        self.failures += 1;
        (pause as f64 * (0.5 + rng.f64() / 2.0)) as Time
    }

    /// When a password is hashed that comes now; `None` if it would have to wait for too long.
    pub(crate) fn hash(&mut self, now: Time, login: &Login) -> Option<Time> {
        let Reverse(free_at) = *self.cores.peek()?;
        let begin = now.max(free_at);
        let wait = Duration::from_nanos(begin - now);
        if login.longest_wait.is_some_and(|longest| wait > longest) {
            return None;
        }
        let done = begin + login.hash.as_nanos() as Time;
        self.cores.pop();
        self.cores.push(Reverse(done));
        Some(done)
    }
}
