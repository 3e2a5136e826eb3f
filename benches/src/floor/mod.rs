//! The floor: what a signed session cookie costs when nothing but the work itself is left.
//!
//! Straight-line code without policy, stores, events or several keys. It finds the cookie, decodes it
//! on the stack, verifies it with a copy of the prepared key state, puts one plain struct into the
//! extensions and, where the handler asked for it, writes a fresh token into one buffer. A session
//! layer cannot do less; how much more one does is what the measurement shows.
//!
//! [`ContractLayer`] is the same with what this crate owes its users beside that, step by step: what the
//! steps cost in straight-line code bounds what a layer that keeps those promises can cost.

mod contract;
mod full;
mod layer;
mod scan;
mod token;

pub use contract::{ContractLayer, ContractService, Handle, Member, Step};
pub use layer::{Caller, FloorLayer, FloorService, Mark};
pub use scan::Scan;
pub use token::{Known, Sealer, TEXT};

/// The cookie's name.
pub const NAME: &str = "__Host-Http-session";
