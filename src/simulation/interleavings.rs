//! Every interleaving of every pair and triple of requests that hold the same token.
//!
//! Requests meet in the store or in the list of ended tokens, and nowhere else: what a request does between
//! two store calls commutes with what others do. So it is enough to let every other request go first before
//! each store call, and, where there is no store, before the admission and before the settlement.

use std::{sync::Arc, task::Poll, time::Duration};

use super::world::{
    APPEND, Answer, Cookies, ELEVATE, EMPTY, Flight, GRACE, LOGIN, LOGIN_BOB, LOGOUT, Op, PLANT,
    PLANT_ONE, READ, RENEW, STEP_DOWN, WRITE, World,
};
use crate::{session::event::EventKind, store::MemoryStore};

/// Something that happens beside others: a request, or what comes from outside any request.
#[derive(Clone, Copy, Debug)]
enum Act {
    Request(Op),
    /// An administrator ends all of alice's sessions.
    Revoke,
    /// More than a grace time passes.
    Wait,
}

impl Act {
    fn name(self) -> &'static str {
        match self {
            Self::Request(op) => op.name,
            Self::Revoke => "revoke",
            Self::Wait => "wait",
        }
    }
}

const ACTS: [Act; 10] = [
    Act::Request(READ),
    Act::Request(WRITE),
    Act::Request(LOGIN),
    Act::Request(LOGIN_BOB),
    Act::Request(ELEVATE),
    Act::Request(STEP_DOWN),
    Act::Request(RENEW),
    Act::Request(LOGOUT),
    Act::Revoke,
    Act::Wait,
];

/// One run to its end.
struct Run {
    world: World,
    stored: bool,
    first: Cookies,
    /// In the order in which they were done; no answer for what is no request.
    done: Vec<(Act, Option<Answer>)>,
    /// What a browser holds that got every answer as soon as it was there.
    jar: Cookies,
    order: Vec<usize>,
}

impl Run {
    fn answers(&self, names: &[&str]) -> impl Iterator<Item = &Answer> {
        let named = self
            .done
            .iter()
            .filter(|(act, _)| names.contains(&act.name()));
        named.filter_map(|(_, answer)| answer.as_ref())
    }

    /// The answers to logins, but for those that a revocation refused.
    fn logins(&self) -> Vec<&Answer> {
        let all = self.answers(&["login", "login-bob"]);
        all.filter(|answer| answer.is_ok() || !self.had("revoke"))
            .collect()
    }

    fn had(&self, name: &str) -> bool {
        self.done.iter().any(|(act, _)| act.name() == name)
    }

    #[track_caller]
    fn assert(&self, holds: bool, rule: &str) {
        let acts: Vec<_> = self
            .done
            .iter()
            .map(|(act, answer)| {
                (
                    act.name(),
                    answer
                        .as_ref()
                        .map(|answer| (answer.status, &answer.body, answer.session.is_some())),
                )
            })
            .collect();
        assert!(
            holds,
            "{rule}: stored {}, order {:?}, {acts:?}",
            self.stored, self.order
        );
    }
}

/// Runs `acts` in every order and hands each finished run to `check`; says how many there were.
fn every_order(
    stored: bool,
    acts: &[Act],
    prepare: fn(&World) -> Cookies,
    check: fn(&Run),
) -> usize {
    let (mut runs, mut open) = (0, vec![Vec::new()]);
    while let Some(prefix) = open.pop() {
        let (run, choices) = run(stored, acts, prepare, &prefix);
        for (at, (chosen, ready)) in choices.iter().enumerate().skip(prefix.len()) {
            for other in ready.iter().filter(|other| *other > chosen) {
                let mut next = run.order[..at].to_vec();
                next.push(*other);
                open.push(next);
            }
        }
        check(&run);
        runs += 1;
    }
    runs
}

