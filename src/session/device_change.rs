//! [`BindingChange`]: what a request did to the binding of its session.

use super::{id::SessionId, state::State};

/// What a request did to the binding of its session, where the layer binds devices.
#[derive(Debug)]
#[allow(dead_code, reason = "the feature `dbsc` reads it")]
pub(crate) enum BindingChange {
    /// The session ended.
    LoggedOut,
    /// A session began, which is offered to be bound by this challenge.
    LoggedIn(Option<Box<str>>),
    /// A registration bound a self-contained session, whose new token is to leave.
    Bound(Box<BoundToken>),
}

/// What the token of a session says that a registration has bound.
#[derive(Debug)]
#[allow(dead_code, reason = "the feature `dbsc` makes it")]
pub(crate) struct BoundToken {
    pub(crate) id: SessionId,
    pub(crate) state: State,
}
