//! The floor: what a signed session cookie costs when nothing but the work itself is left.
//!
//! Straight-line code without policy, stores, events or several keys. It finds the cookie, decodes it
//! on the stack, verifies it with a copy of the prepared key state, puts one plain struct into the
//! extensions and, where the handler asked for it, writes a fresh token into one buffer. A session
//! layer cannot do less; how much more one does is what the measurement shows.

mod layer;
mod scan;
mod token;

pub use layer::{FloorLayer, FloorService, Mark, Visitor};
pub use scan::Scan;
pub use token::{Known, Sealer, TEXT};

/// The cookie's name.
pub const NAME: &str = "__Host-Http-session";
