//! Who may do what, and how much of it.

use super::{
    action::{Act, Action, Budget},
    kept::Kept,
    scenario::Scenario,
};
use crate::simulation::world::{
    ACT, ARRIVE, ELEVATE, LOGIN, LOGIN_BOB, LOGOUT, PLANT, READ, RENEW, RETURN, STEP_DOWN, WRITE,
};

const NOTHING: Budget = Budget {
    victim: 0,
    attacker: 0,
    faults: 0,
    losses: 0,
    plants: 0,
    waits: 0,
    revocations: 0,
};

/// A login that reached the victim: it writes its record, and reads the cut-off.
const LOGGED_IN: &[Action] = &[
    Action::Victim(Act(LOGIN)),
    Action::Step(0),
    Action::Step(0),
    Action::Deliver(0),
];

/// A token of the attacker's own, in the victim's browser.
const PLANTED: &[Action] = &[
    Action::Attacker(Act(PLANT), None),
    Action::Step(0),
    Action::Plant(0),
];

/// A planted guest's token, a login over it, and whatever comes between.
pub(super) const FIXATION: Scenario = Scenario {
    victim: &[LOGIN, ELEVATE, WRITE],
    attacker: &[PLANT, LOGIN_BOB, READ],
    budget: Budget {
        victim: 2,
        attacker: 1,
        ..NOTHING
    },
    prefix: PLANTED,
    thief: false,
    held: false,
    kept: Kept::Store,
    mutant: None,
};

/// The same where a proxy vouches for the victim, so that the login comes before the handler.
pub(super) const FIXATION_AT_ARRIVAL: Scenario = Scenario {
    victim: &[ARRIVE, ELEVATE],
    attacker: &[LOGIN_BOB, READ],
    ..FIXATION
};

/// A browser without a session behind such a proxy, a store that fails, and an administrator.
pub(super) const ARRIVALS: Scenario = Scenario {
    victim: &[ARRIVE, ELEVATE, LOGOUT],
    budget: Budget {
        victim: 2,
        faults: 1,
        losses: 1,
        revocations: 1,
        ..NOTHING
    },
    prefix: &[],
    ..OVERLAP
};

/// One browser, two requests at a time, everything that it can do.
pub(super) const OVERLAP: Scenario = Scenario {
    victim: &[LOGIN, WRITE, ELEVATE, RENEW, LOGOUT],
    attacker: &[],
    budget: Budget {
        victim: 2,
        waits: 1,
        revocations: 1,
        ..NOTHING
    },
    prefix: LOGGED_IN,
    thief: false,
    held: false,
    kept: Kept::Store,
    mutant: None,
};

/// A store that fails before or after it wrote, and answers that are lost or late.
pub(super) const TROUBLE: Scenario = Scenario {
    victim: &[LOGIN, WRITE, ELEVATE, RENEW, LOGOUT],
    attacker: &[],
    budget: Budget {
        victim: 2,
        faults: 1,
        losses: 1,
        ..NOTHING
    },
    prefix: LOGGED_IN,
    thief: false,
    held: true,
    kept: Kept::Store,
    mutant: None,
};

/// A thief who has every token at once, and uses them beside the victim.
pub(super) const THEFT: Scenario = Scenario {
    victim: &[ELEVATE, RENEW, LOGOUT],
    attacker: &[RENEW],
    budget: Budget {
        victim: 2,
        attacker: 1,
        waits: 1,
        ..NOTHING
    },
    prefix: LOGGED_IN,
    thief: true,
    held: false,
    kept: Kept::Store,
    mutant: None,
};

/// Somebody acts as another, whatever else happens to the session, and everything of the actor may end.
pub(super) const IMPERSONATION: Scenario = Scenario {
    victim: &[ACT, RETURN, ELEVATE, STEP_DOWN, LOGOUT],
    attacker: &[],
    budget: Budget {
        victim: 2,
        revocations: 1,
        ..NOTHING
    },
    prefix: LOGGED_IN,
    thief: false,
    held: false,
    kept: Kept::Store,
    mutant: None,
};

/// The same from a session on in which somebody acts.
pub(super) const ACTING: Scenario = Scenario {
    prefix: ACTS,
    ..IMPERSONATION
};

/// A login and an impersonation: it reads the cut-offs of both, writes its record, and ends the one before.
const ACTS: &[Action] = &[
    Action::Victim(Act(LOGIN)),
    Action::Step(0),
    Action::Step(0),
    Action::Deliver(0),
    Action::Victim(Act(ACT)),
    Action::Step(1),
    Action::Step(1),
    Action::Step(1),
    Action::Step(1),
    Action::Step(1),
    Action::Step(1),
    Action::Deliver(1),
];

/// The same in tokens, with one request more.
pub(super) const IMPERSONATION_IN_TOKENS: Scenario = Scenario {
    budget: Budget {
        victim: 3,
        ..IMPERSONATION.budget
    },
    prefix: LOGGED_IN_BY_TOKEN,
    kept: Kept::Tokens,
    ..IMPERSONATION
};

/// A login without a store that reached the victim.
const LOGGED_IN_BY_TOKEN: &[Action] = &[
    Action::Victim(Act(LOGIN)),
    Action::Step(0),
    Action::Deliver(0),
];

/// A session in a token that is due to leave again with the next look.
const TO_BE_TOUCHED: &[Action] = &[
    Action::Victim(Act(LOGIN)),
    Action::Step(0),
    Action::Deliver(0),
    Action::Age,
];

/// The same for a token under the key before.
const TO_BE_SIGNED_AGAIN: &[Action] = &[
    Action::Victim(Act(LOGIN)),
    Action::Step(0),
    Action::Deliver(0),
    Action::NewKey,
];

/// One browser whose session is in a token that is to be touched: reads beside writes.
pub(super) const TOUCH: Scenario = Scenario {
    victim: &[READ, WRITE, LOGIN, LOGOUT],
    attacker: &[],
    budget: Budget {
        victim: 3,
        ..NOTHING
    },
    prefix: TO_BE_TOUCHED,
    thief: false,
    held: false,
    kept: Kept::Tokens,
    mutant: None,
};

/// The same for a token that is to be signed again.
pub(super) const RE_SIGNING: Scenario = Scenario {
    prefix: TO_BE_SIGNED_AGAIN,
    ..TOUCH
};

/// The same for a token that the policy replaces.
pub(super) const RENEWAL: Scenario = Scenario {
    kept: Kept::RenewedTokens,
    ..TOUCH
};
