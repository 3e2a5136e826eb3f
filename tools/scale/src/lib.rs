//! A simulator of nodes with near caches over one store: what `docs/scale.md` says where arithmetic does not reach.
//!
//! It has one primary in full, and the nodes that serve this primary's share of the sessions. The other nodes only
//! send it their fences, and of the other primaries only the slowest answer to each fence counts. So a slice of a large
//! deployment has the loads of the whole.
//!
//! Events come in the order of their times, and all chance comes from the seed: one setup has one outcome.

mod events;
mod network;
mod node;
mod outcome;
mod primary;
mod setup;
mod world;

pub use self::{
    network::Network,
    outcome::Outcome,
    setup::{Login, Outage, Setup},
    world::run,
};

/// Nanoseconds since the beginning.
type Time = u64;

const SECOND: Time = 1_000_000_000;
