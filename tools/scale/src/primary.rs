//! [`Primary`]: a server that carries out one command after the other.

use std::time::Duration;

use crate::{Time, setup::Outage};

#[derive(Debug)]
pub(crate) struct Primary {
    command: Time,
    free_at: Time,
    /// Nothing is carried out from the first until the second time.
    down: (Time, Time),
}

impl Primary {
    pub(crate) fn new(command: Duration, outage: Option<&Outage>) -> Self {
        let down = outage.map_or((Time::MAX, Time::MAX), |outage| {
            let at = outage.at.as_nanos() as Time;
            (at, at + outage.length.as_nanos() as Time)
        });
        Self {
            command: command.as_nanos() as Time,
            free_at: 0,
            down,
        }
    }

    /// Takes commands that come now, and tells when they are done; else when they fail: at once while the server is
    /// down, and when it goes down.
    pub(crate) fn take(&mut self, now: Time, commands: u32) -> Result<Time, Time> {
        let (from, until) = self.down;
        if (from..until).contains(&now) {
            return Err(now);
        }
        let done = now.max(self.free_at) + self.command * Time::from(commands);
        if now < from && done > from && from < until {
            // What waits is lost, and the queue with it.
            self.free_at = until;
            return Err(from);
        }
        self.free_at = done;
        Ok(done)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fastrand::Rng;

    use super::Primary;
    use crate::setup::Outage;

    /// The mean wait of M/D/1 is ρ / (2 (1 − ρ)) of a service.
    #[test]
    fn the_wait_is_that_of_a_queue_with_chance_arrivals_and_equal_services() {
        const COMMAND: u64 = 10_000;
        for load in [0.2, 0.5, 0.8] {
            let mut primary = Primary::new(Duration::from_nanos(COMMAND), None);
            let mut rng = Rng::with_seed(3);
            let (mut now, mut waited, arrivals) = (0.0, 0.0, 1_000_000);
            for _ in 0..arrivals {
                now += -(1.0 - rng.f64()).ln() * COMMAND as f64 / load;
                let done = primary.take(now as u64, 1).unwrap();
                waited += (done - COMMAND) as f64 - now;
            }
            let mean = waited / f64::from(arrivals) / COMMAND as f64;
            let wanted = load / (2.0 * (1.0 - load));
            assert!((0.95..1.05).contains(&(mean / wanted)), "{load}: {mean}");
        }
    }

    #[test]
    fn an_outage_loses_what_waits_and_refuses_what_comes() {
        let [at, length] = [1000, 500].map(Duration::from_nanos);
        let outage = Outage {
            at,
            length,
            logged_out: 0.0,
        };
        let mut primary = Primary::new(Duration::from_nanos(100), Some(&outage));
        assert_eq!(primary.take(880, 1), Ok(980));
        assert_eq!(primary.take(890, 1), Err(1000));
        assert_eq!(primary.take(1000, 1), Err(1000));
        assert_eq!(primary.take(1499, 1), Err(1499));
        assert_eq!(primary.take(1500, 2), Ok(1700));
    }
}
