//! [`Schedule`]: when a provider is asked for its keys, and for how long they count.

use std::time::Duration;

use tower_session_guard::Timestamp;

/// When a provider is asked for its keys, and for how long they count.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    /// How old keys get before they are asked for again.
    pub(super) fresh_for: Duration,
    /// How old keys get before they no longer count, if the provider does not answer.
    pub(super) usable_for: Duration,
    /// The provider is asked at most once in this time.
    pub(super) interval: Duration,
}

impl Schedule {
    pub(super) fn is_fresh(&self, asked_at: Timestamp, now: Timestamp) -> bool {
        age(asked_at, now).is_some_and(|age| age < self.fresh_for)
    }

    pub(super) fn is_usable(&self, asked_at: Timestamp, now: Timestamp) -> bool {
        age(asked_at, now).is_some_and(|age| age < self.usable_for)
    }

    /// How long it takes until the provider may be asked again; none if it may be now.
    pub(super) fn wait(&self, last: Option<Timestamp>, now: Timestamp) -> Option<Duration> {
        let left = self.interval.checked_sub(age(last?, now)?)?;
        (!left.is_zero()).then_some(left)
    }
}

/// How long ago `then` was; none if the clock was set back since, and nobody knows.
fn age(then: Timestamp, now: Timestamp) -> Option<Duration> {
    (then <= now).then(|| now.since(then))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tower_session_guard::Timestamp;

    use super::Schedule;

    const SCHEDULE: Schedule = Schedule {
        fresh_for: Duration::from_secs(600),
        usable_for: Duration::from_secs(86_400),
        interval: Duration::from_secs(30),
    };

    /// R57: rows of when keys were asked for, the time, and what follows.
    #[test]
    fn keys_get_old_and_the_provider_is_asked_in_bounds() {
        for (asked, now, fresh, usable, wait) in [
            (1000, 1000, true, true, 30),
            (1000, 1029, true, true, 1),
            (1000, 1030, true, true, 0),
            (1000, 1599, true, true, 0),
            (1000, 1600, false, true, 0),
            (1000, 87_399, false, true, 0),
            (1000, 87_400, false, false, 0),
            // The clock was set back: the keys count as old, and the provider may be asked.
            (1000, 999, false, false, 0),
        ] {
            let [asked, now] = [asked, now].map(Timestamp::from_unix_seconds);
            assert_eq!(SCHEDULE.is_fresh(asked, now), fresh, "{asked:?} {now:?}");
            assert_eq!(SCHEDULE.is_usable(asked, now), usable, "{asked:?} {now:?}");
            let waits = SCHEDULE.wait(Some(asked), now).unwrap_or_default();
            assert_eq!(waits, Duration::from_secs(wait), "{asked:?} {now:?}");
        }
        assert_eq!(SCHEDULE.wait(None, Timestamp::default()), None);
    }
}
