//! What the test suites of several crates share.
//!
//! The library's own tests include `tests/common` themselves: if they depended on this crate, which depends
//! on the library, the library would be built twice and its dev-dependencies would form a circle.
#![allow(missing_docs, missing_debug_implementations, reason = "for tests only")]

#[path = "../../../tests/common/mod.rs"]
mod common;
pub mod outage;
pub mod process;
pub mod proxy;
pub mod redis;
pub mod scratch;
pub mod server;

pub use common::{
    Answer, Client, Events, GUEST, Parameters, SESSION, Stop, app, apply, clock, collect, keys,
    now, request, whoami,
};
