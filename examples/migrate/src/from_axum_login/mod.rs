//! An application on axum-login 0.18, and its way to tower-session-guard.

pub mod after;
pub mod before;
pub mod both;
