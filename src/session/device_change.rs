//! [`BindingChange`]: what a request did to the binding of its session.

/// What a request did to the binding of its session, where the layer binds devices.
#[derive(Debug)]
#[allow(dead_code, reason = "the feature `dbsc` reads it")]
pub(crate) enum BindingChange {
    /// The session ended.
    LoggedOut,
    /// A session began, which is offered to be bound by this challenge.
    LoggedIn(Option<Box<str>>),
}
