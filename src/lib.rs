//! Tower middleware that makes session fixation impossible by construction.

mod cookie;
mod error;
#[cfg(feature = "axum")]
mod extract;
mod key;
mod middleware;
#[cfg(test)]
mod proof;
mod session;
pub mod store;
#[cfg(feature = "testing")]
pub mod testing;

pub use cookie::{CookieName, CookiePolicy, CookiePolicyBuilder, CookiePrefix, SameSite};
pub use error::ConfigError;
#[cfg(feature = "axum")]
pub use extract::{AuthenticationRejection, MissingSessionLayer};
pub use key::{KeyId, KeyRing};
pub use middleware::{
    clock::SystemClock,
    failure::{EmptyFailure, FailureResponse, SessionError, SessionErrorKind},
    future::ResponseFuture,
    layer::SessionLayer,
    observe::TracingObserver,
    service::SessionService,
};
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
pub use store::{MemoryStore, SessionStore};