/// Follows `prefix` and then takes the first that can go on; says what could have been chosen.
fn run(
    stored: bool,
    acts: &[Act],
    prepare: fn(&World) -> Cookies,
    prefix: &[usize],
) -> (Run, Vec<(usize, Vec<usize>)>) {
    let store = stored.then(|| Arc::new(MemoryStore::new()) as _);
    let world = World::new(store);
    let first = prepare(&world);
    if let Some(store) = &world.store {
        store.begin(true, &[]);
        if !acts.iter().any(|act| matches!(act, Act::Revoke)) {
            store.read_cutoffs_at_once();
        }
    }
    let mut flights: Vec<Option<Flight>> = acts
        .iter()
        .map(|act| match act {
            Act::Request(op) => Some(world.send(*op, &first)),
            Act::Revoke | Act::Wait => None,
        })
        .collect();
    if stored {
        // Up to their first store call, which nobody sees.
        for flight in flights.iter_mut().flatten() {
            assert!(flight.step().is_pending());
        }
    }
    let mut ready: Vec<usize> = (0..acts.len()).collect();
    let (mut done, mut choices, mut order) = (Vec::new(), Vec::new(), Vec::new());
    let mut jar = first.clone();
    while !ready.is_empty() {
        let chosen = prefix.get(order.len()).copied().unwrap_or(ready[0]);
        choices.push((chosen, ready.clone()));
        order.push(chosen);
        let finished = match (&acts[chosen], &mut flights[chosen]) {
            (Act::Request(_), Some(flight)) => match flight.step() {
                Poll::Pending => continue,
                Poll::Ready(answer) => Some(answer),
            },
            (Act::Revoke, _) => {
                world.revoke("alice");
                None
            }
            _ => {
                world.advance(GRACE + Duration::from_secs(1));
                None
            }
        };
        if let Some(answer) = &finished {
            jar.take(answer);
        }
        done.push((acts[chosen], finished));
        ready.retain(|act| *act != chosen);
    }
    let run = Run {
        world,
        stored,
        first,
        done,
        jar,
        order,
    };
    (run, choices)
}

fn sets(of: usize, acts: &[Act]) -> Vec<Vec<Act>> {
    if of == 0 {
        return vec![Vec::new()];
    }
    let with = |(at, act): (usize, &Act)| {
        let smaller = sets(of - 1, &acts[at..]);
        smaller
            .into_iter()
            .map(move |rest| [vec![*act], rest].concat())
            .collect::<Vec<_>>()
    };
    acts.iter().enumerate().flat_map(with).collect()
}

fn alice(world: &World) -> Cookies {
    let answer = world.ask(LOGIN, &Cookies::default());
    Cookies::session(&answer.session.unwrap())
}

fn guest(world: &World) -> Cookies {
    let answer = world.ask(PLANT, &Cookies::default());
    Cookies::guest(&answer.guest.unwrap())
}

