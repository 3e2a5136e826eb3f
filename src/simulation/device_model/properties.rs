//! What must hold in every state.

use stateright::Property;

use super::{
    replay::Who,
    scenario::{Scenario, State},
    view::{FamilyView, TokenView},
};

/// For how long a request without its device's cookie may be one from before the binding, in seconds.
const CROSSING: u64 = 60;

fn is_somebody(opens: &str) -> bool {
    !opens.starts_with("nobody")
}

/// Tokens, and the sessions that they are of.
fn tokens(state: &State) -> impl Iterator<Item = (&TokenView, &FamilyView)> {
    let view = &state.view;
    let tokens = view.tokens.iter();
    tokens.map(|token| (token, &view.families[token.family]))
}

pub(super) fn all() -> Vec<Property<Scenario>> {
    vec![
        Property::always(
            "no token opens a bound session without a proof that is good",
            |_: &Scenario, state: &State| {
                let is_bound =
                    |family: &FamilyView| family.bound_since.is_some_and(|since| since >= CROSSING);
                tokens(state).all(|(token, family)| {
                    let opens = is_somebody(&token.alone) || is_somebody(&token.with_old);
                    !(opens && is_bound(family))
                })
            },
        ),
        Property::always(
            "a session is bound to one key",
            |_: &Scenario, state: &State| {
                let mut families = state.view.families.iter();
                families.all(|family| {
                    let first = family.registered.first();
                    family.registered.iter().all(|who| Some(who) == first)
                })
            },
        ),
        Property::always(
            "a session that was bound stays bound",
            |_: &Scenario, state: &State| {
                let mut families = state.view.families.iter();
                families.all(
                    |family| match (family.registered.first(), family.bound_to) {
                        (Some(who), Some(bound_to)) => bound_to == Some(*who),
                        (None, _) | (_, None) => true,
                    },
                )
            },
        ),
        Property::always(
            "an acknowledged end is an end, whatever the device proves",
            |_: &Scenario, state: &State| {
                let mut ended = tokens(state).filter(|(_, family)| family.ended);
                let opens = ended.any(|(token, _)| is_somebody(&token.with_all));
                let mut families = state.view.families.iter();
                let refreshes = families.any(|family| family.refreshes == Some(200));
                !(opens || refreshes)
            },
        ),
        Property::always(
            "no interleaving alone keeps the device from its session",
            |_: &Scenario, state: &State| {
                let view = &state.view;
                let mut requests = view.requests.iter();
                let quiet = requests
                    .all(|request| !request.under_way && request.waits_for_delivery.is_none());
                !(view.undisturbed && quiet && view.is_entitled) || is_somebody(&view.browser_is)
            },
        ),
        Property::sometimes("a device is refused", |_: &Scenario, state: &State| {
            // A thief came first: what the binding does not defend against.
            let mut families = state.view.families.iter();
            families.any(|family| family.bound_to == Some(Some(Who::Thief)))
        }),
        Property::sometimes(
            "a token is worth nothing without its device",
            |_: &Scenario, state: &State| {
                tokens(state)
                    .any(|(token, _)| !is_somebody(&token.with_old) && is_somebody(&token.with_all))
            },
        ),
        Property::sometimes("a proof is accepted", |_: &Scenario, state: &State| {
            let mut requests = state.view.requests.iter();
            let refreshed = requests.any(|request| request.name == "refresh");
            refreshed && state.view.cookies.len() > 1
        }),
        Property::sometimes("a bound session ends", |_: &Scenario, state: &State| {
            let mut families = state.view.families.iter();
            families.any(|family| family.ended && !family.registered.is_empty())
        }),
    ]
}
