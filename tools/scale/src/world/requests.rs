//! What users do: requests, retries and logins.

use std::time::Duration;

use super::{Event, Kind, World, nanos};
use crate::{SECOND, Time, node::Node};

/// The pauses of clients that failed, which double up to the last.
const FIRST_RETRY: Time = SECOND;
const LAST_RETRY: Time = 30 * SECOND;

impl World<'_> {
    fn node_of(&self, number: usize) -> &Node {
        &self.nodes[number % self.setup.nodes]
    }

    pub(super) fn request(&mut self, number: usize) {
        let live = self.node_of(number).live(self.now);
        let session = &self.sessions[number];
        if live.is_some() && session.copy == live {
            self.outcome.hits += 1;
            return self.loaded(number, self.now);
        }
        match live {
            Some(_) => self.outcome.fills += 1,
            None => self.outcome.reads_past += 1,
        }
        self.send(Kind::Read(number, self.now, live));
    }

    pub(super) fn read(&mut self, number: usize, began: Time, epoch: Option<u32>) {
        let is_logged_out = self.sessions[number].is_logged_out;
        if is_logged_out {
            // The request itself was answered: there is no such session.
            self.outcome.request(began, Some(self.now));
            let typing = self.rng.u64(0..=nanos(self.setup.login.typing));
            self.sessions[number].is_waiting = true;
            self.events.at(self.now + typing, Event::Login(number));
            return;
        }
        if epoch.is_some() && epoch == self.node_of(number).epoch {
            self.sessions[number].copy = epoch;
        }
        self.loaded(number, began);
    }

    /// The session is there: it is touched if that is due.
    fn loaded(&mut self, number: usize, began: Time) {
        if self.now >= self.sessions[number].touch_due {
            self.outcome.touches += 1;
            self.send(Kind::Touch(number, began));
        } else {
            self.served(number, began);
        }
    }

    /// A node drops its copy with its own write, and the server tells the others.
    pub(super) fn touched(&mut self, number: usize, began: Time) {
        let session = &mut self.sessions[number];
        session.copy = None;
        session.touch_due = self.now + nanos(self.setup.touch_after);
        self.served(number, began);
    }

    fn served(&mut self, number: usize, began: Time) {
        self.outcome.request(began, Some(self.now));
        let session = &mut self.sessions[number];
        session.retries = 0;
        if std::mem::take(&mut session.is_waiting) {
            self.outcome.all_served_at = Duration::from_nanos(self.now);
        }
    }

    pub(super) fn failed(&mut self, number: usize, began: Time) {
        self.outcome.request(began, None);
        let pause = self.pause(number);
        self.events.at(self.now + pause, Event::Retry(number));
    }

    fn pause(&mut self, number: usize) -> Time {
        let session = &mut self.sessions[number];
        session.is_waiting = true;
        let pause = (FIRST_RETRY << session.retries.min(10)).min(LAST_RETRY);
        session.retries += 1;
        if self.setup.jitter {
            self.rng.u64(pause / 2..=pause)
        } else {
            pause
        }
    }

    pub(super) fn log_in(&mut self, number: usize) {
        let (node, login) = (number % self.setup.nodes, &self.setup.login);
        let patience = nanos(login.patience);
        match self.nodes[node].hash(self.now, login) {
            Some(done) => {
                // A client that is gone is not noticed.
                let is_gone = done > self.now + patience;
                self.events.at(done, Event::Hashed(number, is_gone));
                if is_gone {
                    let pause = patience + self.pause(number);
                    self.events.at(self.now + pause, Event::Login(number));
                }
            }
            None => {
                let pause = self.pause(number);
                self.events.at(self.now + pause, Event::Login(number));
            }
        }
    }

    pub(super) fn logged_in(&mut self, number: usize, is_good: bool) {
        if is_good {
            self.outcome.logins += 1;
            let session = &mut self.sessions[number];
            session.is_logged_out = false;
            session.copy = None;
            session.touch_due = self.now + nanos(self.setup.touch_after);
            session.is_waiting = false;
            session.retries = 0;
            self.outcome.all_served_at = Duration::from_nanos(self.now);
        } else {
            let pause = self.pause(number);
            self.events.at(self.now + pause, Event::Login(number));
        }
    }
}
