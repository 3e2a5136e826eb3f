//! The store, and what the server writes into tokens.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::{Behaviour, Carrier};
use crate::rust::random;

#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) user: Option<String>,
    pub(crate) level: u8,
    pub(crate) csrf: String,
    pub(crate) agent: String,
    pub(super) number: u64,
    pub(super) used: Instant,
}

pub(crate) struct Sessions {
    pub(crate) behaviour: Behaviour,
    key: String,
    state: Mutex<State>,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) sessions: BTreeMap<String, Session>,
    /// Remember-me tokens and whose they are.
    pub(crate) remembered: BTreeMap<String, String>,
    pub(crate) passwords: BTreeMap<String, String>,
    generations: BTreeMap<String, u64>,
    started: u64,
}

impl Sessions {
    pub(crate) fn new(behaviour: Behaviour) -> Self {
        let passwords = ["alice", "bob"]
            .map(|user| (user.to_owned(), format!("{user}-password")))
            .into();
        let state = State {
            passwords,
            ..State::default()
        };
        Self {
            behaviour,
            key: random(),
            state: Mutex::new(state),
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The session under a token, where it is alive and may be used by this agent.
    pub(crate) fn load(&self, token: &str, agent: &str) -> Option<Session> {
        if let Some(session) = self.opened(token).filter(|_| self.is_computed()) {
            return Some(session);
        }
        let mut state = self.state();
        let keeps = !self.behaviour.keeps_no_limit;
        let limit = self.behaviour.idle.filter(|_| keeps);
        let limit = limit.unwrap_or(Duration::MAX);
        let session = state.sessions.get_mut(token)?;
        if session.used.elapsed() > limit || (self.behaviour.binds_agent && session.agent != agent)
        {
            return None;
        }
        session.used = Instant::now();
        Some(session.clone())
    }

    /// Starts a session, under a token of the server's.
    pub(crate) fn start(&self, user: Option<&str>, level: u8, agent: &str) -> String {
        if let Some(user) = user.filter(|_| self.is_computed()) {
            return self.sealed(user);
        }
        let token = self.fresh();
        let session = Session {
            user: user.map(ToOwned::to_owned),
            level,
            csrf: random(),
            agent: agent.to_owned(),
            number: 0,
            used: Instant::now(),
        };
        self.keep(&token, session);
        token
    }

    fn fresh(&self) -> String {
        if !self.behaviour.counts {
            return random();
        }
        let mut state = self.state();
        state.started += 1;
        format!("{:06}", 1_000 + state.started)
    }

    pub(crate) fn keep(&self, token: &str, session: Session) {
        let mut state = self.state();
        state.started += 1;
        let number = state.started;
        state
            .sessions
            .insert(token.to_owned(), Session { number, ..session });
        let user = state.sessions[token].user.clone();
        let most = |of: &dyn Fn(&Session) -> bool, most: usize, state: &mut State| {
            while state.sessions.values().filter(|s| of(s)).count() > most {
                let oldest = state
                    .sessions
                    .iter()
                    .filter(|(_, s)| of(s))
                    .min_by_key(|(_, s)| s.number)
                    .map(|(token, _)| token.clone());
                state.sessions.remove(&oldest.unwrap());
            }
        };
        if self.behaviour.five_an_address {
            most(&|_| true, 5, &mut state);
        }
        if let Some(limit) = self.behaviour.limit
            && user.is_some()
            && !self.behaviour.keeps_no_limit
        {
            most(&|session| session.user == user, limit, &mut state);
        }
    }

    pub(crate) fn end(&self, token: &str) {
        self.state().sessions.remove(token);
        if self.behaviour.carrier == Carrier::Computed
            && let Some(user) = self.opened(token).and_then(|session| session.user)
        {
            *self.state().generations.entry(user).or_default() += 1;
        }
    }

    /// All sessions of the user but this one.
    pub(crate) fn end_others(&self, user: &str, token: &str) {
        self.state()
            .sessions
            .retain(|other, session| other == token || session.user.as_deref() != Some(user));
    }

    // ===== computed tokens =====

    fn is_computed(&self) -> bool {
        matches!(
            self.behaviour.carrier,
            Carrier::Computed | Carrier::ComputedForGood
        )
    }

    fn mac(&self, text: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.key.as_bytes()).unwrap();
        mac.update(text.as_bytes());
        let bytes = mac.finalize().into_bytes();
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }

    fn sealed(&self, user: &str) -> String {
        let generation = self.state().generations.get(user).copied().unwrap_or(0);
        let text: String = format!("{user}/{generation}")
            .bytes()
            .map(|b| format!("{b:02x}"))
            .collect();
        format!("{text}~{}", self.mac(&text))
    }

    fn opened(&self, token: &str) -> Option<Session> {
        let (text, mac) = token.split_once('~')?;
        if mac != self.mac(text) {
            return None;
        }
        let bytes = (0..text.len() / 2)
            .map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap());
        let text = String::from_utf8(bytes.collect()).unwrap();
        let (user, generation) = text.split_once('/')?;
        let current = self.state().generations.get(user).copied().unwrap_or(0);
        (generation == current.to_string()).then(|| Session {
            user: Some(user.to_owned()),
            level: 1,
            csrf: String::new(),
            agent: String::new(),
            number: 0,
            used: Instant::now(),
        })
    }
}
