//! Logout tokens: what is read of one, and by which rules.

pub(crate) mod algorithm;
mod claims;
mod header;
pub(crate) mod json;
mod signed;

pub(crate) use self::{
    claims::{Logout, Rules, Whom},
    signed::{Checked, Signed},
};
