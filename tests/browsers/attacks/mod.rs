//! The attacks. Each plays the same against the careless twin and against ours.

pub mod planting;