/// What must hold after any interleaving of requests that came with alice's token.
fn check_alice(run: &Run) {
    let issued: Vec<_> = run.logins();
    let in_place: Vec<_> = run
        .answers(&["read", "write", "elevate", "step-down", "renew"])
        .filter(|answer| answer.session.is_some())
        .collect();
    for (act, answer) in &run.done {
        let Some(answer) = answer else { continue };
        let ended_under_way = act.name() == "login" && run.had("revoke");
        let refusable = ["elevate", "step-down"].contains(&act.name()) || ended_under_way;
        run.assert(
            answer.is_ok() || refusable && answer.status == 401,
            "an answer for everyone",
        );
        run.assert(
            answer.is_ok() || answer.sets_nothing(),
            "a refusal writes no cookie",
        );
        run.assert(
            act.name() != "read" || answer.sets_nothing(),
            "a read writes no cookie (R15)",
        );
        run.assert(
            act.name() != "write" || !run.stored || answer.session.is_none(),
            "nor a write",
        );
    }
    run.assert(
        issued.iter().all(|answer| answer.session.is_some()),
        "a login issues a token",
    );
    let rotations = |names: &[&str]| {
        run.answers(names)
            .filter(|a| a.session.as_deref().is_some_and(|t| !t.is_empty()))
            .count()
    };
    run.assert(
        rotations(&["elevate", "step-down"]) <= 1,
        "one successor of a generation (R11)",
    );
    run.assert(
        rotations(&["renew"]) <= 1,
        "one successor of a renewal (R12)",
    );

    // From the newest to the oldest, since the oldest may be taken for stolen and end the session.
    let first = run.first.session.as_deref().unwrap();
    let probe = |token: &str| run.world.probe(&Cookies::session(token));
    let level = |text: &str| text.split(' ').next().unwrap().to_owned();
    for answer in issued.iter().chain(&in_place) {
        let (token, claimed) = (answer.session.as_deref().unwrap(), answer.left());
        let now = probe(token);
        let falls = level(claimed).replace("@2", "@1") == level(&now);
        run.assert(
            now == "nobody" || level(&now) == level(claimed) || falls,
            "no token rises by itself",
        );
    }
    if !run.had("logout") && !run.had("revoke") && !run.had("wait") {
        let held = run.world.probe(&run.jar);
        run.assert(
            held != "nobody",
            "an interleaving alone leaves no browser without a session",
        );
        let wrote = run
            .answers(&["write"])
            .any(|answer| answer.came() != "nobody");
        let kept = !run.stored || !wrote || !issued.is_empty() || held.contains("k=written");
        run.assert(kept, "an accepted write is kept");
    }
    let ended = run
        .answers(&["logout"])
        .any(|answer| answer.came() != "nobody")
        || run.had("revoke");
    let revocations = run.world.revocations();
    let mut logins = run
        .answers(&["login"])
        .filter(|answer| answer.revocations < revocations)
        .filter_map(|answer| answer.session.as_deref());
    let survives = logins.any(|token| probe(token) != "nobody");
    run.assert(
        !survives,
        "no login that was under way survives a revocation (S05)",
    );
    let alive = |answers: &[&Answer]| {
        let tokens = answers
            .iter()
            .filter_map(|answer| answer.session.as_deref());
        tokens
            .filter(|token| !token.is_empty() && probe(token) != "nobody")
            .count()
    };
    run.assert(
        !ended || alive(&in_place) == 0,
        "an ended session never comes back (R05, R16)",
    );
    let replaced =
        ended || !issued.is_empty() || run.answers(&["elevate", "step-down"]).any(Answer::is_ok);
    if run.stored {
        let own = alive(&in_place) > 0 || probe(first) != "nobody";
        // A write whose token was dead already began a guest session.
        let guests = run
            .done
            .iter()
            .filter_map(|(_, answer)| answer.as_ref()?.guest.clone());
        let guests = guests.filter(|token| run.world.probe(&Cookies::guest(token)) != "nobody");
        let live = alive(&issued) + usize::from(own) + guests.count();
        run.assert(
            run.world.records() == live as u64,
            "no record without a holder",
        );
    }
    run.assert(
        !replaced || probe(first) == "nobody",
        "a replaced token is dead (R01, R03)",
    );
    run.world.advance(GRACE);
    let same_session = alive(
        &in_place
            .iter()
            .filter(|a| run.stored || !a.left().is_empty())
            .copied()
            .collect::<Vec<_>>(),
    );
    let first = usize::from(probe(first) != "nobody");
    // Self-contained writes sign the same token again with other data.
    let again = if run.stored { 0 } else { rotations(&["write"]) };
    run.assert(
        same_session + first <= 1 + again,
        "after the grace time one token lives",
    );
}

/// R01, R03, R05, R11, R12, R15, R16, A22–A26: exhaustive.
#[test]
fn no_interleaving_of_two_or_three_requests_breaks_a_rule() {
    let mut runs = 0;
    for stored in [true, false] {
        for of in [2, 3] {
            for acts in sets(of, &ACTS) {
                runs += every_order(stored, &acts, alice, check_alice);
            }
        }
    }
    println!("{runs} interleavings");
    assert!(runs > 10_000, "{runs}");
}

/// What must hold after any interleaving of requests that came with a token that an attacker planted.
fn check_guest(run: &Run) {
    let planted = run.first.guest.as_deref().unwrap();
    let logins = run.logins();
    for answer in &logins {
        let token = answer.session.as_deref().unwrap();
        let held = run.world.probe(&Cookies::session(token));
        run.assert(
            held == "nobody" || held == answer.left(),
            "a login is who it says",
        );
        run.assert(
            !held.contains("planted") && !answer.left().contains("planted"),
            "nothing planted survives (R07)",
        );
        run.assert(answer.guest.as_deref() == Some(""), "the guest cookie goes");
    }
    let swapped = Cookies {
        session: Some(planted.to_owned()),
        guest: Some(planted.to_owned()),
        ..Cookies::default()
    };
    for cookies in [&run.first, &Cookies::session(planted), &swapped] {
        let held = run.world.probe(cookies);
        run.assert(
            held.starts_with("nobody"),
            "a planted token is never anybody (A01)",
        );
        let ended = !logins.is_empty() || run.answers(&["logout"]).any(|a| a.came() != "nobody");
        run.assert(
            !ended || held == "nobody",
            "a planted session ends with the login",
        );
    }
    for answer in run.answers(&["read", "write", "renew", "plant"]) {
        run.assert(
            answer.session.is_none(),
            "a guest's request never writes the session cookie (R15)",
        );
    }
    if !run.had("logout") && !run.had("revoke") {
        let held = run.world.probe(&run.jar);
        run.assert(
            logins.is_empty() || !held.starts_with("nobody"),
            "whoever logged in is logged in",
        );
    }
}

