//! [`Pace`]: how long a sweeper waits.

use std::time::Duration;

/// Decides how long to wait, by a chance from 0 to 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub(super) interval: Duration,
}

impl Pace {
    /// The longest pause while a store fails, unless the interval is longer.
    const LONGEST: Duration = Duration::from_secs(60 * 60);

    /// The wait before the first sweep.
    pub(super) fn first(self, chance: f64) -> Duration {
        self.interval.mul_f64(chance)
    }

    /// The wait after a sweep, the latest of so many that failed in a row.
    pub(super) fn next(self, failures: u32, chance: f64) -> Duration {
        let factor = 1 << failures.saturating_sub(1).min(12);
        let longest = Self::LONGEST.max(self.interval);
        let pause = self.interval.saturating_mul(factor).min(longest);
        pause + pause.mul_f64(chance / 10.0)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Pace;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn the_first_sweep_comes_within_an_interval() {
        let pace = Pace { interval: MINUTE };
        for (chance, seconds) in [(0.0, 0), (0.25, 15), (1.0, 60)] {
            assert_eq!(pace.first(chance), Duration::from_secs(seconds));
        }
    }

    #[test]
    fn no_sweep_comes_sooner_than_an_interval_after_the_one_before() {
        for interval in [1, 60, 86_400].map(Duration::from_secs) {
            for failures in (0..40).chain([u32::MAX]) {
                let pace = Pace { interval };
                assert!(pace.next(failures, 0.0) >= interval, "{failures}");
                assert!(pace.next(failures, 1.0) > pace.next(failures, 0.0));
            }
        }
    }

    #[test]
    fn pauses_double_from_the_second_failure_up_to_an_hour_or_the_interval() {
        let pace = Pace { interval: MINUTE };
        for (failures, minutes) in [(0, 1), (1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (99, 60)] {
            assert_eq!(pace.next(failures, 0.0), MINUTE * minutes, "{failures}");
            let most = MINUTE * minutes * 11 / 10;
            assert_eq!(pace.next(failures, 1.0), most, "{failures}");
        }
        let seldom = Pace {
            interval: MINUTE * 90,
        };
        assert_eq!(seldom.next(9, 0.0), MINUTE * 90);
        // A short interval grows as far.
        let often = Pace {
            interval: Duration::from_secs(1),
        };
        assert_eq!(often.next(u32::MAX, 0.0), MINUTE * 60);
    }
}
