//! Tower middleware that makes session fixation impossible by construction.

mod error;
mod session;
#[cfg(feature = "testing")]
pub mod testing;

pub use error::ConfigError;
pub use session::{
    authentication::{AssuranceLevel, Subject},
    data::{DataError, DataErrorKind, DataKey},
    event::{EventKind, Observer, SessionEvent, Severity},
    handle::{AuthenticatedSession, Session},
    id::{Claim, InvalidSessionId, SessionId},
    mark::Login,
    policy::{SessionPolicy, TokenReuse},
    record::{Record, RecordError},
    time::{Clock, Timestamp},
};
