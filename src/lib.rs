//! Tower middleware that makes session fixation impossible by construction.

mod cookie;
mod error;
mod key;
mod session;
#[cfg(feature = "testing")]
pub mod testing;

pub use cookie::{CookieName, CookiePolicy, CookiePolicyBuilder, CookiePrefix, SameSite};
pub use error::ConfigError;
pub use key::{KeyId, KeyRing};
pub use session::{
    authentication::{AssuranceLevel, Subject},
    data::{DataError, DataErrorKind, DataKey},
    id::{Claim, InvalidSessionId, SessionId},
    policy::{SessionPolicy, TokenReuse},
    record::{Record, RecordError},
    time::Timestamp,
};
