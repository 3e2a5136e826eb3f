//! [`present`]: what a session is worth to a request, as far as its device is concerned. Pure.

use std::time::Duration;

use super::{
    device::Presence,
    id::SessionId,
    live::Dead,
    state::State,
    time::{CLOCK_ALLOWANCE, Timestamp},
};

/// The longest lifetime of a bound cookie. A challenge outlives it (D05).
#[cfg(feature = "dbsc")]
pub(crate) const MAX_LIFETIME: Duration = Duration::from_secs(15 * 60);

/// For how long a session may be unbound where it must be bound: the browser registers after the login's answer.
const REGISTRATION: Duration = Duration::from_secs(60);

/// What a layer asks of the device of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DevicePolicy {
    /// For how long a proof is good, at most a quarter of an hour.
    pub(crate) lifetime: Duration,
    /// Whether this session must be bound.
    pub(crate) required: bool,
}

impl DevicePolicy {
    /// Of a layer that checks no bound cookies.
    pub(crate) const UNCHECKED: Self = Self {
        lifetime: Duration::ZERO,
        required: false,
    };
}

/// What a bound cookie whose MAC held says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BoundProof {
    /// The session, by the id of its login.
    pub(crate) family: SessionId,
    /// When its device proved itself.
    pub(crate) proved_at: Timestamp,
}

/// What the bound cookies of a request say: as a rule there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proofs {
    first: BoundProof,
    others: Vec<BoundProof>,
}

impl Proofs {
    /// Adds what one more cookie says. All count, so whoever plants cookies hides none.
    #[cfg(feature = "dbsc")]
    pub(crate) fn add(to: &mut Option<Box<Self>>, proof: BoundProof) {
        match to {
            Some(proofs) => proofs.others.push(proof),
            None => {
                *to = Some(Box::new(Self {
                    first: proof,
                    others: Vec::new(),
                }));
            }
        }
    }

    /// When the device of this session last proved itself, as the request says.
    pub(crate) fn proved_at(&self, family: &SessionId) -> Option<Timestamp> {
        let all = std::iter::once(&self.first).chain(&self.others);
        let own = all.filter(|proof| proof.family == *family);
        own.map(|proof| proof.proved_at).max()
    }

    /// Whether one is of another session.
    pub(crate) fn are_of_another(&self, family: &SessionId) -> bool {
        let mut all = std::iter::once(&self.first).chain(&self.others);
        all.any(|proof| proof.family != *family)
    }
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
#[cfg(feature = "dbsc")]
pub(crate) fn max_age(lifetime: Duration) -> Duration {
    let early = if lifetime < Duration::from_secs(5 * 60) {
        lifetime / 10
    } else {
        Duration::from_secs(30)
    };
    Duration::from_secs((lifetime - early).as_secs())
}
