//! An application on tower-sessions 0.15, and its way to tower-session-guard.

pub mod after;
pub mod before;
pub mod both;
