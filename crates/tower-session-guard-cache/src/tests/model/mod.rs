//! The rules of the lease as a checked model: every order in which fences, fills, writes, pushes, cuts and pauses of
//! a few nodes can come, within a budget of each, over the copies and the lease that [`Cached`](crate::Cached) uses.
//!
//! The server and the network are modelled: a server does one thing after the other, a connection keeps its order, and
//! anything may take any time. A node that stands still is one whose turn does not come. One session is enough, since
//! no rule ties two together. A tick is a hundred milliseconds.
//!
//! States that differ in nothing that can still be seen count as one: leases of the namespace that have run out, who
//! would be told of a write where none is to come, and everything at a node whose lease is over and which has no fence
//! left.

mod action;
mod checks;
mod node;
mod world;

use stateright::{Model, Property};

use self::{
    action::{Action, Mutant},
    world::World,
};

/// How much may happen, and which rule is broken.
#[derive(Clone, Copy, Debug)]
struct Scenario {
    /// The leases of the nodes, in ticks; `None` for a node without a cache.
    nodes: &'static [Option<Kind>],
    /// Which nodes write, one after the other.
    writers: &'static [usize],
    /// Whether the caches begin with a copy.
    copies: bool,
    ticks: u64,
    fences: u8,
    fills: u8,
    cuts: u8,
    mutant: Option<Mutant>,
}

/// A lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Kind {
    ticks: u64,
    is_exact: bool,
}

const fn exact(ticks: u64) -> Option<Kind> {
    let is_exact = true;
    Some(Kind { ticks, is_exact })
}

const fn bounded(ticks: u64) -> Option<Kind> {
    let is_exact = false;
    Some(Kind { ticks, is_exact })
}

impl Model for Scenario {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(self)]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        world.actions(self, actions);
    }

    fn next_state(&self, last: &World, action: Action) -> Option<World> {
        let mut world = last.clone();
        world.act(self, action);
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(ACKNOWLEDGED, |_: &Self, world: &World| {
                !world.admits_what_was_acknowledged()
            }),
            Property::always(WITHIN, |_: &Self, world: &World| !world.admits_too_late()),
            Property::always(OWN, |_: &Self, world: &World| !world.hides_an_own_write()),
            Property::always(REFUSES, |model: &Self, world: &World| {
                !world.refuses_the_present_token(model.mutant)
            }),
            Property::sometimes("a copy admits", |_: &Self, world: &World| world.admits()),
            Property::sometimes(
                "a copy admits after a write elsewhere",
                |_: &Self, world: &World| world.admits_something_old(),
            ),
            Property::sometimes(
                "every write is acknowledged",
                |model: &Self, world: &World| world.has_acknowledged(model.writers.len()),
            ),
        ]
    }
}

const ACKNOWLEDGED: &str = "with an exact lease, no copy admits what was acknowledged as ended";
const WITHIN: &str = "no copy admits what ended a lease ago";
const OWN: &str = "a node sees its own writes";
const REFUSES: &str = "no copy refuses the present token";
