//! Device binding as a checked model: everything that a browser with a key, a thief with every cookie and none, a store that
//! fails, lost answers and time can bring about together, within a budget of each.
//!
//! As [the model of sessions](super::model) it tells nothing anew: a state is what layer and endpoints did after a list
//! of actions, run from the beginning with every store call a step of its own.

mod action;
mod properties;
mod replay;
mod scenario;
mod tests;
mod view;

use stateright::{Model, Property};

use self::{
    action::{Action, Ask},
    scenario::{Scenario, State},
    view::View,
};
use super::store::Fault;

/// How many requests may be under way at a time.
const UNDER_WAY: usize = 2;

impl Model for Scenario {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let view = View {
            left: self.budget,
            undisturbed: true,
            ..View::default()
        };
        let path = Vec::new();
        let mut state = State { path, view };
        for action in self.prefix {
            // It costs nothing of the budget.
            state = self.after(&state, *action, self.budget);
        }
        vec![state]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let (view, left) = (&state.view, state.view.left);
        let requests = || view.requests.iter().enumerate();
        for (at, _) in requests().filter(|(_, request)| request.waits_for_delivery.is_some()) {
            actions.push(Action::Deliver(at));
            if left.losses > 0 {
                actions.push(Action::Lose(at));
            }
        }
        // Where none is lost, answers are delivered at once.
        if self.budget.losses == 0 && !actions.is_empty() {
            return;
        }
        let under_way = requests().filter(|(_, request)| request.under_way);
        let under_way: Vec<_> = under_way.map(|(at, _)| at).collect();
        for at in &under_way {
            actions.push(Action::Step(*at));
            if left.faults > 0 {
                actions.push(Action::StepAndFail(*at, Fault::Before));
                actions.push(Action::StepAndFail(*at, Fault::After));
            }
        }
        if under_way.len() < UNDER_WAY {
            if left.asks > 0 {
                let can = |ask: &&Ask| match ask {
                    Ask::Register => view.offer.is_some(),
                    Ask::Refresh => view.is_registered,
                    _ => true,
                };
                actions.extend(
                    self.asks
                        .iter()
                        .filter(can)
                        .map(|ask| Action::Browser(*ask)),
                );
            }
            if left.thefts > 0 {
                actions.extend(self.thefts.iter().map(|theft| Action::Thief(*theft)));
            }
        }
        if left.passes > 0 && (self.stalls || under_way.is_empty()) {
            actions.extend(self.passes.iter().map(|seconds| Action::Pass(*seconds)));
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut left = last.view.left;
        let (spent, disturbs) = match action {
            Action::Browser(ask) => (
                Some(&mut left.asks),
                matches!(ask, Ask::Logout | Ask::Login),
            ),
            Action::Thief(_) => (Some(&mut left.thefts), false),
            Action::StepAndFail(..) => (Some(&mut left.faults), true),
            Action::Lose(_) => (Some(&mut left.losses), true),
            Action::Pass(_) => (Some(&mut left.passes), false),
            Action::Step(_) | Action::Deliver(_) => (None, false),
        };
        if let Some(spent) = spent {
            *spent -= 1;
        }
        let mut state = self.after(last, action, left);
        state.view.undisturbed &= !disturbs;
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all()
    }
}
