//! [`Tries`]: how often somebody may guess.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tower_session_guard::Timestamp;

/// Counts the tries of each account: of passwords, and of codes.
///
/// After [ten](Self::MAX) that failed, none counts until a [quarter of an hour](Self::PAUSE) after the first one, also a right one.
/// Names without an account are counted too, so the answer tells nothing.
///
/// This is small on purpose. It is in the memory of one process, and whoever knows a name can keep its owner from logging in; who is logged in
/// stays so. A real site counts in its database, and by network as well.
#[derive(Debug, Default)]
pub struct Tries(Mutex<HashMap<String, Failures>>);

#[derive(Debug)]
struct Failures {
    count: u32,
    since: Timestamp,
}

/// No try counts for this long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany(pub Duration);

impl Tries {
    /// How many tries may fail in a row.
    pub const MAX: u32 = 10;
    /// How long after the first of them the next one counts.
    pub const PAUSE: Duration = Duration::from_secs(15 * 60);
    /// Of how many accounts failures are remembered. With more, the oldest is forgotten.
    const ACCOUNTS: usize = 10_000;

    /// Takes down a try before it is known whether it is right, so that many at once are counted too.
    ///
    /// # Errors
    ///
    /// If it does not count.
    pub fn begin(&self, account: &str, now: Timestamp) -> Result<(), TooMany> {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() >= Self::ACCOUNTS && !failures.contains_key(account) {
            let oldest = failures.iter().min_by_key(|(_, one)| one.since);
            if let Some(oldest) = oldest.map(|(account, _)| account.clone()) {
                failures.remove(&oldest);
            }
        }
        let first = Failures {
            count: 0,
            since: now,
        };
        let own = failures.entry(account.to_owned()).or_insert(first);
        let passed = now.since(own.since);
        if passed >= Self::PAUSE {
            (own.count, own.since) = (0, now);
        } else if own.count >= Self::MAX {
            return Err(TooMany(Self::PAUSE - passed));
        }
        own.count += 1;
        Ok(())
    }

    /// Forgets the failures of an account, since a try was right.
    pub fn succeeded(&self, account: &str) {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failures.remove(account);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tower_session_guard::Timestamp;

    use super::{TooMany, Tries};

    const NOON: u64 = 1_800_000_000;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix_seconds(NOON + seconds)
    }

    #[test]
    fn the_eleventh_try_counts_after_a_quarter_of_an_hour() {
        let tries = Tries::default();
        for second in 0..10 {
            assert_eq!(tries.begin("alice", at(second)), Ok(()));
        }
        let left = Duration::from_secs(890);
        assert_eq!(tries.begin("alice", at(10)), Err(TooMany(left)));
        assert_eq!(tries.begin("bob", at(10)), Ok(()));
        assert_eq!(
            tries.begin("alice", at(899)),
            Err(TooMany(Duration::from_secs(1)))
        );
        assert_eq!(tries.begin("alice", at(900)), Ok(()));
    }

    #[test]
    fn a_right_try_forgets_those_before() {
        let tries = Tries::default();
        for second in 0..100 {
            assert_eq!(tries.begin("alice", at(second)), Ok(()));
            if second % 10 == 9 {
                tries.succeeded("alice");
            }
        }
    }

    #[test]
    fn memory_is_bounded() {
        let tries = Tries::default();
        for number in 0..=Tries::ACCOUNTS {
            let passed = u64::try_from(number / 1000).unwrap();
            assert_eq!(tries.begin(&number.to_string(), at(passed)), Ok(()));
        }
        assert_eq!(tries.0.lock().unwrap().len(), Tries::ACCOUNTS);
    }
}