/// R07, R08, R15, A01, A18, A23: exhaustive.
#[test]
fn a_planted_guest_token_gains_nothing_by_any_interleaving() {
    let mut runs = 0;
    for stored in [true, false] {
        for of in [2, 3] {
            for acts in sets(of, &ACTS) {
                runs += every_order(stored, &acts, guest, check_guest);
            }
        }
    }
    println!("{runs} interleavings");
    assert!(runs > 10_000, "{runs}");
}

/// What must hold after any interleaving of updates of one value, and of what replaces the token meanwhile.
fn check_updates(run: &Run) {
    let updates: Vec<_> = run.answers(&["append"]).collect();
    run.assert(
        updates.iter().all(|answer| answer.is_ok()),
        "an update is answered",
    );
    let held = run.world.probe(&run.jar);
    // What comes with a token that an elevation replaced writes nothing, and is told so.
    let counted = updates
        .iter()
        .filter(|answer| !answer.came().starts_with("nobody"));
    run.assert(
        held.matches('+').count() == counted.count(),
        "no update is lost (R11)",
    );
}

/// R11: exhaustive, with a store.
#[test]
fn no_interleaving_of_updates_loses_one() {
    let [append, write, renew, elevate] = [APPEND, EMPTY, RENEW, ELEVATE].map(Act::Request);
    let mut runs = 0;
    for acts in [
        &[append, append][..],
        &[append, append, append],
        &[append, append, write],
        &[append, append, renew],
        &[append, append, elevate],
    ] {
        runs += every_order(true, acts, alice, check_updates);
    }
    println!("{runs} interleavings");
    assert!(runs > 100, "{runs}");
}

fn guest_of_one_value(world: &World) -> Cookies {
    let answer = world.ask(PLANT_ONE, &Cookies::default());
    Cookies::guest(&answer.guest.unwrap())
}

/// What must hold after any interleaving of requests that take a guest's last value away, or put another one in.
fn check_emptied(run: &Run) {
    let planted = run.first.guest.as_deref().unwrap();
    run.assert(
        run.done
            .iter()
            .all(|(_, answer)| answer.as_ref().is_some_and(Answer::is_ok)),
        "an answer for everyone",
    );
    let told = run.world.heard();
    let held = run.world.probe(&Cookies::guest(planted));
    run.assert(!held.contains("c="), "what was removed is gone");
    // One whose session had ended at its arrival begins another.
    let wrote: Vec<_> = run.answers(&["write", "append"]).collect();
    let into_this = wrote.iter().any(|answer| answer.guest.is_none());
    let blocked = told.contains(&EventKind::ResurrectionBlocked);
    run.assert(
        !run.stored || !into_this || blocked || held.contains("k="),
        "a write that is not told as dropped is kept (R16)",
    );
    let others = wrote
        .iter()
        .filter(|answer| answer.guest.as_deref().is_some_and(|t| t != planted));
    let ended = told.contains(&EventKind::GuestEnded);
    if run.stored {
        run.assert(
            held.is_empty() || (held == "nobody") == ended,
            "it ends, or holds something",
        );
        let live = others.filter(|a| !a.guest.as_deref().unwrap_or_default().is_empty());
        run.assert(
            run.world.records() == live.count() as u64 + u64::from(!ended),
            "no record without data",
        );
    } else {
        run.assert(!ended || held == "nobody", "an ended session stays ended");
    }
    let removals = run
        .answers(&["empty"])
        .filter(|answer| answer.guest.as_deref() == Some(""));
    run.assert(
        ended == (removals.count() > 0),
        "it is told where the cookie goes",
    );
}

/// R16, R17: exhaustive.
#[test]
fn a_guests_session_ends_with_its_last_value_and_loses_no_write_to_it() {
    let [empty, write, append] = [EMPTY, WRITE, APPEND].map(Act::Request);
    let mut runs = 0;
    for stored in [true, false] {
        for acts in [
            &[empty, empty][..],
            &[empty, write],
            &[empty, append],
            &[empty, empty, write],
            &[empty, append, write],
            &[empty, empty, empty],
        ] {
            runs += every_order(stored, acts, guest_of_one_value, check_emptied);
        }
    }
    println!("{runs} interleavings");
    assert!(runs > 100, "{runs}");
}
