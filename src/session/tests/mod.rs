//! Tables over the pure part: every row of what marks do, by session held, outcome and order.

mod admit;
// A row is one line.
#[rustfmt::skip]
mod draft;
pub(super) mod full;
mod notation;
mod random;
#[rustfmt::skip]
mod settle;
pub(crate) mod vectors;
