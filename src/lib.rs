//! Tower middleware that makes session fixation impossible by construction.

mod error;
mod session;
pub mod store;
#[cfg(feature = "testing")]
pub mod testing;

pub use error::ConfigError;
pub use session::{
    authentication::{AssuranceLevel, Subject},
    data::{DataError, DataErrorKind, DataKey},
    id::{Claim, InvalidSessionId, SessionId},
    policy::{SessionPolicy, TokenReuse},
    record::{Record, RecordError},
    time::Timestamp,
};
pub use store::{MemoryStore, SessionStore};
