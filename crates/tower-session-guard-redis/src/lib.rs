#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod address;
mod connect;
mod dial;
mod envelope;
mod error;
mod eviction;
mod feed;
mod index;
mod link;
mod revocations;
mod script;
mod store;

pub use self::{connect::ConnectOptions, revocations::RedisRevocations, store::RedisStore};
pub use redis;
