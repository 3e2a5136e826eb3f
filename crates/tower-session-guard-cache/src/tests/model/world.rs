//! [`World`]: the server, the nodes, the writes, and what holds of them.

use std::hash::{Hash, Hasher};

use super::{
    Kind, Scenario,
    action::{Action, Mutant},
    node::{Message, Node, NodeView, Question, Token},
};

/// Everything at one moment.
#[derive(Clone, Debug)]
pub(super) struct World {
    now: u64,
    cuts_left: u8,
    nodes: Vec<Node>,
    server: Server,
    writes: Vec<Write>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Server {
    token: Token,
    has_ended: bool,
    /// Which nodes are told of the next change.
    tracked: Vec<bool>,
    /// The lease of each node, and the tick until which the namespace holds it.
    leases: Vec<Option<(Kind, u64)>>,
}

/// A write that takes the token before it away: all but the last put another in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Write {
    sent: u64,
    stage: Stage,
    committed: u64,
    /// An exact lease was known when it was acknowledged.
    is_exact: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stage {
    Sent,
    Committed,
    /// It is acknowledged from this tick on, which is the earliest.
    Answered(u64),
}

impl World {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let node = |kind: &Option<Kind>| Node::new(*kind, scenario.fences, scenario.fills);
        let nodes: Vec<_> = scenario.nodes.iter().map(node).collect();
        let mut world = Self {
            now: 0,
            cuts_left: scenario.cuts,
            server: Server {
                token: 0,
                has_ended: false,
                tracked: vec![false; nodes.len()],
                leases: vec![None; nodes.len()],
            },
            nodes,
            writes: Vec::new(),
        };
        for (number, node) in world.nodes.iter_mut().enumerate() {
            if let Some(kind) = node.kind {
                world.server.note_lease(number, kind, 0);
                world.server.tracked[number] = scenario.copies;
                node.begin(kind, scenario.copies);
            }
        }
        world
    }

    pub(super) fn actions(&self, scenario: &Scenario, actions: &mut Vec<Action>) {
        if self.now < scenario.ticks {
            actions.push(Action::Tick);
        }
        let elsewhere = scenario.mutant == Some(Mutant::FenceOnAnotherConnection);
        for (number, node) in self.nodes.iter().enumerate() {
            if node.is_spent(self.now) {
                continue;
            }
            let Some(epoch) = &node.epoch else {
                if node.kind.is_some() && node.fences_left > 0 {
                    actions.push(Action::Open(number));
                }
                continue;
            };
            if epoch.fence.is_none() && node.fences_left > 0 {
                actions.push(Action::SendFence(number));
            }
            if elsewhere && epoch.is_fenced_elsewhere {
                actions.push(Action::FenceElsewhere(number));
            }
            if epoch.read.is_some() {
                actions.push(Action::Keep(number));
            }
            if epoch.late > 0 {
                actions.push(Action::ApplyLate(number));
            }
            if epoch.is_cut {
                actions.push(Action::Notice(number));
                continue;
            }
            if node.fills_left > 0 && epoch.may_read(self.now) {
                actions.push(Action::SendRead(number));
            }
            if !epoch.asked.is_empty() {
                actions.push(Action::Serve(number));
            }
            if !epoch.told.is_empty() {
                actions.push(Action::Receive(number));
            }
            if self.cuts_left > 0 {
                actions.push(Action::Cut(number));
            }
        }
        let may_write = self.writes.len() < scenario.writers.len();
        match self.writes.last().map(|write| write.stage) {
            Some(Stage::Sent) => actions.push(Action::Commit),
            Some(Stage::Committed) => actions.push(Action::Answer),
            Some(Stage::Answered(from)) if self.now < from => {}
            Some(Stage::Answered(_)) | None if !may_write => {}
            _ if scenario.mutant == Some(Mutant::WaitFromSending) => {
                actions.push(Action::SendWrite);
            }
            _ => actions.push(Action::Commit),
        }
    }

