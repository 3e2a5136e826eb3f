//! Tools for the tests of applications and of stores.

mod clock;
mod faulty;
mod operation;
mod record;
pub mod store_contract;

pub use self::{
    clock::ManualClock,
    faulty::FaultyStore,
    operation::{StoreOperation, UnknownOperation},
    record::{RecordBuilder, claim_for},
};
