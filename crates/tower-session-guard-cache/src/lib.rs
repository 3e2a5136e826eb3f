#![doc = include_str!("../README.md")]
#![warn(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod cached;
mod clock;
mod copies;
mod counters;
mod epoch;
mod fences;
mod lease;
mod options;
mod own_writes;
mod revocations;
mod sessions;
mod stats;
mod supervisor;
mod waiters;

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;

pub use self::{
    cached::Cached,
    options::CacheOptions,
    revocations::{CachedRevocations, ListOptions, Silence},
    stats::CacheStats,
};
