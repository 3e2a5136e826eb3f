//! [`SessionLayer`](layer::SessionLayer) and what it is made of.

mod admission;
pub(crate) mod answer;
mod arrival;
pub(crate) mod arrival_hook;
pub(crate) mod backend;
pub(crate) mod background;
pub(crate) mod client;
pub(crate) mod clock;
pub(crate) mod control;
mod csrf;
pub(crate) mod deferred;
#[cfg(feature = "dbsc")]
pub(crate) mod device;
pub(crate) mod devices;
mod ended;
mod endings;
pub(crate) mod failure;
pub(crate) mod future;
pub(crate) mod in_flight;
pub(crate) mod layer;
mod layer_at_arrival;
mod listing;
mod login_at_arrival;
pub(crate) mod observe;
mod random;
mod request;
pub(crate) mod service;
pub(crate) mod settings;
mod settlement;
pub(crate) mod shared_cache;
mod side_by_side;
mod transport;
