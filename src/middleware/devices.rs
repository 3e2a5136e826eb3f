//! [`Devices`]: what a layer asks of whoever binds its sessions to devices, which a feature brings.

use std::{any::Any, fmt};

use http::{Extensions, HeaderMap, HeaderValue, StatusCode, Uri};

use crate::{
    cookie::CookiePolicy,
    key::KeyRing,
    session::{
        device::BoundDevice,
        device_notes::{Demand, DeviceNotes},
        id::SessionId,
        live::Live,
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

/// Reads what binds a session to its device, and writes what browsers are told of it.
pub(crate) trait Devices: Any + fmt::Debug + Send + Sync {
    /// What the bound cookies of a request say whose MACs hold. It asks no store.
    fn proofs(&self, headers: &HeaderMap, now: Timestamp) -> Option<Box<Proofs>>;

    /// What is asked of the device of this session.
    fn policy_for(&self, state: &State) -> DevicePolicy;

    /// Whether it is a path at which browsers register or refresh.
    fn is_endpoint(&self, path: &str) -> bool;

    /// What the answer has to know of its request.
    fn note(&self, uri: &Uri, headers: &HeaderMap, extensions: &Extensions) -> Noted;

    /// The challenge that offers the session of a login to be bound; none if it may not be, or if there is no randomness.
    fn first_offer(&self, family: &SessionId, state: &State, now: Timestamp) -> Option<Box<str>>;

    /// The field that hands out the challenge for the next proof; none if there is no randomness.
    fn challenge(
        &self,
        family: &SessionId,
        device: &BoundDevice,
        now: Timestamp,
    ) -> Option<HeaderValue>;

    /// The demands for a fresh proof that came back with a request, as far as their MACs hold.
    fn demands(&self, headers: &HeaderMap, now: Timestamp) -> Vec<Demand>;

    /// Puts what browsers are told into an answer, and says with which status it leaves if not with its own. `live` is the
    /// session that goes on, if one does.
    fn finish(&self, answer: Answered<'_>, headers: &mut HeaderMap) -> Option<StatusCode>;
}

/// What an answer has to know of its request.
#[allow(dead_code, reason = "the feature `dbsc` reads it")]
#[derive(Debug)]
pub(crate) struct Noted {
    /// What an outer router took off the path; none if a browser would not read it as it is written.
    pub(crate) prefix: Option<String>,
    /// Whether a page of this origin sent the request.
    pub(crate) is_same_origin: bool,
    /// Whether something came under the bound cookie's name.
    pub(crate) has_bound_cookie: bool,
    /// Whether a bound cookie came that is another session's than the one whose device is missing.
    pub(crate) has_bound_cookie_of_another: bool,
    /// Why the browser did not refresh, as it says.
    pub(crate) skipped: Option<&'static str>,
    /// The challenge for a bound session that came without its bound cookie.
    pub(crate) challenge: Option<HeaderValue>,
}

/// What an answer is to tell the browser of its session's binding.
#[allow(dead_code, reason = "the feature `dbsc` reads it")]
#[derive(Debug)]
pub(crate) struct Answered<'a> {
    pub(crate) noted: &'a Noted,
    pub(crate) notes: DeviceNotes,
    pub(crate) live: Option<&'a Live>,
    /// Whether it depends on the session.
    pub(crate) varies: bool,
    /// Whether no shared cache may keep it.
    pub(crate) is_for_one: bool,
    pub(crate) now: Timestamp,
}
