#![doc = include_str!("../README.md")]
#![warn(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod connection;
mod document;
mod failure;
mod store;
mod subjects;
mod write;

pub use self::store::FirestoreStore;
