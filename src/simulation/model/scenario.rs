//! [`Scenario`]: who may do what; [`State`]: what happened, and what there is now.

use std::hash::{Hash, Hasher};

use super::{
    action::{Action, Budget},
    kept::Kept,
    plain::Mutant,
    replay::Replay,
    view::View,
};
use crate::simulation::world::Op;

/// Who may do what, and how much of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scenario {
    pub(super) victim: &'static [Op],
    pub(super) attacker: &'static [Op],
    pub(super) budget: Budget,
    /// What has happened at the beginning.
    pub(super) prefix: &'static [Action],
    /// Whether the attacker has every token as soon as it is issued.
    pub(super) thief: bool,
    /// Whether answers may be held back and come in any order.
    pub(super) held: bool,
    pub(super) kept: Kept,
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
        let view = View::of(
            &Replay::of(self.kept, self.mutant, &path),
            &last.view,
            left,
            stepped,
        );
        State { path, view }
    }
}
