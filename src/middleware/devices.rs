//! [`Devices`]: what a layer asks of whoever binds its sessions to devices, which a feature brings.

use std::fmt;

use http::HeaderMap;

use crate::{
    cookie::CookiePolicy,
    key::KeyRing,
    session::{
        present::{DevicePolicy, Proofs},
        state::State,
        time::Timestamp,
    },
};

/// The settings of device binding.
pub(crate) trait DevicesOf: fmt::Debug + Send + Sync {
    /// What is worked out from them once, for a layer with these keys, cookies and audience.
    fn under(&self, keys: &KeyRing, cookies: &CookiePolicy, audience: &str) -> Box<dyn Devices>;
}

/// Reads what binds a session to its device.
pub(crate) trait Devices: fmt::Debug + Send + Sync {
    /// What the bound cookies of a request say whose MACs hold. It asks no store.
    fn proofs(&self, headers: &HeaderMap, now: Timestamp) -> Option<Box<Proofs>>;

    /// What is asked of the device of this session.
    fn policy_for(&self, state: &State) -> DevicePolicy;
}