    pub(super) fn act(&mut self, scenario: &Scenario, action: Action) {
        let (now, mutant) = (self.now, scenario.mutant);
        match action {
            Action::Tick => self.now += 1,
            Action::Open(number) => {
                let node = &mut self.nodes[number];
                if let Some(kind) = node.kind {
                    self.server.note_lease(number, kind, now);
                    self.server.tracked[number] = false;
                    node.open(kind);
                }
            }
            Action::SendFence(number) => {
                self.nodes[number].fences_left -= 1;
                let epoch = self.nodes[number].epoch.as_mut().unwrap();
                epoch.send_fence(now);
                if mutant == Some(Mutant::FenceOnAnotherConnection) {
                    epoch.is_fenced_elsewhere = true;
                } else if !epoch.is_cut {
                    epoch.asked.push_back(Question::Fence);
                }
            }
            Action::SendRead(number) => {
                self.nodes[number].fills_left -= 1;
                self.nodes[number].epoch.as_mut().unwrap().send_read();
            }
            Action::Serve(number) => self.serve(number),
            Action::Receive(number) => {
                let epoch = self.nodes[number].epoch.as_mut().unwrap();
                let message = epoch.told.pop_front().unwrap();
                epoch.receive(message, now, mutant);
            }
            Action::Keep(number) => {
                let epoch = self.nodes[number].epoch.as_mut().unwrap();
                epoch.keep_what_was_read(mutant);
            }
            Action::ApplyLate(number) => {
                self.nodes[number].epoch.as_mut().unwrap().apply_late();
            }
            Action::FenceElsewhere(number) => {
                let kind = self.nodes[number].kind.unwrap();
                self.server.note_lease(number, kind, now);
                let epoch = self.nodes[number].epoch.as_mut().unwrap();
                epoch.is_fenced_elsewhere = false;
                epoch.fenced(now, mutant);
            }
            Action::Cut(number) => {
                self.cuts_left -= 1;
                self.server.tracked[number] = false;
                let epoch = self.nodes[number].epoch.as_mut().unwrap();
                epoch.is_cut = true;
                epoch.asked.clear();
                epoch.told.clear();
            }
            Action::Notice(number) => self.nodes[number].end(mutant),
            Action::SendWrite => self.send_write(),
            Action::Commit => self.commit(scenario),
            Action::Answer => {
                let writer = scenario.writers[self.writes.len() - 1];
                let token = Token::try_from(self.writes.len()).unwrap();
                let has_ended = self.writes.len() == scenario.writers.len();
                self.nodes[writer].wrote(token, has_ended, mutant);
                let longest = self.longest_lease(scenario);
                let write = self.write();
                write.is_exact = longest.is_some();
                let from = match mutant {
                    Some(Mutant::WaitFromSending) => write.sent,
                    _ => now,
                };
                let wait = longest.filter(|_| mutant != Some(Mutant::NoWait));
                write.stage = Stage::Answered(from + wait.unwrap_or(0));
            }
        }
    }

    fn send_write(&mut self) {
        self.writes.push(Write {
            sent: self.now,
            stage: Stage::Sent,
            committed: 0,
            is_exact: false,
        });
    }

    fn write(&mut self) -> &mut Write {
        self.writes.last_mut().unwrap()
    }

    fn serve(&mut self, number: usize) {
        let node = &mut self.nodes[number];
        let epoch = node.epoch.as_mut().unwrap();
        let answer = match epoch.asked.pop_front().unwrap() {
            Question::Fence => {
                self.server.note_lease(number, node.kind.unwrap(), self.now);
                Message::Fenced
            }
            Question::Read => {
                self.server.tracked[number] = true;
                Message::Read((!self.server.has_ended).then_some(self.server.token))
            }
        };
        epoch.told.push_back(answer);
    }

    fn commit(&mut self, scenario: &Scenario) {
        if self
            .writes
            .last()
            .is_none_or(|write| write.stage != Stage::Sent)
        {
            self.send_write();
        }
        self.server.token += 1;
        self.server.has_ended = self.writes.len() == scenario.writers.len();
        for (number, node) in self.nodes.iter_mut().enumerate() {
            let is_tracked = std::mem::take(&mut self.server.tracked[number]);
            if let Some(epoch) = node
                .epoch
                .as_mut()
                .filter(|epoch| is_tracked && !epoch.is_cut)
            {
                epoch.told.push_back(Message::Forget);
            }
        }
        let now = self.now;
        let write = self.write();
        (write.stage, write.committed) = (Stage::Committed, now);
    }

