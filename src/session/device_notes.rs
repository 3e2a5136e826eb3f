//! [`DeviceNotes`]: what a request knows of the device of its session, and the demands for a fresh proof.

use std::time::Duration;

use super::{device_change::BindingChange, id::SessionId, time::Timestamp};

/// A demand for a fresh proof, as the browser that it was sent to gives it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Demand {
    /// The session, by the id of its login.
    pub(crate) family: SessionId,
    pub(crate) asked_at: Timestamp,
}

impl Demand {
    /// For how long it is remembered that the device was asked: a browser gives a refresh 20 seconds.
    pub(crate) const LASTS: Duration = Duration::from_secs(60);

    /// Whether the device of this session was asked for a proof lately and gave none since.
    pub(crate) fn is_unmet(
        demands: &[Self],
        family: &SessionId,
        proved_at: Option<Timestamp>,
        now: Timestamp,
    ) -> bool {
        demands.iter().any(|demand| {
            demand.family == *family
                && now.since(demand.asked_at) < Self::LASTS
                && proved_at.is_none_or(|proved_at| proved_at < demand.asked_at)
        })
    }
}

/// What a request knows of the device of its session, where the layer binds devices.
#[derive(Debug, Default)]
pub(crate) struct DeviceNotes {
    /// What became of the binding.
    pub(crate) change: Option<BindingChange>,
    /// The demands that came.
    pub(crate) demands: Vec<Demand>,
    /// The session that does not open because its device is missing, by the id of its login.
    pub(crate) missing: Option<SessionId>,
    /// Where the browser comes back to with the fresh proof that a guard demands.
    pub(crate) demanded: Option<Box<str>>,
}

impl DeviceNotes {
    /// Adds what was noted since.
    pub(crate) fn add(&mut self, later: Self) {
        self.change = later.change.or(self.change.take());
        self.demands.extend(later.demands);
        self.missing = later.missing.or(self.missing);
        self.demanded = later.demanded.or(self.demanded.take());
    }
}
