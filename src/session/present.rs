//! [`present`]: what a session is worth to a request, as far as its device is concerned. Pure.

use std::time::Duration;

use super::{
    live::Dead,
    state::State,
    time::{CLOCK_ALLOWANCE, Timestamp},
};

/// The longest lifetime of a bound cookie. A challenge outlives it (D05).
pub(crate) const MAX_LIFETIME: Duration = Duration::from_secs(15 * 60);

/// For how long a session may be unbound where it must be bound: the browser registers after the login's answer.
const REGISTRATION: Duration = Duration::from_secs(60);

/// What a layer asks of devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DevicePolicy {
    /// For how long a proof is good, at most [`MAX_LIFETIME`].
    pub(crate) lifetime: Duration,
    /// Whether this session must be bound.
    pub(crate) required: bool,
}

/// How a session that opens is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    /// It is bound to no device.
    Unbound,
    /// It was bound moments ago, and the request may have left before: it counts as unbound, and nothing is offered to it.
    Crossing,
    /// Its device proved at this time that it has the key.
    Proved(Timestamp),
}

/// Decides whether a session opens for a request (D11, A50).
///
/// `proved_at` is when the device proved itself, as the request's bound cookie says: one whose MAC holds and that names this
/// session. One of another session is none.
pub(crate) fn present(
    state: &State,
    proved_at: Option<Timestamp>,
    policy: &DevicePolicy,
    now: Timestamp,
) -> Result<Presence, Dead> {
    let Some(device) = state.bound_device() else {
        let is_late = now.since(state.created_at) >= REGISTRATION;
        return if policy.required && is_late {
            Err(Dead::Unbound)
        } else {
            Ok(Presence::Unbound)
        };
    };
    let is_good = |proved_at: &Timestamp| {
        *proved_at <= now.after(CLOCK_ALLOWANCE) && now.since(*proved_at) < policy.lifetime
    };
    match proved_at.filter(is_good) {
        Some(proved_at) => Ok(Presence::Proved(proved_at)),
        None if device.crosses(now) => Ok(Presence::Crossing),
        None => Err(Dead::Unbound),
    }
}

/// The `Max-Age` of a bound cookie. The browser counts it from the receipt, the server the lifetime from the proof: the
/// cookie must be gone before the server refuses it.
pub(crate) fn max_age(lifetime: Duration) -> Duration {
    let early = if lifetime < Duration::from_secs(5 * 60) {
        lifetime / 10
    } else {
        Duration::from_secs(30)
    };
    Duration::from_secs((lifetime - early).as_secs())
}
