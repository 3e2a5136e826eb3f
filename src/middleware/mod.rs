//! [`SessionLayer`](layer::SessionLayer) and what it is made of.

pub(crate) mod client;
pub(crate) mod clock;
mod context;
pub(crate) mod control;
mod csrf;
pub(crate) mod failure;
pub(crate) mod future;
pub(crate) mod keeper;
pub(crate) mod layer;
pub(crate) mod observe;
mod random;
pub(crate) mod service;
pub(crate) mod shared;
