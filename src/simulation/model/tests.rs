use stateright::{Checker, HasDiscoveries, Model};

use super::{
    plain::Mutant,
    scenario::Scenario,
    scenarios::{
        ACTING, ARRIVALS, FIXATION, FIXATION_AT_ARRIVAL, IMPERSONATION, IMPERSONATION_IN_TOKENS,
        OVERLAP, RE_SIGNING, RENEWAL, THEFT, TOUCH, TROUBLE,
    },
};

#[track_caller]
fn holds(name: &str, scenario: Scenario, reaches: &[&'static str]) {
    let began = std::time::Instant::now();
    let checker = scenario.checker().threads(2).spawn_bfs().join();
    println!(
        "{name}: {} states, {} transitions, depth {}, {:?}",
        checker.unique_state_count(),
        checker.state_count(),
        checker.max_depth(),
        began.elapsed()
    );
    for (property, path) in checker.discoveries() {
        assert!(
            reaches.contains(&property),
            "{name}: {property}: {:?}",
            path.last_state()
        );
    }
    for property in reaches {
        assert!(
            checker.discovery(property).is_some(),
            "{name} never sees that {property}"
        );
    }
    assert!(
        checker.unique_state_count() > 500,
        "{name} explores too little"
    );
}

const ELEVATES: &[&str] = &["somebody is elevated", "a token is retired"];

#[test]
fn no_planted_token_gains_by_anothers_login() {
    holds("fixation", FIXATION, ELEVATES);
}

/// R19, R01, R07.
#[test]
fn a_login_at_arrival_keeps_every_rule() {
    holds("fixation at arrival", FIXATION_AT_ARRIVAL, ELEVATES);
    holds("arrivals", ARRIVALS, ELEVATES);
}

#[test]
fn overlapping_requests_of_one_browser_keep_every_rule() {
    holds("overlap", OVERLAP, ELEVATES);
}

#[test]
fn a_failing_store_and_lost_and_late_answers_keep_every_rule() {
    holds("trouble", TROUBLE, ELEVATES);
}

#[test]
fn a_thief_of_every_token_regains_nothing_that_was_retired() {
    holds("theft", THEFT, ELEVATES);
}

const ACTS: &[&str] = &[
    "somebody acts as another",
    "somebody returns",
    "somebody is elevated",
    "a token is retired",
];

/// R01, R64, R67: in either mode.
#[test]
fn whoever_acts_as_another_gains_nothing_by_any_interleaving() {
    holds("impersonation", IMPERSONATION, ACTS);
    holds("acting", ACTING, ACTS);
    holds("impersonation in tokens", IMPERSONATION_IN_TOKENS, ACTS);
}

const ENDS: &[&str] = &["a token is retired"];

/// R77.
#[test]
fn a_token_that_leaves_unasked_overwrites_no_newer_write() {
    holds("touch", TOUCH, ENDS);
    holds("re-signing", RE_SIGNING, ENDS);
    holds("renewal", RENEWAL, ENDS);
}

/// The same with one request of the victim more, with one more of everything else that there is, and, where nobody
/// attacks, with both: `scripts/test long`.
#[test]
#[ignore = "about ten minutes"]
fn every_rule_holds_with_larger_budgets() {
    for (name, scenario) in [
        ("overlap", OVERLAP),
        ("trouble", TROUBLE),
        ("theft", THEFT),
        ("fixation", FIXATION),
    ] {
        for (more, longer, richer) in [
            ("longer", true, false),
            ("richer", false, true),
            ("both", true, true),
        ] {
            if longer && richer && scenario.budget.attacker > 0 {
                continue;
            }
            let mut larger = scenario;
            let budget = &mut larger.budget;
            budget.victim += u8::from(longer);
            for some in [
                &mut budget.attacker,
                &mut budget.faults,
                &mut budget.losses,
                &mut budget.waits,
                &mut budget.revocations,
            ] {
                *some += u8::from(richer && *some > 0);
            }
            holds(&format!("{name}, {more}"), larger, ELEVATES);
        }
    }
}

/// What the checker finds with one rule broken.
#[track_caller]
fn caught(mutant: Mutant, scenarios: &[Scenario]) -> String {
    for scenario in scenarios {
        let broken = Scenario {
            mutant: Some(mutant),
            ..*scenario
        };
        let checker = broken
            .checker()
            .finish_when(HasDiscoveries::AnyFailures)
            .spawn_bfs()
            .join();
        for property in broken.properties() {
            let failure = property.expectation == stateright::Expectation::Always;
            if let Some(path) = checker.discovery(property.name).filter(|_| failure) {
                let actions = path.into_actions();
                return format!("{mutant:?}: not \"{}\" after {actions:?}", property.name);
            }
        }
    }
    panic!("{mutant:?} goes unnoticed");
}

#[test]
fn the_checker_finds_every_broken_rule() {
    for mutant in Mutant::IN_STORE {
        println!("{}", caught(mutant, &[OVERLAP, FIXATION, THEFT]));
    }
}

/// R19.
#[test]
fn the_checker_finds_every_rule_that_a_login_at_arrival_breaks() {
    for mutant in [
        Mutant::LoginKeepsTheOldRecord,
        Mutant::LoginCarriesEverything,
    ] {
        println!("{}", caught(mutant, &[FIXATION_AT_ARRIVAL]));
    }
    println!("{}", caught(Mutant::CutoffIsForgotten, &[ARRIVALS]));
}

#[test]
fn the_checker_finds_who_acts_after_an_end() {
    for mutant in [Mutant::ActorIsNotListed, Mutant::ReplaceCreates] {
        println!("{}", caught(mutant, &[IMPERSONATION]));
    }
}

/// Where the policy renews, a write renews too, and the list of ended tokens lets one of two renewals win.
#[test]
fn the_checker_finds_a_token_that_overwrites_a_write() {
    for scenario in [TOUCH, RE_SIGNING] {
        println!("{}", caught(Mutant::ReissueOverwrites, &[scenario]));
    }
}
