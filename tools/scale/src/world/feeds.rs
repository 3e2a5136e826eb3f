//! What feeds do: epochs, fences, and those who wait for their session's end.

use std::time::Duration;

use super::{Event, World, nanos};
use crate::{SECOND, Time};

/// The pauses of those who wait where the store fails: the first, which doubles.
const FIRST_PAUSE: Time = SECOND;

/// Those who are woken together ask within this time at most.
const LONGEST_SPREAD: Time = 5 * SECOND;

impl World<'_> {
    pub(super) fn opened(&mut self, node: usize, sent: Time) {
        self.nodes[node].begin(self.now);
        self.outcome.epochs += 1;
        self.outcome.fences += 1;
        let _none_before = self.nodes[node].fenced(sent, nanos(self.setup.lease), self.now);
        self.next_fence(node, sent);
        self.wake(node);
    }

    pub(super) fn fenced(&mut self, node: usize, sent: Time) {
        let was_live = self.nodes[node].live(sent).is_some();
        let lapsed = self.nodes[node].fenced(sent, nanos(self.setup.lease), self.now);
        // A lease that did not live when the fence was sent has been counted.
        self.outcome.lapses += u64::from(lapsed > 0 && was_live);
        self.outcome.lapsed += Duration::from_nanos(lapsed.min(self.now - sent));
        self.next_fence(node, sent);
    }

    /// A third of the lease after the last one was sent, or at once if that took longer.
    fn next_fence(&mut self, node: usize, sent: Time) {
        let due = sent + nanos(self.setup.lease) / 3;
        if let Some(epoch) = self.nodes[node].epoch {
            self.events.at(due.max(self.now), Event::Fence(node, epoch));
        }
    }

    pub(super) fn end(&mut self, node: usize) {
        let was_open = self.nodes[node].epoch.is_some();
        let pause = self.nodes[node].end(self.now, &mut self.rng);
        self.events.at(self.now + pause, Event::Open(node));
        if was_open {
            self.wake(node);
        }
    }

    /// Those who wait for a session of a node ask, each within the time for all of them.
    fn wake(&mut self, node: usize) {
        if node >= self.setup.nodes {
            return;
        }
        let waiting = (self.sessions.len() as f64 * self.setup.waiting) as usize;
        let each = (node..waiting).step_by(self.setup.nodes);
        let spread = (nanos(self.setup.spread_each) * each.len() as Time).min(LONGEST_SPREAD);
        for number in each {
            let after = self.rng.u64(0..=spread);
            let session = &mut self.sessions[number];
            if std::mem::replace(&mut session.is_woken, true) {
                continue;
            }
            session.ticket += 1;
            session.failures = 0;
            let ask = Event::Ask(number, session.ticket);
            self.events.at(self.now + after, ask);
        }
    }

    pub(super) fn told(&mut self, number: usize, ticket: u32, is_good: bool) {
        let session = &mut self.sessions[number];
        if is_good || session.ticket != ticket {
            return;
        }
        let pause = (FIRST_PAUSE << session.failures.min(10)).min(nanos(self.setup.recheck_every));
        session.failures += 1;
        self.events.at(self.now + pause, Event::Ask(number, ticket));
    }

    pub(super) fn outage(&mut self) {
        for node in 0..self.nodes.len() {
            if self.nodes[node].epoch.is_some() {
                self.end(node);
            }
        }
        let share = self.setup.outage.map_or(0.0, |outage| outage.logged_out);
        for session in &mut self.sessions {
            if self.rng.f64() < share {
                session.is_logged_out = true;
            }
        }
    }
}
