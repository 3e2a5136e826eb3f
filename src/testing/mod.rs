//! Tools for the tests of applications and of stores.

pub mod audit;

pub use audit::FixationAudit;
