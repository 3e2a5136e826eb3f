//! Tower middleware that makes session fixation impossible by construction.

mod cookie;
mod error;
#[cfg(feature = "axum")]
mod extract;
mod guard;
mod key;
mod middleware;
mod session;
pub mod store;
#[cfg(feature = "testing")]
pub mod testing;

pub use cookie::{CookieName, CookiePolicy, CookiePolicyBuilder, CookiePrefix, SameSite};
pub use error::ConfigError;
#[cfg(feature = "axum")]
pub use extract::{AuthenticatedAt, AuthenticationRejection, MissingSessionLayer};
pub use guard::{
    csrf::{CsrfLayer, CsrfService},
    future::GuardFuture,
    layer::RequireAuthentication,
    refusal::{EmptyRefusal, Refusal, RefusalResponse},
    return_path::ReturnPath,
    service::RequireAuthenticationService,
};
pub use key::{KeyId, KeyRing};
pub use middleware::{
    client::{AddressBlock, ClientBinding, ForwardingHeader, PeerAddress},
    clock::SystemClock,
    control::{SessionInfo, Sessions},
    failure::{EmptyFailure, FailureResponse, SessionError, SessionErrorKind},
    future::ResponseFuture,
    layer::SessionLayer,
    observe::TracingObserver,
    service::SessionService,
};
pub use session::{
    authentication::{AssuranceLevel, Subject},
    binding::OnChange,
    csrf::{CsrfRejected, CsrfToken},
    data::{DataError, DataErrorKind, DataKey},
    event::{EventKind, Observer, SessionEvent, Severity},
    handle::{AuthenticatedSession, Session},
    id::{Claim, InvalidSessionId, SessionId},
    mark::Login,
    policy::{AtLimit, SessionPolicy, TokenReuse},
    record::{Record, RecordError},
    time::{Clock, Timestamp},
};
pub use store::{MemoryStore, SessionStore};
