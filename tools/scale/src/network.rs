//! [`Network`]: how long a round trip takes.

use std::time::Duration;

use fastrand::Rng;

use crate::Time;

/// How long a round trip takes, without the wait and the work at the server.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Network {
    /// One round trip of two takes longer. Between the points, and beyond the last, the time grows as a power of how rare
    /// it is.
    pub p50: Duration,
    /// One of a hundred takes longer.
    pub p99: Duration,
    /// One of a thousand takes longer.
    pub p999: Duration,
    /// None takes longer, but where a packet is lost.
    pub longest: Duration,
    /// Which share of the round trips loses a packet.
    pub loss: f64,
    /// After what time that is sent again. It is 200 ms on Linux at least, where nothing else is under way on the
    /// connection.
    pub sent_again_after: Duration,
}

impl Network {
    const LONGEST: Duration = Duration::from_millis(100);

    /// What `docs/scale.md` measured on loopback of an idle machine.
    pub const IDLE: Self = Self::measured(93, 200, 1_800);

    /// The same with both cores busy.
    pub const BUSY: Self = Self::measured(600, 14_000, 17_000);

    const fn measured(p50: u64, p99: u64, p999: u64) -> Self {
        Self {
            p50: Duration::from_micros(p50),
            p99: Duration::from_micros(p99),
            p999: Duration::from_micros(p999),
            longest: Self::LONGEST,
            loss: 0.0,
            sent_again_after: Duration::from_millis(200),
        }
    }

    /// The same, where a share of the round trips loses a packet.
    pub const fn with_loss(mut self, loss: f64) -> Self {
        self.loss = loss;
        self
    }

    /// The time that a share of the round trips exceeds.
    pub(crate) fn exceeded_by(&self, share: f64) -> Time {
        let points = [
            (1.0, self.p50.as_secs_f64() / 2.0),
            (0.5, self.p50.as_secs_f64()),
            (0.01, self.p99.as_secs_f64()),
            (0.001, self.p999.as_secs_f64()),
        ];
        let lost = share < self.loss;
        let share = if lost { share / self.loss } else { share };
        let after = points.iter().position(|(rare, _)| share >= *rare);
        let next = after.unwrap_or(points.len() - 1).max(1);
        let ((a, from), (b, to)) = (points[next - 1], points[next]);
        let slope = (to / from).ln() / (a / b).ln();
        let seconds = (from * (a / share.max(1e-12)).powf(slope)).min(self.longest.as_secs_f64());
        let again = if lost {
            self.sent_again_after
        } else {
            Duration::ZERO
        };
        ((seconds + again.as_secs_f64()) * 1e9) as Time
    }

    /// One round trip.
    pub(crate) fn draw(&self, rng: &mut Rng) -> Time {
        self.exceeded_by(1.0 - rng.f64())
    }

    /// The slowest of several round trips, none if there are none.
    pub(crate) fn draw_slowest(&self, of: u32, rng: &mut Rng) -> Time {
        if of == 0 {
            return 0;
        }
        // All stay below a bound with the probability of one to the power of their number.
        let below = (1.0 - rng.f64()).ln() / f64::from(of);
        self.exceeded_by((-below.exp_m1()).max(f64::MIN_POSITIVE))
    }

    /// Which share of the round trips takes longer than `bound`.
    pub fn share_beyond(&self, bound: Duration) -> f64 {
        let bound = bound.as_nanos() as Time;
        let (mut beyond, mut within) = (0.0, 1.0);
        for _ in 0..200 {
            let middle = (beyond + within) / 2.0;
            if self.exceeded_by(middle) > bound {
                beyond = middle;
            } else {
                within = middle;
            }
        }
        beyond
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fastrand::Rng;

    use super::Network;

    #[test]
    fn a_round_trip_keeps_its_percentiles() {
        let network = Network::BUSY;
        let mut rng = Rng::with_seed(1);
        let mut times: Vec<_> = (0..1_000_000).map(|_| network.draw(&mut rng)).collect();
        times.sort_unstable();
        for (place, wanted) in [
            (500_000, network.p50),
            (990_000, network.p99),
            (999_000, network.p999),
        ] {
            let found = times[place] as f64 / wanted.as_nanos() as f64;
            assert!((0.97..1.03).contains(&found), "{place}: {found}");
        }
    }

    #[test]
    fn the_slowest_of_many_is_beyond_a_bound_as_often_as_any() {
        let network = Network::IDLE.with_loss(1e-4);
        for bound in [200, 1_800, 50_000, 199_000].map(Duration::from_micros) {
            let one = network.share_beyond(bound);
            let any = 1.0 - (1.0 - one).powi(43);
            let mut rng = Rng::with_seed(2);
            let draws = 200_000;
            let beyond = (0..draws)
                .filter(|_| u128::from(network.draw_slowest(43, &mut rng)) > bound.as_nanos())
                .count();
            let found = beyond as f64 / f64::from(draws) / any;
            assert!((0.9..1.1).contains(&found), "{bound:?}: {found}");
        }
    }
}
