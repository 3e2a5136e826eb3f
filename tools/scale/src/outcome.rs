//! [`Outcome`]: what was counted.

use std::time::Duration;

use crate::{SECOND, Time, setup::Setup};

/// Requests are looked at together that begin in one such time.
const WINDOW: Time = SECOND / 4;

/// A request that failed.
const FAILED: u32 = u32::MAX;

/// What was counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Fences that the primary was sent.
    pub fences: u64,
    /// Reads over the feed, which fill a copy.
    pub fills: u64,
    /// Reads past the feed.
    pub reads_past: u64,
    /// Writes of the sessions' last use.
    pub touches: u64,
    /// Requests that a copy answered, touches included.
    pub hits: u64,
    /// Requests that were answered or failed.
    pub requests: u64,
    /// Questions of those who wait for a session's end.
    pub questions: u64,
    /// Feeds that were opened.
    pub epochs: u64,
    /// Leases that ran out though their epoch went on.
    pub lapses: u64,
    /// For how long they had run out, in all.
    pub lapsed: Duration,
    /// Logins of clients that were still there.
    pub logins: u64,
    /// Passwords that were hashed for a client that was gone.
    pub hashed_in_vain: u64,
    /// When the last user was served who had failed or was logged out.
    pub all_served_at: Duration,
    /// How many were not by the end.
    pub unserved: u64,
    /// By the window in which they began, in microseconds.
    latencies: Vec<Vec<u32>>,
}

impl Outcome {
    /// Notes a request, and when it was answered, unless it failed.
    pub(crate) fn request(&mut self, began: Time, answered: Option<Time>) {
        let window = (began / WINDOW) as usize;
        if self.latencies.len() <= window {
            self.latencies.resize_with(window + 1, Vec::new);
        }
        let latency = answered.map_or(FAILED, |at| ((at - began) / 1000) as u32);
        self.latencies[window].push(latency);
        self.requests += 1;
    }

    /// The latency that one of a hundred requests exceeds, of those that begin from one moment until another; `None` if
    /// one of a hundred fails, or none begins.
    pub fn p99(&self, from: Duration, until: Duration) -> Option<Duration> {
        let window = |time: Duration| (time.as_nanos() as Time / WINDOW) as usize;
        let windows = self.latencies.get(window(from)..)?;
        let count = window(until) - window(from);
        let mut all: Vec<_> = windows.iter().take(count).flatten().copied().collect();
        if all.is_empty() {
            return None;
        }
        let place = all.len() * 99 / 100;
        let (_, latency, _) = all.select_nth_unstable(place);
        (*latency != FAILED).then(|| Duration::from_micros((*latency).into()))
    }

    /// After what time since the end of the outage the p99 stays within a bound, in each quarter of a second; `None` if it
    /// does not.
    pub fn within_after(&self, bound: Duration, setup: &Setup) -> Option<Duration> {
        let outage = setup.outage?;
        let end = outage.at + outage.length;
        let window = Duration::from_nanos(WINDOW);
        let (mut since, mut from) = (end, end);
        // What begins last may have no answer yet.
        while from + 2 * setup.time_limit < setup.until {
            let p99 = self.p99(from, from + window);
            from += window;
            if p99.is_none_or(|p99| p99 > bound) {
                since = from;
            }
        }
        (since < from).then(|| since - end)
    }

    /// The worst p99 of a quarter of a second within ten seconds after the outage; `None` if requests fail.
    pub fn worst_p99(&self, setup: &Setup) -> Option<Duration> {
        let outage = setup.outage?;
        let window = Duration::from_nanos(WINDOW);
        let windows = (0..40).map(|number| outage.at + outage.length + window * number);
        let mut worst = Duration::ZERO;
        for from in windows {
            worst = worst.max(self.p99(from, from + window)?);
        }
        Some(worst)
    }
}
