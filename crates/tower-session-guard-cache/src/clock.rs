//! [`SteadyClock`]: how much time has passed, also while the machine was suspended.

use std::time::Duration;

/// A moment of a [`SteadyClock`], which nothing outside this process knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Moment(u64);

impl Moment {
    /// So long after the clock's beginning.
    ///
    /// It is never 0, which is no moment: an atomic number can so say that there is none.
    pub(crate) fn at(since: Duration) -> Self {
        let nanos = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
        Self(nanos.saturating_add(1))
    }

    pub(crate) const fn get(self) -> u64 {
        self.0
    }

    pub(crate) fn after(self, by: Duration) -> Self {
        let nanos = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }
}

/// A clock that nobody sets and that does not stand still while the machine is suspended.
#[derive(Clone, Debug)]
pub(crate) enum SteadyClock {
    Machine(Machine),
    /// Moves as Tokio's clock does, which a test may stop.
    #[cfg(test)]
    Tokio(tokio::time::Instant),
}

impl SteadyClock {
    pub(crate) fn of_the_machine() -> Self {
        Self::Machine(Machine::new())
    }

    pub(crate) fn now(&self) -> Moment {
        match self {
            Self::Machine(machine) => machine.now(),
            #[cfg(test)]
            Self::Tokio(began) => Moment::at(began.elapsed()),
        }
    }
}

#[cfg(unix)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine(rustix::time::ClockId);

#[cfg(unix)]
impl Machine {
    const fn new() -> Self {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        return Self(rustix::time::ClockId::Boottime);
        // On Apple's systems it counts a suspension.
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        return Self(rustix::time::ClockId::Monotonic);
    }

    #[inline]
    fn now(self) -> Moment {
        let time = rustix::time::clock_gettime(self.0);
        // Neither is negative, nor are nanoseconds a second or more.
        let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
        let nanos = u32::try_from(time.tv_nsec).unwrap_or_default();
        Moment::at(Duration::new(seconds, nanos))
    }
}

#[cfg(not(unix))]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine(std::time::Instant);

#[cfg(not(unix))]
impl Machine {
    fn new() -> Self {
        Self(std::time::Instant::now())
    }

    fn now(self) -> Moment {
        Moment::at(self.0.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Moment, SteadyClock};

    #[test]
    fn the_machines_clock_moves_forward() {
        let clock = SteadyClock::of_the_machine();
        let before = clock.now();
        std::thread::sleep(Duration::from_millis(2));
        assert!(clock.now() >= before.after(Duration::from_millis(2)));
        assert!(clock.now() < before.after(Duration::from_secs(60)));
    }

    #[test]
    fn no_moment_is_zero_and_the_last_one_stays() {
        assert_eq!(Moment::at(Duration::ZERO).get(), 1);
        assert_eq!(Moment::at(Duration::MAX).get(), u64::MAX);
        let last = Moment::at(Duration::MAX);
        assert_eq!(last.after(Duration::from_secs(1)), last);
    }
}
