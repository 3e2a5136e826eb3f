//! The session protocol as a checked model: every state that a victim, an attacker, a store that fails, late
//! and lost answers can bring about together, within a budget of each.
//!
//! It is no re-telling: a state is what the middleware itself did after a list of actions, run from the
//! beginning with every store call a step of its own. `stateright` searches; two states are the same if
//! nothing but names of ids and secrets tells them apart.

mod action;
mod kept;
pub(super) mod plain;
mod properties;
mod replay;
mod scenario;
mod scenarios;
mod tests;
mod view;

use stateright::{Model, Property};

use self::{
    action::{Act, Action},
    scenario::{Scenario, State},
    view::{TokenView, View},
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
            undisturbed: !self.held && !self.thief,
            victim_is: "nobody".to_owned(),
            ..View::default()
        };
        let mut state = State {
            path: Vec::new(),
            view,
        };
        for action in self.prefix {
            // It costs nothing of the budget.
            state = self.after(&state, *action, self.budget);
        }
        vec![state]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let (view, left) = (&state.view, state.view.left);
        let requests = || view.requests.iter().enumerate();
        let waiting = requests().filter(|(_, request)| request.waits_for_delivery.is_some());
        for (at, _) in waiting {
            actions.push(Action::Deliver(at));
            if left.losses > 0 {
                actions.push(Action::Lose(at));
            }
        }
        if !self.held && !actions.is_empty() {
            return;
        }
        let under_way: Vec<_> = requests()
            .filter(|(_, request)| request.under_way)
            .map(|(at, _)| at)
            .collect();
        for at in &under_way {
            actions.push(Action::Step(*at));
            if left.faults > 0 {
                actions.push(Action::StepAndFail(*at, Fault::Before));
                actions.push(Action::StepAndFail(*at, Fault::After));
            }
        }
        let has = |token: &TokenView| self.thief || token.known;
        let known: Vec<_> = view
            .tokens
            .iter()
            .enumerate()
            .filter(|(_, token)| has(token))
            .map(|(at, _)| at)
            .collect();
        if under_way.len() < UNDER_WAY {
            if left.victim > 0 {
                actions.extend(self.victim.iter().map(|op| Action::Victim(Act(*op))));
            }
            if left.attacker > 0 {
                for op in self.attacker {
                    let with = known.iter().map(|token| Some(*token)).chain([None]);
                    actions.extend(with.map(|token| Action::Attacker(Act(*op), token)));
                }
            }
        }
        if left.plants > 0 {
            actions.extend(known.iter().map(|token| Action::Plant(*token)));
        }
        if left.waits > 0 && !view.tokens.is_empty() {
            actions.push(Action::Wait);
        }
        if left.revocations > 0 && !view.tokens.is_empty() {
            actions.push(Action::Revoke);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut left = last.view.left;
        let (spent, disturbs) = match action {
            Action::Victim(Act(op)) => (Some(&mut left.victim), op.name == "logout"),
            Action::Attacker(..) => (Some(&mut left.attacker), false),
            Action::StepAndFail(..) => (Some(&mut left.faults), true),
            Action::Lose(_) => (Some(&mut left.losses), true),
            Action::Plant(_) => (Some(&mut left.plants), true),
            Action::Wait => (Some(&mut left.waits), true),
            Action::Revoke => (Some(&mut left.revocations), true),
            Action::Step(_) | Action::Deliver(_) | Action::Age | Action::NewKey => (None, false),
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
