//! Tools for the tests of applications and of stores.

mod clock;
mod faulty;
mod record;
pub mod store_contract;

pub use self::{
    clock::ManualClock,
    faulty::{FaultyStore, StoreOperation, UnknownOperation},
    record::{RecordBuilder, claim_for},
};
