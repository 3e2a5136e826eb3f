#![doc = include_str!("../README.md")]
#![warn(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod failure;
mod item;
mod replace;
mod store;
mod subjects;
mod table;
mod write;

pub use self::store::DynamoDbStore;
