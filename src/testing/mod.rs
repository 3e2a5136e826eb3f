//! Tools for the tests of applications and of stores.

mod client;
mod clock;
mod faulty;
mod operation;
mod record;
mod session;
pub mod store_contract;

pub use self::{
    client::{CookieClient, logged_in},
    clock::ManualClock,
    faulty::FaultyStore,
    operation::{StoreOperation, UnknownOperation},
    record::{RecordBuilder, claim_for},
    session::{Marked, TestSession},
};
