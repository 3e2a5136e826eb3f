//! [`Endings`]: in which order this process admits requests and ends everything of an owner or a tag.

use std::{
    hash::{BuildHasher, RandomState},
    sync::atomic::{AtomicU64, Ordering::SeqCst},
    time::Duration,
};

use crate::{
    session::{policy::SessionPolicy, time::Timestamp},
    store::{Admitted, Cutoff},
};

/// For how long a store remembers a cut-off: longer than any request is under way. It ends no session that was
/// created; those are removed.
const IN_A_STORE: Duration = Duration::from_secs(24 * 3600);

/// Numbers the cut-offs that a layer and its clones write, so that a request knows which of them came before it.
///
/// A clock may stand still or go back between two requests; this does not.
#[derive(Debug)]
pub(crate) struct Endings {
    /// Tells this process's numbers from those of others.
    process: [u8; 8],
    written: AtomicU64,
}

impl Endings {
    pub(crate) fn new() -> Self {
        Self {
            // Unlike any other's, and no secret.
            process: RandomState::new().hash_one(()).to_be_bytes(),
            written: AtomicU64::new(0),
        }
    }

    /// How many cut-offs there are by now: a request remembers it when it comes.
    pub(crate) fn seen(&self) -> u64 {
        self.written.load(SeqCst)
    }

    /// A request that came at `at`, when there were so many cut-offs.
    pub(crate) fn admitted(&self, at: Timestamp, seen: u64) -> Admitted {
        Admitted::new(at, self.mark(seen))
    }

    /// The next cut-off, at `now`, and its number.
    ///
    /// It is numbered before it is written: a request that comes meanwhile counts as later, and its login survives
    /// or ends as the store happens to see it.
    pub(crate) fn cut_off(&self, now: Timestamp, lasting: Lasting) -> (Cutoff, u64) {
        let number = self.written.fetch_add(1, SeqCst) + 1;
        let until = now.after(match lasting {
            Lasting::RequestsUnderWay => IN_A_STORE,
            Lasting::Tokens => SessionPolicy::MAX_ABSOLUTE,
        });
        (Cutoff::new(now, until, self.mark(number)), number)
    }

    fn mark(&self, number: u64) -> [u8; 16] {
        let mut mark = [0; 16];
        mark[..8].copy_from_slice(&self.process);
        mark[8..].copy_from_slice(&number.to_be_bytes());
        mark
    }
}

/// What a cut-off has to outlive.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lasting {
    /// The logins that are under way: the sessions that are there are removed.
    RequestsUnderWay,
    /// Every token that it ends, whoever issued it and under whichever policy (S02).
    Tokens,
}

#[cfg(test)]
mod tests {
    use super::{Endings, Lasting};
    use crate::session::{policy::SessionPolicy, time::Timestamp};

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_000_000);

    /// S05: while the clock stands, and also if it goes back.
    #[test]
    fn a_request_is_ordered_by_what_it_saw_when_it_came() {
        let endings = Endings::new();
        let before = endings.seen();
        let (cutoff, number) = endings.cut_off(NOW, Lasting::RequestsUnderWay);
        let after = endings.seen();
        assert_eq!(after, number);
        let earlier = Timestamp::from_unix_seconds(999_000);
        for at in [NOW, earlier] {
            assert!(cutoff.ends(&endings.admitted(at, before)));
            assert!(!cutoff.ends(&endings.admitted(at, after)));
        }
        // Another process is told by the clock.
        let other = Endings::new();
        assert!(cutoff.ends(&other.admitted(NOW, 99)));
    }

    /// S02: longer than any policy lets a token live.
    #[test]
    fn a_cutoff_of_tokens_outlives_every_policy() {
        let (cutoff, _) = Endings::new().cut_off(NOW, Lasting::Tokens);
        assert!(cutoff.until >= NOW.after(SessionPolicy::MAX_ABSOLUTE));
    }
}
