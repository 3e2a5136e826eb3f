//! [`Scenario`]: who may do what; [`State`]: what happened, and what there is now.

use std::hash::{Hash, Hasher};

use super::{
    action::{Action, Ask, Budget, Theft},
    replay::Replay,
    view::View,
};
use crate::simulation::model::plain::Mutant;

/// Who may do what, and how much of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scenario {
    pub(super) asks: &'static [Ask],
    pub(super) thefts: &'static [Theft],
    /// For how long nothing happens, in seconds.
    pub(super) passes: &'static [u64],
    /// Whether requests may be under way meanwhile.
    pub(super) stalls: bool,
    pub(super) budget: Budget,
    /// What has happened at the beginning.
    pub(super) prefix: &'static [Action],
    pub(super) mutant: Option<Mutant>,
}

/// What happened, and what there is now. Only the latter tells states apart.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) path: Vec<Action>,
    pub(super) view: View,
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.view == other.view
    }
}

impl Hash for State {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.view.hash(state);
    }
}

impl Scenario {
    pub(super) fn after(&self, last: &State, action: Action, left: Budget) -> State {
        let mut path = last.path.clone();
        path.push(action);
        let stepped = match action {
            Action::Step(at) | Action::StepAndFail(at, _) => Some(at),
            _ => None,
        };
        let replay = Replay::of(self.mutant, &path);
        let view = View::of(&replay, &last.view, left, stepped);
        State { path, view }
    }
}

/// A login that reached the browser: it writes its record, and reads the cut-off.
const LOGGED_IN: &[Action] = &[
    Action::Browser(Ask::Login),
    Action::Step(0),
    Action::Step(0),
    Action::Deliver(0),
];

/// The same, and the browser's key is bound: it loads the record, and writes it.
const BOUND: &[Action] = &[
    Action::Browser(Ask::Login),
    Action::Step(0),
    Action::Step(0),
    Action::Deliver(0),
    Action::Browser(Ask::Register),
    Action::Step(1),
    Action::Step(1),
    Action::Deliver(1),
];

pub(super) const NOTHING: Budget = Budget {
    asks: 0,
    thefts: 0,
    faults: 0,
    losses: 0,
    passes: 0,
};

/// A registration beside whatever else the browser asks for, or beside a thief's.
pub(super) const REGISTRATION: Scenario = Scenario {
    asks: &[Ask::Register, Ask::Write, Ask::Elevate, Ask::Logout],
    thefts: &[Theft::Registers],
    passes: &[60],
    stalls: true,
    budget: Budget {
        asks: 1,
        thefts: 1,
        passes: 1,
        ..NOTHING
    },
    prefix: LOGGED_IN,
    mutant: None,
};

/// The browser's own requests at the same time as its registration.
pub(super) const CROSSING: Scenario = Scenario {
    thefts: &[],
    budget: Budget { asks: 2, ..NOTHING },
    ..REGISTRATION
};

/// Proofs beside whatever else the browser asks for, time that passes, and a thief.
pub(super) const PROOFS: Scenario = Scenario {
    asks: &[Ask::Refresh, Ask::Elevate, Ask::Logout],
    thefts: &[Theft::Registers, Theft::ProvesAgain],
    passes: &[60, 560],
    stalls: false,
    prefix: BOUND,
    ..REGISTRATION
};

/// A proof that is sent again when it is nearly over.
pub(super) const AGAIN: Scenario = Scenario {
    asks: &[Ask::Refresh],
    thefts: &[Theft::ProvesAgain],
    budget: Budget {
        asks: 1,
        thefts: 1,
        passes: 2,
        ..NOTHING
    },
    ..PROOFS
};

/// A store that fails before or after it wrote, and answers that are lost.
pub(super) const TROUBLE: Scenario = Scenario {
    asks: &[Ask::Register, Ask::Refresh, Ask::Write],
    thefts: &[],
    budget: Budget {
        asks: 2,
        faults: 1,
        losses: 1,
        ..NOTHING
    },
    ..REGISTRATION
};

/// Everything that a browser asks for.
pub(super) const EVERYTHING: &[Ask] = &[
    Ask::Login,
    Ask::Elevate,
    Ask::Write,
    Ask::Renew,
    Ask::Logout,
    Ask::Register,
    Ask::Refresh,
];
