//! The session and its facts.

pub(crate) mod authentication;
pub(crate) mod codec;
pub(crate) mod data;
pub(crate) mod entries;
pub(crate) mod id;
pub(crate) mod policy;
pub(crate) mod record;
pub(crate) mod time;
