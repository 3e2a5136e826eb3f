//! A browser, which notes what was acknowledged: every answer whose head came.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use super::{
    connection::{Connection, set, user},
    ledger::{Action, Entry, Opens, Tally},
};
use crate::common::{GUEST, SESSION};

pub(super) struct Browser {
    users: [String; 2],
    /// What it puts as a guest, and nobody else does.
    data: String,
    pub(super) entries: Vec<Entry>,
    /// The token that it sends: one of the entries.
    held: Option<usize>,
    /// The request that had no answer, and the token that it came with.
    unanswered: Option<(Action, Option<usize>)>,
    /// The entries from here on have not been looked at since the last kill.
    unchecked: usize,
    dice: u64,
    pub(super) tally: Tally,
}

impl Browser {
    pub(super) fn new(number: u64) -> Self {
        Self {
            users: ["a", "b"].map(|other| format!("user-{number}-{other}")),
            data: format!("data-{number}"),
            entries: Vec::new(),
            held: None,
            unanswered: None,
            unchecked: 0,
            dice: number,
            tally: Tally::default(),
        }
    }

    /// Sends one request after the other until one is not answered.
    pub(super) async fn load(mut self, server: SocketAddr, acknowledged: Arc<AtomicU64>) -> Self {
        let Ok(mut connection) = Connection::open(server).await else {
            return self;
        };
        while self.step(&mut connection).await {
            acknowledged.fetch_add(1, Relaxed);
        }
        self
    }

    /// One request, and whether it was acknowledged.
    async fn step(&mut self, connection: &mut Connection) -> bool {
        let held = self.held.map(|held| &self.entries[held]);
        let before = held.map_or(Opens::Nothing, |entry| entry.opens().clone());
        let action = self.choose(&before);
        let issued = action.issues(&before, &self.users);
        let cookie = match action {
            Action::Visit => None,
            _ => self.held.map(|held| self.entries[held].cookie.clone()),
        };
        // From here on it may have been carried out.
        if let Some(held) = self.held
            && action.retires()
            && before != Opens::Nothing
        {
            self.entries[held].may_open.push(Opens::Nothing);
        }
        let path = match (action, &issued) {
            (Action::Visit, _) => format!("/put?k=k&v={}", self.data),
            (Action::Login | Action::LoginAsOther, Some(Opens::User { name, .. })) => {
                format!("/login?user={name}")
            }
            (Action::Elevate, _) => "/elevate".to_owned(),
            (Action::StepDown, _) => "/step-down".to_owned(),
            (Action::Logout, _) => "/logout".to_owned(),
            _ => "/whoami".to_owned(),
        };
        let answer = connection.send(&path, cookie.as_deref()).await;
        let Some(answer) = answer.filter(|answer| answer.status != 503) else {
            self.tally.unanswered += 1;
            self.unanswered = Some((action, self.held));
            return false;
        };
        assert_eq!(answer.status, 200, "{action:?} of {before:?}");
        *self
            .tally
            .acknowledged
            .entry(action.of(&before))
            .or_default() += 1;
        if action == Action::Read {
            if let Some(body) = answer.body {
                let who = match before {
                    Opens::Guest => Opens::Nothing,
                    who => who,
                };
                assert_eq!(user(&body), who, "while the server ran");
            }
            return true;
        }
        if action.retires()
            && let Some(held) = self.held.take()
        {
            self.entries[held].may_open = vec![Opens::Nothing];
        }
        if let Some(opens) = issued {
            let name = if opens == Opens::Guest {
                GUEST
            } else {
                SESSION
            };
            let token = set(&answer.headers, name).expect("what was marked issues a token");
            self.held = Some(self.entries.len());
            self.entries.push(Entry::new(&token, opens));
        }
        true
    }

    fn choose(&mut self, held: &Opens) -> Action {
        self.dice = self
            .dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let rolled = self.dice >> 33;
        match (held, rolled % 10) {
            (Opens::Nothing, 0..3) => Action::Login,
            (Opens::Nothing, _) => Action::Visit,
            (Opens::Guest, 0..8) => Action::Login,
            (Opens::Guest, 8) => Action::Logout,
            (Opens::User { .. }, 0..2) => Action::Elevate,
            (Opens::User { .. }, 2) => Action::StepDown,
            (Opens::User { .. }, 3..6) => Action::Logout,
            (Opens::User { .. }, 6) => Action::Login,
            (Opens::User { .. }, 7) => Action::LoginAsOther,
            (Opens::Guest | Opens::User { .. }, _) => Action::Read,
        }
    }

    /// Looks at what the tokens open that were in use since the last time, or at all of them.
    pub(super) async fn check(&mut self, server: SocketAddr, all: bool) {
        let mut connection = Connection::open(server).await.unwrap();
        let older = self.held.filter(|held| *held < self.unchecked);
        let from = if all { 0 } else { self.unchecked };
        for number in older.into_iter().chain(from..self.entries.len()) {
            let entry = &self.entries[number];
            let opens = connection.look(entry, &self.data).await;
            assert!(
                entry.may_open.contains(&opens),
                "token {number} of {}, held {:?}, unanswered {:?}: opens {opens:?}, and may {:?}",
                self.users[0],
                self.held,
                self.unanswered,
                entry.may_open
            );
            if let Some((action, held)) = self.unanswered
                && held == Some(number)
                && action.retires()
                && entry.may_open.len() > 1
            {
                let carried_out = opens == Opens::Nothing;
                let fates = self.tally.fates.entry(action.of(entry.opens()));
                fates.or_default()[usize::from(!carried_out)] += 1;
            }
            self.entries[number].may_open = vec![opens];
        }
        self.unchecked = self.entries.len();
        self.unanswered = None;
    }

    /// How many of its tokens open something.
    pub(super) fn live(&self) -> u64 {
        let live = self.entries.iter();
        let live = live.filter(|entry| *entry.opens() != Opens::Nothing);
        live.count() as u64
    }
}
