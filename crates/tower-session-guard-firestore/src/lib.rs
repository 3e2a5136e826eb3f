#![doc = include_str!("../README.md")]
#![warn(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod connection;
mod cutoffs;
mod document;
mod failure;
mod index;
mod store;
mod write;

pub use self::store::FirestoreStore;
