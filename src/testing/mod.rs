//! Tools for the tests of applications and of stores.

mod clock;

pub use clock::ManualClock;
