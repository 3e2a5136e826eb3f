//! [`Looks`]: whether a request looked at its session, and whether that was its user's activity.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};

/// The response depends on the session.
const DEPENDENCE: u8 = 1;
/// The response depends on the session, and its user is active.
const ACTIVITY: u8 = 2;

/// How a request has looked at its session so far.
#[derive(Debug, Default)]
pub(super) struct Looks {
    /// The most that a look meant.
    most: AtomicU8,
    in_background: AtomicBool,
}

impl Looks {
    /// A look, which is activity unless the request is in the background.
    // One store and no more: every request takes this path.
    #[inline]
    pub(super) fn look(&self) {
        self.most.store(ACTIVITY, Relaxed);
    }

    /// A look that is no activity.
    pub(super) fn look_in_passing(&self) {
        let swapped = self.most.compare_exchange(0, DEPENDENCE, Relaxed, Relaxed);
        // If it failed, another look meant as much or more.
        let _: Result<u8, u8> = swapped;
    }

    /// Makes every look of the request, earlier ones too, one that is no activity.
    pub(super) fn mark_background(&self) {
        self.in_background.store(true, Relaxed);
    }

    /// Whether there was any look.
    pub(super) fn any(&self) -> bool {
        self.most.load(Relaxed) != 0
    }

    /// Whether a look was activity.
    pub(super) fn are_activity(&self) -> bool {
        self.most.load(Relaxed) == ACTIVITY && !self.in_background.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::Looks;

    /// R59, R74, R77: in any order.
    #[test]
    fn a_look_in_passing_and_one_in_the_background_are_no_activity() {
        type Step = fn(&Looks);
        let (look, pass, mark): (Step, Step, Step) =
            (Looks::look, Looks::look_in_passing, Looks::mark_background);
        for (steps, any, active) in [
            (&[][..], false, false),
            (&[look], true, true),
            (&[pass], true, false),
            (&[mark], false, false),
            (&[look, pass], true, true),
            (&[pass, look], true, true),
            (&[mark, look], true, false),
            (&[look, mark], true, false),
            (&[mark, pass], true, false),
        ] {
            let looks = Looks::default();
            for step in steps {
                step(&looks);
            }
            assert_eq!((looks.any(), looks.are_activity()), (any, active));
        }
    }
}
