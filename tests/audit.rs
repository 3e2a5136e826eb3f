//! The fixation audit against servers that are vulnerable, or correct, on purpose.
#![cfg(feature = "testing")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

#[cfg(feature = "audit-cli")]
#[path = "audit/cli/mod.rs"]
mod cli;
#[path = "audit/in_process.rs"]
mod in_process;
#[cfg(feature = "axum")]
#[path = "audit/own.rs"]
mod own;
#[path = "audit/rust/mod.rs"]
mod rust;
#[path = "audit/truth/mod.rs"]
mod truth;
