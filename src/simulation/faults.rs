//! Every fault at every store call of every flow, alone and in pairs, through the whole middleware.

use std::{sync::Arc, time::Duration};

use super::{
    store::Fault,
    world::{
        Answer, Cookies, ELEVATE, End, FORGET, GRACE, LOGIN, LOGIN_BOB, LOGOUT, Op, PLANT, READ,
        RENEW, STEP_DOWN, SWITCH, WRITE, World,
    },
};
use crate::{session::event::EventKind, store::MemoryStore};

/// Where a flow begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    Anonymous,
    Guest,
    Alice,
    AliceElevated,
    /// Alice, with a guest's session beside hers.
    Both,
    /// Alice with the token that a renewal replaced, within its grace time.
    Grace,
    /// The same after the grace time.
    Reused,
    /// Alice, so long after that the idle timer is written back.
    Idle,
}

pub(super) const STARTS: [Start; 8] = [
    Start::Anonymous,
    Start::Guest,
    Start::Alice,
    Start::AliceElevated,
    Start::Both,
    Start::Grace,
    Start::Reused,
    Start::Idle,
];

pub(super) const OPS: [Op; 10] = [
    READ, WRITE, LOGIN, LOGIN_BOB, ELEVATE, STEP_DOWN, RENEW, LOGOUT, SWITCH, FORGET,
];

/// The cookies that the flow's request brings, and those that a browser would hold by then.
pub(super) fn begin(world: &World, start: Start) -> (Cookies, Cookies) {
    let none = Cookies::default();
    let token = |answer: &Answer| answer.session.clone();
    let alice = || token(&world.ask(LOGIN, &none));
    let guest = || world.ask(PLANT, &none).guest;
    let mut came = Cookies::default();
    match start {
        Start::Anonymous => {}
        Start::Guest => came.guest = guest(),
        Start::Alice => came.session = alice(),
        Start::Both => (came.session, came.guest) = (alice(), guest()),
        Start::Idle => {
            came.session = alice();
            world.advance(Duration::from_secs(600));
        }
        Start::AliceElevated => {
            came.session = alice();
            came.session = token(&world.ask(ELEVATE, &came));
        }
        Start::Grace | Start::Reused => {
            came.session = alice();
            let renewed = Cookies {
                session: token(&world.ask(RENEW, &came)),
                ..Cookies::default()
            };
            if start == Start::Reused {
                world.advance(GRACE);
            }
            return (came, renewed);
        }
    }
    (came.clone(), came)
}

pub(super) fn level(text: &str) -> (&str, u8) {
    let who = text.split(' ').next().unwrap();
    let (subject, level) = who.split_once('@').unwrap_or((who, "0"));
    (subject, level.parse().unwrap())
}

/// Whether ending everything of `user` ends what opens this.
pub(super) fn is_of(text: &str, user: &str) -> bool {
    level(text).0.split('/').any(|owner| owner == user)
}

/// What must hold of every token that was there before a request, whatever became of the request.
#[track_caller]
pub(super) fn assert_no_gain(before: &str, after: &str, story: &str) {
    let ((was, had), (is, has)) = (level(before), level(after));
    let fell = is == "nobody";
    assert!(
        fell || (is == was && has <= had),
        "a token that was there gained: {before} to {after}: {story}"
    );
}

