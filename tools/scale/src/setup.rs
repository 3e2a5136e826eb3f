//! [`Setup`]: what is simulated.

use std::time::Duration;

use crate::Network;

/// What is simulated: one primary and the nodes that serve its sessions.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The nodes that serve the sessions of the primary; a session's requests go to one of them.
    pub nodes: usize,
    /// The nodes whose sessions are elsewhere, which send their fences here too.
    pub other_nodes: usize,
    /// How many primaries a fence goes to.
    pub primaries: u32,
    /// For how long a node trusts its copies after a fence was sent.
    pub lease: Duration,
    /// The way between the nodes and the primaries.
    pub network: Network,
    /// How long the primary works on a command.
    pub command: Duration,
    /// How long a node waits for an answer.
    pub time_limit: Duration,
    /// The sessions in use.
    pub sessions: usize,
    /// How often each sends a request, by chance.
    pub request_every: Duration,
    /// After what time a request touches its session.
    pub touch_after: Duration,
    /// Which share of the sessions has a connection that waits for its session's end.
    pub waiting: f64,
    /// How much time each of those adds to the time within which all of a node ask, when its epoch ends or begins.
    pub spread_each: Duration,
    /// How often those who wait ask at last while the store fails.
    pub recheck_every: Duration,
    /// Whether clients that failed come again after a part, by chance, of their pause.
    pub jitter: bool,
    /// What befalls the primary.
    pub outage: Option<Outage>,
    /// What a login takes.
    pub login: Login,
    /// When the simulation ends.
    pub until: Duration,
    /// What all chance comes from.
    pub seed: u64,
}

/// The primary is down for a time. An outage of no time cuts the connections.
#[derive(Clone, Copy, Debug)]
pub struct Outage {
    /// When it goes down.
    pub at: Duration,
    /// For how long.
    pub length: Duration,
    /// Which share of the sessions is lost, so that their users log in again.
    pub logged_out: f64,
}

/// What a login takes.
#[derive(Clone, Copy, Debug)]
pub struct Login {
    /// How many commands the primary carries out for it.
    pub commands: u32,
    /// How long one core of a node hashes a password.
    pub hash: Duration,
    /// How many of them a node has.
    pub cores: usize,
    /// How long a login may have to wait for a core, if that is limited; else it is refused.
    pub longest_wait: Option<Duration>,
    /// How long a client waits for the answer before it tries again.
    pub patience: Duration,
    /// How long a user takes to fill the form in, at most; by chance.
    pub typing: Duration,
}

impl Setup {
    /// The share of one of 43 primaries in a billion sessions, ten million in use, on a thousand nodes.
    pub fn billion() -> Self {
        Self {
            nodes: 23,
            other_nodes: 977,
            primaries: 43,
            sessions: 10_000_000 / 43,
            ..Self::small()
        }
    }

    /// A hundred thousand sessions in use on three nodes and one primary.
    pub const fn small() -> Self {
        Self {
            nodes: 3,
            other_nodes: 0,
            primaries: 1,
            lease: Duration::from_millis(250),
            network: Network::BUSY,
            command: Duration::from_micros(10),
            time_limit: Duration::from_secs(2),
            sessions: 100_000,
            request_every: Duration::from_secs(10),
            touch_after: Duration::from_secs(60),
            waiting: 0.0,
            spread_each: Duration::from_micros(500),
            recheck_every: Duration::from_secs(30),
            jitter: true,
            outage: None,
            login: Login {
                commands: 6,
                hash: Duration::from_millis(100),
                cores: 8,
                longest_wait: Some(Duration::from_secs(2)),
                patience: Duration::from_secs(10),
                typing: Duration::from_secs(20),
            },
            until: Duration::from_secs(120),
            seed: 1,
        }
    }

    /// The same with an outage.
    pub const fn with_outage(mut self, outage: Outage) -> Self {
        self.outage = Some(outage);
        self
    }
}
