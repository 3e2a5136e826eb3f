//! [`run`]: the nodes, the sessions and the primary, event after event.

mod feeds;
mod requests;

use std::time::Duration;

use fastrand::Rng;

use crate::{Outcome, Setup, Time, events::Events, node::Node, primary::Primary};

/// The commands that open a feed: a greeting, tracking, what holds the lease, and the first fence.
const OPENING: u32 = 5;

#[derive(Clone, Copy, Debug)]
enum Event {
    /// Some session sends its next request.
    Request,
    /// A user who failed comes again.
    Retry(usize),
    Login(usize),
    /// A password is hashed, and whether its client is gone.
    Hashed(usize, bool),
    /// By the number of the node and of its epoch.
    Fence(usize, u32),
    Open(usize),
    /// One who waits asks, by the ticket of the wait.
    Ask(usize, u32),
    Arrive(Call),
    Answer(Call, bool),
    Outage,
}

/// Commands on their way.
#[derive(Clone, Copy, Debug)]
struct Call {
    kind: Kind,
    sent: Time,
    /// How long their round trip takes.
    travel: Time,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// The number of the session, when the request began, and the epoch whose feed is read over.
    Read(usize, Time, Option<u32>),
    Touch(usize, Time),
    Login(usize, bool),
    Question(usize, u32),
    Fence(usize, u32),
    Open(usize),
}

#[derive(Clone, Debug, Default)]
struct Session {
    /// The epoch of the copy.
    copy: Option<u32>,
    touch_due: Time,
    is_logged_out: bool,
    /// Its user has failed, and comes again.
    is_waiting: bool,
    retries: u32,
    /// The wait for its end: what it was woken for last, and how often it failed.
    ticket: u32,
    failures: u32,
    /// Its turn to ask has not come since all were woken.
    is_woken: bool,
}

struct World<'a> {
    setup: &'a Setup,
    rng: Rng,
    events: Events<Event>,
    primary: Primary,
    nodes: Vec<Node>,
    sessions: Vec<Session>,
    outcome: Outcome,
    now: Time,
}

/// Simulates a setup whose nodes connect within the first third of a lease, and have no copies yet.
pub fn run(setup: &Setup) -> Outcome {
    let nodes = setup.nodes + setup.other_nodes;
    let mut world = World {
        setup,
        rng: Rng::with_seed(setup.seed),
        events: Events::new(),
        primary: Primary::new(setup.command, setup.outage.as_ref()),
        nodes: (0..nodes).map(|_| Node::new(setup.login.cores)).collect(),
        sessions: vec![Session::default(); setup.sessions],
        outcome: Outcome::default(),
        now: 0,
    };
    world.prepare();
    while let Some((time, event)) = world.events.next()
        && time < nanos(setup.until)
    {
        world.now = time;
        world.happens(event);
    }
    let unserved = |session: &&Session| session.is_waiting || session.is_logged_out;
    world.outcome.unserved = world.sessions.iter().filter(unserved).count() as u64;
    world.outcome
}

const fn nanos(time: Duration) -> Time {
    time.as_nanos() as Time
}

impl World<'_> {
    fn prepare(&mut self) {
        for node in 0..self.nodes.len() {
            let at = self.rng.u64(0..=nanos(self.setup.lease) / 3);
            self.events.at(at, Event::Open(node));
        }
        let touch_after = nanos(self.setup.touch_after);
        for session in &mut self.sessions {
            session.touch_due = self.rng.u64(0..=touch_after);
        }
        self.events.at(0, Event::Request);
        if let Some(outage) = self.setup.outage {
            self.events.at(nanos(outage.at), Event::Outage);
        }
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Request => {
                let every = nanos(self.setup.request_every) as f64 / self.sessions.len() as f64;
                let pause = -(1.0 - self.rng.f64()).ln() * every;
                self.events.at(self.now + pause as Time, Event::Request);
                let number = self.rng.usize(0..self.sessions.len());
                // A user who has failed sends nothing else meanwhile.
                if !self.sessions[number].is_waiting {
                    self.request(number);
                }
            }
            Event::Retry(number) => self.request(number),
            Event::Login(number) => self.log_in(number),
            Event::Hashed(number, is_gone) => {
                self.outcome.hashed_in_vain += u64::from(is_gone);
                self.send(Kind::Login(number, is_gone));
            }
            Event::Fence(node, epoch) => {
                if self.nodes[node].epoch == Some(epoch) {
                    self.outcome.fences += 1;
                    self.send(Kind::Fence(node, epoch));
                }
            }
            Event::Open(node) => self.send(Kind::Open(node)),
            Event::Ask(number, ticket) => {
                let session = &mut self.sessions[number];
                if session.ticket == ticket {
                    session.is_woken = false;
                    self.outcome.questions += 1;
                    self.send(Kind::Question(number, ticket));
                }
            }
            Event::Arrive(call) => self.arrive(call),
            Event::Answer(call, is_good) => self.answer(call, is_good),
            Event::Outage => self.outage(),
        }
    }

    fn send(&mut self, kind: Kind) {
        let travel = self.setup.network.draw(&mut self.rng);
        let call = Call {
            kind,
            sent: self.now,
            travel,
        };
        self.events.at(self.now + travel / 2, Event::Arrive(call));
    }

    /// What becomes of commands is known once they arrive.
    fn arrive(&mut self, call: Call) {
        let commands = match call.kind {
            Kind::Login(..) => self.setup.login.commands,
            Kind::Open(_) => OPENING,
            _ => 1,
        };
        let (done, is_good) = match self.primary.take(self.now, commands) {
            Ok(done) => (done, true),
            Err(at) => (at, false),
        };
        let mut answered = done + (call.travel - call.travel / 2);
        if matches!(call.kind, Kind::Fence(..) | Kind::Open(_)) {
            // The other primaries are as busy as this one.
            let others = self.setup.primaries - 1;
            let slowest = self.setup.network.draw_slowest(others, &mut self.rng);
            answered = answered.max(call.sent + slowest + (done - self.now));
        }
        let limit = call.sent + nanos(self.setup.time_limit);
        let is_late = answered > limit;
        let at = answered.min(limit).max(self.now);
        self.events.at(at, Event::Answer(call, is_good && !is_late));
    }

    fn answer(&mut self, call: Call, is_good: bool) {
        match call.kind {
            Kind::Read(number, began, epoch) if is_good => self.read(number, began, epoch),
            Kind::Touch(number, began) if is_good => self.touched(number, began),
            Kind::Read(number, began, _) | Kind::Touch(number, began) => self.failed(number, began),
            // It was carried out for a client that came again.
            Kind::Login(_, true) => {}
            Kind::Login(number, false) => self.logged_in(number, is_good),
            Kind::Question(number, ticket) => self.told(number, ticket, is_good),
            // Of an epoch that has ended.
            Kind::Fence(node, epoch) if self.nodes[node].epoch != Some(epoch) => {}
            Kind::Fence(node, _) if is_good => self.fenced(node, call.sent),
            Kind::Open(node) if is_good => self.opened(node, call.sent),
            Kind::Fence(node, _) | Kind::Open(node) => self.end(node),
        }
    }
}
