//! [`Replay`]: what really happened after a list of actions: the middleware itself, run from the beginning.

use std::{sync::Arc, task::Poll, time::Duration};

use super::{
    action::Action,
    kept::Kept,
    plain::{Mutant, Plain},
};
use crate::{
    key::KeyRing,
    middleware::in_flight::InFlight,
    session::time::Timestamp,
    simulation::{
        faults::{is_of, level},
        store::Fault,
        world::{Answer, Cookies, FIRST_KEY, Flight, GRACE, Op, World},
    },
};

/// Who sends a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Who {
    Victim,
    Attacker,
}

/// A token that was ever issued, and what it opened when it was.
#[derive(Clone, Debug)]
pub(super) struct Issued {
    pub(super) value: String,
    pub(super) is_guest: bool,
    pub(super) opened: String,
    pub(super) at: Timestamp,
    /// Whether the attacker has it.
    pub(super) known: bool,
}

pub(super) struct Sent {
    pub(super) who: Who,
    pub(super) name: &'static str,
    pub(super) came: Cookies,
    flight: Option<Flight>,
    /// Done but not delivered.
    pub(super) answer: Option<Answer>,
    /// Whether everything of its user ended since it came.
    pub(super) revoked: bool,
}

impl Issued {
    fn is_of_alice(&self) -> bool {
        is_of(&self.opened, "alice")
    }
}

impl Sent {
    pub(super) const fn is_under_way(&self) -> bool {
        self.flight.is_some()
    }
}

pub(super) struct Replay {
    pub(super) world: World,
    pub(super) plain: Plain,
    pub(super) tokens: Vec<Issued>,
    pub(super) sent: Vec<Sent>,
    pub(super) jar: Cookies,
    /// Tokens whose end was acknowledged: they came with a login, an elevation or a logout that succeeded.
    pub(super) ended: Vec<usize>,
    /// Whether the victim's browser was told that what it wrote is in its token.
    pub(super) holds_written: bool,
}

/// For how long a session has to be in use until it is touched, or renewed where the policy asks for it.
const AGE: Duration = Duration::from_secs(61);

/// From now on store calls fail as `faults` says, and perhaps wait for their turn.
fn begin(world: &World, waits: bool, faults: &[(usize, Fault)]) {
    if let Some(store) = &world.store {
        store.begin(waits, faults);
    }
}

impl Replay {
    pub(super) fn of(kept: Kept, mutant: Option<Mutant>, path: &[Action]) -> Self {
        let plain = Plain::new(mutant);
        let store = (kept == Kept::Store).then(|| Arc::new(plain.clone()) as _);
        let world = World::with(store, |settings| {
            if kept == Kept::RenewedTokens {
                settings.policy = settings.policy.clone().renew_every(AGE).unwrap();
            }
            if path.iter().any(|action| action.is_vouched()) {
                World::behind_a_proxy(settings);
            }
            if mutant == Some(Mutant::ReissueOverwrites) {
                settings.in_flight = Arc::new(InFlight::deaf());
            }
        });
        begin(&world, true, &[]);
        let mut replay = Self {
            world,
            plain,
            tokens: Vec::new(),
            sent: Vec::new(),
            jar: Cookies::default(),
            ended: Vec::new(),
            holds_written: false,
        };
        for action in path {
            replay.apply(*action);
        }
        replay
    }

    fn apply(&mut self, action: Action) {
        match action {
            Action::Victim(op) => self.send(Who::Victim, op.0, self.jar.clone()),
            Action::Attacker(op, with) => {
                let cookies = with.map_or_else(Cookies::default, |token| self.cookies(token));
                self.send(Who::Attacker, op.0, cookies);
            }
            Action::Step(at) => self.step(at, None),
            Action::StepAndFail(at, fault) => self.step(at, Some(fault)),
            Action::Deliver(at) => {
                let answer = self.sent[at].answer.take().unwrap();
                match (self.sent[at].name, &answer.session) {
                    ("write", Some(_)) => self.holds_written = true,
                    ("login" | "login-bob" | "logout", _) => self.holds_written = false,
                    _ => {}
                }
                self.jar.take(&answer);
            }
            Action::Lose(at) => self.sent[at].answer = None,
            Action::Plant(token) => {
                let planted = self.cookies(token);
                self.jar.session = planted.session.or(self.jar.session.take());
                self.jar.guest = planted.guest.or(self.jar.guest.take());
            }
            Action::Wait => self.world.advance(GRACE + Duration::from_secs(1)),
            Action::Age => self.world.advance(AGE),
            Action::NewKey => {
                let keys = [*b"another, unguessable, of 32 byte", FIRST_KEY];
                self.world.replace_keys(&KeyRing::from_bytes(keys).unwrap());
            }
            Action::Revoke => {
                self.world.revoke("alice");
                let issued = self.tokens.iter().enumerate();
                let of_alice = issued.filter(|(_, token)| token.is_of_alice());
                self.ended.extend(of_alice.map(|(at, _)| at));
                self.holds_written = false;
                for sent in self.sent.iter_mut().filter(|sent| sent.is_under_way()) {
                    sent.revoked = true;
                }
            }
        }
    }

