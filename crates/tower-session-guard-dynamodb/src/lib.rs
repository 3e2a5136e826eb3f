#![doc = include_str!("../README.md")]
#![warn(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod batch;
mod cutoffs;
mod failure;
mod index;
mod item;
mod replace;
mod store;
mod table;
mod write;

pub use self::store::DynamoDbStore;
