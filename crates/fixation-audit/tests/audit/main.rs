//! The fixation audit against servers that are vulnerable, or correct, on purpose.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod classes;
#[cfg(feature = "cli")]
mod cli;
mod in_process;
mod rust;
mod site;
mod truth;
