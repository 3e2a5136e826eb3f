//! Tools for the tests of applications and of stores.

mod faulty;
mod record;
pub mod store_contract;

pub use self::{
    faulty::{FaultyStore, StoreOperation, UnknownOperation},
    record::{RecordBuilder, claim_for},
};
