//! What must hold in every state.

use stateright::Property;

use super::{
    kept::Kept,
    replay::Who,
    scenario::{Scenario, State},
    view::TokenView,
};
use crate::simulation::faults::{is_of, level};

fn is_acting(token: &TokenView) -> bool {
    level(&token.opened).0.contains('/')
}

pub(super) fn all() -> Vec<Property<Scenario>> {
    vec![
        Property::always(
            "no token that the attacker had opens another's login",
            |model: &Scenario, state: &State| {
                let mut tokens = state.view.tokens.iter();
                model.thief || !tokens.any(|token| token.known && token.opens.starts_with("alice"))
            },
        ),
        Property::always(
            "a token that was dead stays dead",
            |_: &Scenario, state: &State| {
                let mut tokens = state.view.tokens.iter();
                !tokens.any(|token| token.was_dead && token.is_alive())
            },
        ),
        Property::always(
            "an acknowledged end is an end",
            |_: &Scenario, state: &State| {
                let mut tokens = state.view.tokens.iter();
                !tokens.any(|token| token.ended && token.is_alive())
            },
        ),
        Property::always(
            "no token opens more than when it was issued",
            |_: &Scenario, state: &State| {
                state
                    .view
                    .tokens
                    .iter()
                    .filter(|token| token.is_alive())
                    .all(|token| {
                        let (was, is) = (level(&token.opened), level(&token.opens));
                        was.0 == is.0 && is.1 <= was.1
                    })
            },
        ),
        Property::always(
            "one live token a session, and one in its grace time",
            |model: &Scenario, state: &State| {
                // A token that leaves again with other data is the same token.
                model.kept != Kept::Store
                    || (0..state.view.tokens.len()).all(|id| {
                        let alive = state
                            .view
                            .tokens
                            .iter()
                            .filter(|token| token.id == id && token.is_alive());
                        let alive: Vec<_> = alive.collect();
                        alive.len() < 2 || alive.len() == 2 && alive[1].is_fresh
                    })
            },
        ),
        Property::always(
            "nothing that was planted survives a login",
            |_: &Scenario, state: &State| {
                // The attacker may put what he likes into sessions of his own account.
                let own = |opens: &str| opens.starts_with("bob");
                let tokens = state.view.tokens.iter().filter(|token| !token.is_guest);
                let mut tokens = tokens.filter(|token| !own(&token.opened));
                !tokens.any(|token| {
                    token.opened.contains("k=planted") || token.opens.contains("k=planted")
                })
            },
        ),
        Property::always(
            "no interleaving alone logs a browser out",
            |_: &Scenario, state: &State| {
                let view = &state.view;
                let quiet = view
                    .requests
                    .iter()
                    .all(|request| !request.under_way && request.waits_for_delivery.is_none());
                let logged_in = view.requests.iter().any(|request| {
                    request.who == Who::Victim && ["login", "arrive"].contains(&request.name)
                });
                !(view.undisturbed && quiet && logged_in) || is_of(&view.victim_is, "alice")
            },
        ),
        Property::always(
            "a token that leaves unasked overwrites nothing newer",
            |model: &Scenario, state: &State| {
                let view = &state.view;
                let mut requests = view.requests.iter();
                let quiet = requests.all(|request| request.waits_for_delivery.is_none());
                let holds = view.holds_written && model.kept != Kept::Store;
                !(holds && quiet) || view.victim_is.contains("k=written")
            },
        ),
        Property::always(
            "nobody acts above the actor",
            |_: &Scenario, state: &State| {
                let opened = |token: &TokenView| (is_acting(token), level(&token.opened).1);
                let tokens = &state.view.tokens;
                (0..tokens.len()).all(|at| {
                    let (acts, has) = opened(&tokens[at]);
                    let before = tokens[..at].iter().filter(|token| !is_acting(token));
                    !acts || before.map(|token| opened(token).1).max() >= Some(has)
                })
            },
        ),
        Property::sometimes("somebody acts as another", |_: &Scenario, state: &State| {
            state.view.tokens.iter().any(is_acting)
        }),
        Property::sometimes("somebody returns", |_: &Scenario, state: &State| {
            let tokens = state.view.tokens.iter();
            let mut after = tokens.skip_while(|token| !is_acting(token));
            after.any(|token| !is_acting(token) && token.opens.starts_with("alice@"))
        }),
        Property::sometimes("somebody is elevated", |_: &Scenario, state: &State| {
            state
                .view
                .tokens
                .iter()
                .any(|token| token.opens.starts_with("alice@2"))
        }),
        Property::sometimes("a token is retired", |_: &Scenario, state: &State| {
            state.view.tokens.iter().any(|token| token.ended)
        }),
    ]
}