    /// What the namespace says to wait for.
    fn longest_lease(&self, scenario: &Scenario) -> Option<u64> {
        let leases = self.server.leases.iter().flatten();
        let held = || {
            leases
                .clone()
                .filter(|(_, until)| self.now < *until)
                .map(|(kind, _)| kind)
        };
        let writer = scenario.writers[self.writes.len() - 1];
        if scenario.mutant == Some(Mutant::OwnLeaseOnly) {
            let own = scenario.nodes[writer].filter(|kind| kind.is_exact);
            return own.map(|kind| kind.ticks);
        }
        let longest = held().map(|kind| kind.ticks).max();
        longest.filter(|_| held().any(|kind| kind.is_exact))
    }

    /// What each node admits from its copies, and its lease.
    fn admitted(&self) -> impl Iterator<Item = (&Node, Token)> {
        let admits = |node| Some((node, Node::admits(node, self.now)?));
        self.nodes.iter().filter_map(admits)
    }

    /// The write that took a token away.
    fn end_of(&self, token: Token) -> Option<&Write> {
        self.writes.get(usize::from(token))
    }

    pub(super) fn admits(&self) -> bool {
        self.admitted().next().is_some()
    }

    pub(super) fn admits_something_old(&self) -> bool {
        self.admitted().any(|(_, token)| token < self.server.token)
    }

    pub(super) fn has_acknowledged(&self, writes: usize) -> bool {
        let acknowledged = |write: &&Write| write.is_acknowledged(self.now);
        self.writes.iter().filter(acknowledged).count() == writes
    }

    pub(super) fn admits_what_was_acknowledged(&self) -> bool {
        let is_acknowledged = |write: &Write| write.is_exact && write.is_acknowledged(self.now);
        self.admitted()
            .any(|(_, token)| self.end_of(token).is_some_and(is_acknowledged))
    }

    pub(super) fn admits_too_late(&self) -> bool {
        self.admitted().any(|(node, token)| {
            let lease = node.kind.map_or(0, |kind| kind.ticks);
            let is_late =
                |write: &Write| write.stage != Stage::Sent && self.now >= write.committed + lease;
            self.end_of(token).is_some_and(is_late)
        })
    }

    pub(super) fn hides_an_own_write(&self) -> bool {
        self.admitted().any(|(node, token)| token < node.wrote)
    }

    /// Where a copy does not open the session, the store is asked, which knows the present token.
    pub(super) fn refuses_the_present_token(&self, mutant: Option<Mutant>) -> bool {
        mutant == Some(Mutant::TheCacheRefuses)
            && !self.server.has_ended
            && self.admitted().any(|(_, token)| token != self.server.token)
    }

    fn view(&self) -> (u64, u8, Vec<NodeView>, Server, &[Write]) {
        let nodes = self.nodes.iter().map(|node| node.view(self.now)).collect();
        let server = self.server_view();
        (self.now, self.cuts_left, nodes, server, &self.writes)
    }
}

impl World {
    /// What still counts at the server: who will be told of another write, and the leases that hold until the last
    /// write is answered.
    fn server_view(&self) -> Server {
        let server = &self.server;
        let is_told = |(tracked, node): (&bool, &Node)| {
            *tracked && !server.has_ended && !node.is_spent(self.now)
        };
        let is_answered = |write: &Write| matches!(write.stage, Stage::Answered(_));
        let is_over = server.has_ended && self.writes.last().is_some_and(is_answered);
        let holds =
            |lease: &Option<(Kind, u64)>| lease.filter(|(_, until)| self.now < *until && !is_over);
        Server {
            tracked: server
                .tracked
                .iter()
                .zip(&self.nodes)
                .map(is_told)
                .collect(),
            leases: server.leases.iter().map(holds).collect(),
            ..*server
        }
    }
}

impl Write {
    fn is_acknowledged(&self, now: u64) -> bool {
        matches!(self.stage, Stage::Answered(from) if now >= from)
    }
}

impl Server {
    /// The namespace holds a lease for twice its time.
    fn note_lease(&mut self, node: usize, kind: Kind, now: u64) {
        self.leases[node] = Some((kind, now + 2 * kind.ticks));
    }
}

impl PartialEq for World {
    fn eq(&self, other: &Self) -> bool {
        self.view() == other.view()
    }
}

impl Hash for World {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.view().hash(state);
    }
}