fn check(start: Start, op: Op, faults: &[(usize, Fault)]) -> usize {
    let world = World::new(Some(Arc::new(MemoryStore::new())));
    let (came, held) = begin(&world, start);
    let before = (start != Start::Reused).then(|| world.probe(&came));
    let held_before = world.probe(&held);
    let store = world.store.clone().unwrap();
    world.heard();
    store.begin(false, faults);
    let answer = world.ask(op, &came);
    let calls = store.calls();
    store.begin(false, &[]);
    let struck = faults
        .iter()
        .any(|(at, fault)| *at < calls && matches!(fault, Fault::Before | Fault::After));
    let story = format!(
        "{start:?} {} {faults:?}: {answer:?} after {calls} calls",
        op.name
    );
    let failed = [EventKind::StoreFailedLoad, EventKind::StoreFailedWrite];
    let told = world.heard().iter().any(|kind| failed.contains(kind));

    // R09, R71: whoever is told of a failure gets no cookie, and no cookie is removed.
    if answer.status == 503 {
        assert!(struck && answer.sets_nothing() && told, "{story}");
    } else {
        assert!(
            answer.is_ok() || (answer.status == 401 && op.needs_login),
            "{story}"
        );
        assert!(answer.is_ok() || answer.sets_nothing(), "{story}");
        // The one failure that nobody is told of: the tidying up after a failure that was told.
        assert!(!struck, "a failed call was passed over: {story}");
    }
    for (cookie, written) in [("session", &answer.session), ("guest", &answer.guest)] {
        if let Some(token) = written.as_deref().filter(|token| !token.is_empty()) {
            let cookies = if cookie == "session" {
                Cookies::session(token)
            } else {
                Cookies::guest(token)
            };
            let twice = faults.iter().any(|(_, fault)| *fault == Fault::Twice);
            let now = world.probe(&cookies);
            assert!(
                level(&now) == level(answer.left()) || twice && now == "nobody",
                "an issued token holds: {now} {story}"
            );
        }
    }
    let replaced = answer.is_ok()
        && [
            "login",
            "login-bob",
            "elevate",
            "switch",
            "logout",
            "forget",
        ]
        .contains(&op.name);
    let after = world.probe(&held);
    assert_no_gain(&held_before, &after, &story);
    if replaced && answer.came() != "nobody" {
        assert!(
            after.starts_with("nobody"),
            "an acknowledged end is an end: {after} {story}"
        );
    }
    if let Some(before) = before {
        let after = world.probe(&came);
        assert_no_gain(&before, &after, &story);
        if replaced {
            assert!(
                after == "nobody" || op.name == "elevate" && level(&after).1 == 0,
                "what came with it ended: {after} {story}"
            );
        }
    }
    calls
}

/// R09, R10, R71, invariants 4, 6 and 7: exhaustive for one fault and for two.
#[test]
fn no_store_fault_at_any_call_raises_a_privilege_or_undoes_an_acknowledged_end() {
    let mut runs = 0;
    for start in STARTS {
        for op in OPS {
            let calls = check(start, op, &[]);
            // A fault may bring further calls: loading again, taking back.
            for first in 0..calls + 3 {
                for fault in Fault::ALL {
                    check(start, op, &[(first, fault)]);
                    runs += 1;
                    for second in first + 1..calls + 3 {
                        for other in Fault::ALL {
                            check(start, op, &[(first, fault), (second, other)]);
                            runs += 1;
                        }
                    }
                }
            }
        }
    }
    println!("{runs} flows with faults");
    assert!(runs > 10_000, "{runs}");
}

/// R10: what a handler marks before it fails raises nothing and keeps what lowers.
#[test]
fn a_handler_that_fails_after_its_mark_logs_nobody_in() {
    for stored in [true, false] {
        for start in STARTS {
            for op in OPS {
                for end in [End::Answers(500), End::Answers(503), End::Errs, End::Panics] {
                    let world = World::new(stored.then(|| Arc::new(MemoryStore::new()) as _));
                    let (came, held) = begin(&world, start);
                    let before = world.probe(&held);
                    let op = op.ending(end);
                    let answer = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                        world.ask(op, &came)
                    }));
                    let story =
                        format!("stored {stored} {start:?} {} {end:?}: {answer:?}", op.name);
                    // A settlement that nobody waits for runs on a thread of its own.
                    let ends =
                        ["logout", "switch", "forget"].contains(&op.name) && start != Start::Reused;
                    let mut after = world.probe(&held);
                    for _ in 0..200 {
                        if !ends || after == "nobody" {
                            break;
                        }
                        std::thread::sleep(Duration::from_millis(5));
                        after = world.probe(&held);
                    }
                    assert_no_gain(&before, &after, &story);
                    assert!(!ends || after == "nobody", "{after} {story}");
                    if let Ok(answer) = &answer {
                        let raises = answer.session.as_deref().is_some_and(|token| {
                            !token.is_empty()
                                && level(&world.probe(&Cookies::session(token))) > level(&before)
                        });
                        assert!(!raises, "{story}");
                    }
                }
            }
        }
    }
}