    fn send(&mut self, who: Who, op: Op, came: Cookies) {
        let flight = self.world.send(op, &came);
        self.sent.push(Sent {
            who,
            name: op.name,
            came,
            flight: Some(flight),
            answer: None,
            revoked: false,
        });
        self.poll(self.sent.len() - 1);
    }

    fn step(&mut self, at: usize, fault: Option<Fault>) {
        // The next call, whichever it is, is this request's.
        let faults: Vec<_> = fault.map(|fault| (0, fault)).into_iter().collect();
        begin(&self.world, true, &faults);
        self.poll(at);
        begin(&self.world, true, &[]);
    }

    fn poll(&mut self, at: usize) {
        let sent = &mut self.sent[at];
        let Poll::Ready(answer) = sent.flight.as_mut().unwrap().step() else {
            return;
        };
        sent.flight = None;
        let (who, name, came) = (sent.who, sent.name, sent.came.clone());
        // A login at arrival comes before the handler, which tells how many revocations there were.
        let revoked = if name == "arrive" && came == Cookies::default() {
            sent.revoked
        } else {
            answer.revocations < self.world.revocations()
        };
        for (written, is_guest) in [(&answer.session, false), (&answer.guest, true)] {
            if let Some(value) = written.as_ref().filter(|value| !value.is_empty()) {
                self.tokens.push(Issued {
                    value: value.clone(),
                    is_guest,
                    opened: answer.left().to_owned(),
                    at: self.world.now(),
                    known: who == Who::Attacker,
                });
                // S05: what was admitted before everything of its subject ended has ended too.
                if revoked && self.tokens.last().is_some_and(Issued::is_of_alice) {
                    self.ended.push(self.tokens.len() - 1);
                }
            }
        }
        // Who acts already, or not, changes nothing by an impersonation, or the return from one.
        let switches = ["act", "return"].contains(&name)
            && answer.is_ok()
            && level(answer.came()).0 != level(answer.left()).0;
        let number = came.session.as_ref().and_then(|value| self.number(value));
        if switches && number.is_some_and(|came| self.ended.contains(&came)) {
            // What ended brings nobody back.
            self.ended.push(self.tokens.len() - 1);
        }
        let replaces = ["login", "login-bob", "elevate", "logout"].contains(&name) || switches;
        if answer.is_ok() && replaces && answer.came() != "nobody" {
            // A guest's cookie beside a session's is ended by a login and a logout, not by an elevation.
            let guest = came.guest.as_ref().filter(|_| came.session.is_none());
            for value in [came.session.as_ref(), guest].into_iter().flatten() {
                self.ended.extend(self.number(value));
            }
        }
        if answer.is_ok() && name == "arrive" && answer.session.is_some() {
            self.ended
                .extend(came.guest.and_then(|guest| self.number(&guest)));
        }
        if who == Who::Victim {
            self.sent[at].answer = Some(answer);
        }
    }

    pub(super) fn number(&self, value: &str) -> Option<usize> {
        self.tokens.iter().position(|token| token.value == value)
    }

    pub(super) fn cookies(&self, token: usize) -> Cookies {
        let token = &self.tokens[token];
        if token.is_guest {
            Cookies::guest(&token.value)
        } else {
            Cookies::session(&token.value)
        }
    }

    /// Whom these cookies open, without leaving a trace.
    pub(super) fn probe(&self, cookies: &Cookies) -> String {
        let content = self.plain.content();
        let opened = self.world.probe(cookies);
        self.plain.restore(content);
        opened
    }
}

impl Drop for Replay {
    /// Nothing is left to a runtime: there is none.
    fn drop(&mut self) {
        begin(&self.world, false, &[]);
        for flight in self.sent.iter_mut().filter_map(|sent| sent.flight.take()) {
            flight.finish();
        }
    }
}
