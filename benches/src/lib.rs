//! Measurements of `tower-session-guard`, of its alternatives and of the floor below them all.
//!
//! Each binary of this crate is one measurement and one command; `README.md` lists them.

#[macro_use]
mod delegate;

pub mod args;
pub mod browser;
pub mod budget;
pub mod floor;
pub mod machine;
pub mod plot;
pub mod report;
pub mod runner;
pub mod scaling;
pub mod scenario;
pub mod stats;
pub mod subject;
pub mod wire;
