//! [`Action`]: one thing that happens, and how much of it may.

use std::fmt;

use crate::simulation::{store::Fault, world::Op};

/// A request, told apart by its name.
#[derive(Clone, Copy)]
pub(super) struct Act(pub(super) Op);

impl PartialEq for Act {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name
    }
}

impl fmt::Debug for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name)
    }
}

/// One thing that happens. Requests and tokens are numbered in the order in which they came to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Action {
    /// The victim's browser sends a request with what it holds.
    Victim(Act),
    /// The attacker sends one with a token that they have, or with none.
    Attacker(Act, Option<usize>),
    /// A request goes on by one store call.
    Step(usize),
    StepAndFail(usize, Fault),
    /// An answer reaches the victim's browser, or is lost.
    Deliver(usize),
    Lose(usize),
    /// The attacker puts a token that they have into the victim's browser.
    Plant(usize),
    /// A grace time passes.
    Wait,
    /// So much time passes that a session in use is to be touched, and its token renewed where the policy asks for it.
    Age,
    /// Another key signs from now on; the one before it still verifies.
    NewKey,
    /// An administrator ends all of the victim's sessions.
    Revoke,
}

impl Action {
    /// Whether it is a request that a proxy vouches for.
    pub(super) const fn is_vouched(self) -> bool {
        match self {
            Self::Victim(Act(op)) | Self::Attacker(Act(op), _) => op.vouched.is_some(),
            _ => false,
        }
    }
}

/// How much may still happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Budget {
    pub(super) victim: u8,
    pub(super) attacker: u8,
    pub(super) faults: u8,
    pub(super) losses: u8,
    pub(super) plants: u8,
    pub(super) waits: u8,
    pub(super) revocations: u8,
}
