//! Tower middleware that makes session fixation impossible by construction.

#[cfg(feature = "testing")]
pub mod testing;
