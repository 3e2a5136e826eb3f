//! [`Session`]: the handle that collects what a handler says happened.

pub(crate) mod admit;
pub(crate) mod authenticated;
pub(crate) mod authentication;
#[cfg(feature = "dbsc")]
pub(crate) mod bind;
pub(crate) mod binding;
pub(crate) mod brought;
pub(crate) mod came;
pub(crate) mod change;
pub(crate) mod codec;
pub(crate) mod csrf;
pub(crate) mod data;
pub(crate) mod device;
pub(crate) mod device_change;
pub(crate) mod device_notes;
pub(crate) mod draft;
pub(crate) mod ended;
pub(crate) mod entries;
pub(crate) mod event;
pub(crate) mod extra;
mod finite;
pub(crate) mod handle;
pub(crate) mod head;
pub(crate) mod id;
pub(crate) mod impersonation;
pub(crate) mod index;
pub(crate) mod later;
pub(crate) mod live;
mod look;
pub(crate) mod mark;
pub(crate) mod methods;
pub(crate) mod own_session;
pub(crate) mod plan;
pub(crate) mod policy;
pub(crate) mod present;
#[cfg(feature = "dbsc")]
pub(crate) mod prove;
pub(crate) mod record;
pub(crate) mod secrets;
pub(crate) mod settle;
pub(crate) mod standing;
pub(crate) mod state;
pub(crate) mod step_up;
pub(crate) mod succession;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod time;
mod time_left;
pub(crate) mod unadmitted;
mod update;
