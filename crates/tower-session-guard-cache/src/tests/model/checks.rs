//! What the model finds.

use stateright::{Checker, Model};

use super::{ACKNOWLEDGED, Mutant, OWN, REFUSES, Scenario, WITHIN, bounded, exact};

/// One node ends a session that another has a copy of.
const LOGOUT: Scenario = Scenario {
    nodes: &[None, exact(2)],
    writers: &[0],
    copies: true,
    ticks: 4,
    fences: 2,
    fills: 1,
    cuts: 1,
    mutant: None,
};

/// The node with the copy writes itself, then the other one ends the session.
const OWN_WRITE: Scenario = Scenario {
    writers: &[1, 0],
    cuts: 0,
    ..LOGOUT
};

/// Two caches with leases of their own, as while a deployment is under way; the shorter one ends the session.
const DIFFERING: Scenario = Scenario {
    nodes: &[exact(1), bounded(3)],
    fences: 1,
    fills: 0,
    cuts: 0,
    ..LOGOUT
};

/// A copy is filled while the session ends.
const FILL: Scenario = Scenario {
    copies: false,
    ..LOGOUT
};

/// Nobody waits.
const BOUNDED: Scenario = Scenario {
    nodes: &[None, bounded(2)],
    ..LOGOUT
};

#[track_caller]
fn holds(name: &str, scenario: Scenario) {
    let began = std::time::Instant::now();
    let checker = scenario.checker().threads(2).spawn_bfs().join();
    println!(
        "{name}: {} states, {} transitions, {:?}",
        checker.unique_state_count(),
        checker.state_count(),
        began.elapsed()
    );
    checker.assert_properties();
    assert!(
        checker.unique_state_count() > 1000,
        "{name} explores too little"
    );
}

/// The model finds what a broken rule leads to.
#[track_caller]
fn finds(mutant: Mutant, scenario: Scenario, property: &'static str) {
    let mutant = Some(mutant);
    let scenario = Scenario { mutant, ..scenario };
    let finish = stateright::HasDiscoveries::AnyOf([property].into());
    let checker = scenario
        .checker()
        .threads(2)
        .finish_when(finish)
        .spawn_bfs()
        .join();
    let path = checker.discovery(property);
    println!("{mutant:?}: {} states", checker.unique_state_count());
    assert!(path.is_some(), "{mutant:?} is not found");
}

/// R66, A27.
#[test]
fn a_logout_holds_on_every_node_once_it_is_acknowledged() {
    holds("logout", LOGOUT);
}

/// R66, A27.
#[test]
fn a_logout_holds_within_the_lease_where_nobody_waits() {
    holds("bounded", BOUNDED);
}

#[test]
fn a_copy_that_is_filled_while_its_session_ends_is_not_kept() {
    holds("fill", FILL);
}

#[test]
fn a_node_sees_its_own_writes_and_those_that_come_after_them() {
    holds("own write", OWN_WRITE);
}

#[test]
fn nodes_with_leases_of_their_own_wait_for_the_longest() {
    holds("differing", DIFFERING);
}

/// The same with another cut, another fill and more time: a million states, two minutes in a release build
/// (`scripts/test long`).
#[test]
#[ignore = "takes minutes"]
fn every_rule_holds_with_a_larger_budget() {
    holds(
        "logout, larger",
        Scenario {
            ticks: 5,
            fences: 3,
            cuts: 2,
            ..LOGOUT
        },
    );
    holds(
        "own write, larger",
        Scenario {
            cuts: 1,
            fences: 3,
            ..OWN_WRITE
        },
    );
    holds(
        "differing, larger",
        Scenario {
            cuts: 1,
            fills: 1,
            ..DIFFERING
        },
    );
}

/// The node that ends the session has a copy itself: 272,428 states, a minute in a release build
/// (`scripts/test long`).
#[test]
#[ignore = "takes minutes"]
fn a_logout_holds_where_each_of_two_nodes_has_a_copy() {
    const NODES: &[Option<super::Kind>] = &[exact(2), exact(2)];
    holds(
        "two copies",
        Scenario {
            nodes: NODES,
            fences: 1,
            cuts: 0,
            ..LOGOUT
        },
    );
}

#[test]
fn entries_kept_over_a_reconnect_are_found() {
    finds(Mutant::EntriesKeptOverAReconnect, LOGOUT, WITHIN);
}

#[test]
fn a_lease_from_the_answer_is_found() {
    finds(Mutant::LeaseFromTheAnswer, LOGOUT, WITHIN);
}

#[test]
fn a_cache_that_refuses_is_found() {
    finds(Mutant::TheCacheRefuses, OWN_WRITE, REFUSES);
}

#[test]
fn an_ending_that_does_not_wait_is_found() {
    finds(Mutant::NoWait, LOGOUT, ACKNOWLEDGED);
}

#[test]
fn a_wait_that_counts_from_sending_is_found() {
    finds(Mutant::WaitFromSending, LOGOUT, ACKNOWLEDGED);
}

#[test]
fn an_entry_that_is_updated_after_an_own_write_is_found() {
    finds(Mutant::EntryUpdatedAfterAnOwnWrite, OWN_WRITE, WITHIN);
}

#[test]
fn a_fence_on_another_connection_is_found() {
    finds(Mutant::FenceOnAnotherConnection, LOGOUT, WITHIN);
}

#[test]
fn a_fill_without_a_guard_is_found() {
    finds(Mutant::NoFillGuard, FILL, WITHIN);
    let copies = false;
    let own = Scenario {
        copies,
        ..OWN_WRITE
    };
    finds(Mutant::NoFillGuard, own, OWN);
}

#[test]
fn invalidations_that_another_task_applies_are_found() {
    finds(Mutant::InvalidationsByAnotherTask, LOGOUT, WITHIN);
}

#[test]
fn an_ending_that_knows_its_own_lease_only_is_found() {
    finds(Mutant::OwnLeaseOnly, DIFFERING, ACKNOWLEDGED);
}
