#![doc = include_str!("../README.md")]
#![warn(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod connect;
mod dial;
mod envelope;
mod error;
mod link;
mod revocations;
mod script;
mod store;
mod subjects;

pub use self::{revocations::RedisRevocations, store::RedisStore};
pub use redis;
