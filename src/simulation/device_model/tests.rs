use std::time::Instant;

use stateright::{Checker, Expectation, HasDiscoveries, Model};

use super::{
    action::Budget,
    scenario::{AGAIN, CROSSING, EVERYTHING, NOTHING, PROOFS, REGISTRATION, Scenario, TROUBLE},
};
use crate::simulation::model::plain::Mutant;

#[track_caller]
fn holds(name: &str, scenario: Scenario, reaches: &[&'static str]) {
    let began = Instant::now();
    let checker = scenario.checker().threads(2).spawn_bfs().join();
    println!(
        "{name}: {} states, {} transitions, depth {}, {:?}",
        checker.unique_state_count(),
        checker.state_count(),
        checker.max_depth(),
        began.elapsed()
    );
    for (property, path) in checker.discoveries() {
        let state = path.last_state();
        assert!(reaches.contains(&property), "{name}: {property}: {state:?}");
    }
    for property in reaches {
        let seen = checker.discovery(property).is_some();
        assert!(seen, "{name} never sees that {property}");
    }
    assert!(
        checker.unique_state_count() > 50,
        "{name} explores too little"
    );
}

const WORTHLESS: &str = "a token is worth nothing without its device";
const REFUSED: &str = "a device is refused";
const ACCEPTED: &str = "a proof is accepted";
const ENDS: &str = "a bound session ends";

/// D02, D11, D13, A50.
#[test]
fn a_registration_beside_other_requests_and_a_thiefs_keeps_every_rule() {
    holds("registration", REGISTRATION, &[WORTHLESS, REFUSED, ENDS]);
    holds("crossing", CROSSING, &[ENDS]);
}

/// D05, D10, D11, D14, A50, A51.
#[test]
fn proofs_beside_other_requests_and_a_thiefs_keep_every_rule() {
    holds("proofs", PROOFS, &[WORTHLESS, ACCEPTED, ENDS]);
    holds("again", AGAIN, &[WORTHLESS, ACCEPTED]);
}

/// D11, D13.
#[test]
fn a_failing_store_and_lost_answers_unbind_nothing() {
    holds("trouble", TROUBLE, &[ACCEPTED]);
}

/// The same with everything that a browser asks for and one request more, and with one more of all else: `scripts/test long`.
#[test]
#[ignore = "some minutes"]
fn every_rule_of_devices_holds_with_larger_budgets() {
    for (name, scenario, reaches) in [
        (
            "registration",
            REGISTRATION,
            &[WORTHLESS, REFUSED, ENDS][..],
        ),
        ("proofs", PROOFS, &[WORTHLESS, ACCEPTED, ENDS]),
        ("trouble", TROUBLE, &[ACCEPTED]),
    ] {
        let mut longer = Scenario {
            asks: EVERYTHING,
            stalls: true,
            ..scenario
        };
        longer.budget.asks += 1;
        holds(&format!("{name}, longer"), longer, reaches);
        let mut richer = scenario;
        let budget = &mut richer.budget;
        budget.passes += 1;
        for some in [&mut budget.thefts, &mut budget.faults, &mut budget.losses] {
            *some += u8::from(*some > 0);
        }
        holds(&format!("{name}, richer"), richer, reaches);
    }
}

/// What the checker finds with one rule broken.
#[track_caller]
fn caught(mutant: Mutant, scenario: Scenario) -> String {
    let broken = Scenario {
        mutant: Some(mutant),
        ..scenario
    };
    let checker = broken.checker().finish_when(HasDiscoveries::AnyFailures);
    let checker = checker.spawn_bfs().join();
    for property in broken.properties() {
        let failure = property.expectation == Expectation::Always;
        if let Some(path) = checker.discovery(property.name).filter(|_| failure) {
            let actions = path.into_actions();
            return format!("{mutant:?}: not \"{}\" after {actions:?}", property.name);
        }
    }
    panic!("{mutant:?} goes unnoticed");
}

/// D05, D10, D11, D13, A50: a missing cookie that is admitted, another key that is bound, an older record that is written back
/// unbound, a proof that counts again or lasts longer, and one that brings an ended session back.
#[test]
fn the_checker_finds_every_broken_rule_of_devices() {
    let (asks, passes) = (
        Budget { asks: 2, ..NOTHING },
        Budget {
            passes: 2,
            ..NOTHING
        },
    );
    let thefts = Budget {
        thefts: 1,
        ..NOTHING
    };
    for (mutant, scenario, budget) in [
        (Mutant::OpensWithoutItsDevice, PROOFS, passes),
        (Mutant::AnotherKeyRebinds, PROOFS, thefts),
        (Mutant::AnOlderWriteUnbinds, CROSSING, asks),
        (Mutant::ProofsAreNotCounted, AGAIN, AGAIN.budget),
        (Mutant::ProofsLastLonger, PROOFS, passes),
        (Mutant::ReplaceCreates, PROOFS, asks),
    ] {
        println!("{}", caught(mutant, Scenario { budget, ..scenario }));
    }
}
