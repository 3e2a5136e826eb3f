//! Tables over the pure part: every row of what marks do, by session held, outcome and order.

mod admit;
#[cfg(feature = "dbsc")]
#[rustfmt::skip]
mod bind;
// A row is one line.
#[rustfmt::skip]
mod draft;
pub(super) mod full;
mod notation;
#[rustfmt::skip]
mod present;
#[cfg(feature = "dbsc")]
#[rustfmt::skip]
mod prove;
mod random;
#[rustfmt::skip]
mod settle;
pub(crate) mod vectors;
