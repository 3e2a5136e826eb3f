//! The command `fixation-audit` over real sockets.
#![cfg(feature = "audit-cli")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

#[path = "audit/cli/mod.rs"]
mod cli;
#[path = "audit/rust/mod.rs"]
mod rust;
#[path = "audit/truth.rs"]
mod truth;
