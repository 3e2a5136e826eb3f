//! [`Action`]: one thing that happens, and how much of it may.

use crate::simulation::{
    store::Fault,
    world::{ELEVATE, LOGIN, LOGOUT, Op, RENEW, WRITE},
};

/// What the browser asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Ask {
    Login,
    Elevate,
    Write,
    Renew,
    Logout,
    Register,
    Refresh,
}

impl Ask {
    /// What the handler does; nothing at an endpoint.
    pub(super) const fn op(self) -> Option<Op> {
        match self {
            Self::Login => Some(LOGIN),
            Self::Elevate => Some(ELEVATE),
            Self::Write => Some(WRITE),
            Self::Renew => Some(RENEW),
            Self::Logout => Some(LOGOUT),
            Self::Register | Self::Refresh => None,
        }
    }
}

/// What a thief does who has seen everything, the key apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Theft {
    /// They register a key of their own with the newest offer.
    Registers,
    /// They send the browser's last proof again.
    ProvesAgain,
}

/// One thing that happens. Requests are numbered in the order in which they came.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Action {
    /// The browser sends a request with what it holds.
    Browser(Ask),
    Thief(Theft),
    /// A request goes on by one store call.
    Step(usize),
    StepAndFail(usize, Fault),
    /// An answer reaches the browser, or is lost.
    Deliver(usize),
    Lose(usize),
    /// So many seconds pass.
    Pass(u64),
}

/// How much may still happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Budget {
    pub(super) asks: u8,
    pub(super) thefts: u8,
    pub(super) faults: u8,
    pub(super) losses: u8,
    pub(super) passes: u8,
}
