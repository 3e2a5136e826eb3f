//! Tools for the tests of applications and of stores.

pub mod audit;
mod clock;
mod faulty;
mod operation;
mod record;
pub mod store_contract;

pub use self::{
    audit::FixationAudit,
    clock::ManualClock,
    faulty::FaultyStore,
    operation::{StoreOperation, UnknownOperation},
    record::{RecordBuilder, claim_for},
};
