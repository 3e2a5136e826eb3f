#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]
//!
//! # The guide
//!
//! The [guide](https://docs.rs/tower-session-guard/latest/tower_session_guard/guide/index.html) says how to do things: which
//! store, deployment, keys, the order of layers, other origins, tests, alarms, and what every setting is unless set.
//!
//! # What holds by construction
//!
//! - A subject cannot be set without a new token: [`Session::login`] is the only way, and the layer rotates.
//! - A token is worth something only under the cookie name, version and audience that it was issued for.
//! - Before and after a login the browser holds different cookies, so that a late answer of an anonymous
//!   request cannot overwrite the session.
//! - Nothing brings back a session that ended: no operation of a store creates what is missing.
//! - A failed store is a failed request, never an empty session.
//!
//! # Without axum
//!
//! A handler takes the session from the extensions: `request.extensions().get::<Session>()`, or by [`Session::load`] where the layer loads
//! lazily. [`AuthenticatedSession`] is there too if a user is logged in.
//!
//! # Stores
//!
//! [`MemoryStore`] is here; the others are crates, each with a page on what it costs, what its guarantees rest
//! on and how to start it locally:
//!
//! | crate | brings |
//! |---|---|
//! | [`tower-session-guard-redis`](https://docs.rs/tower-session-guard-redis) | Redis or Valkey, and a shared list of ended tokens |
//! | [`tower-session-guard-sqlx`](https://docs.rs/tower-session-guard-sqlx) | PostgreSQL, and an SQLite file |
//! | [`tower-session-guard-dynamodb`](https://docs.rs/tower-session-guard-dynamodb) | DynamoDB, on the AWS SDK |
//! | [`tower-session-guard-firestore`](https://docs.rs/tower-session-guard-firestore) | Firestore |
//!
//! Two more crates stand around it: [`tower-session-guard-axum`](https://docs.rs/tower-session-guard-axum) has an application's users,
//! login page, permissions and flash messages, and [`tower-session-guard-oidc`](https://docs.rs/tower-session-guard-oidc) the logouts of an
//! identity provider.
//!
//! Any other engine works too: implement [`SessionStore`] and hold it to `testing::store_contract`.
//!
//! PostgreSQL and SQLite keep what has expired until somebody deletes it: start a [`Sweeper`].
//!
//! # Features
//!
//! None changes what the others do.
//!
//! | feature | default | brings |
//! |---|---|---|
//! | `axum` | yes | extractors for [`Session`] and [`AuthenticatedSession`], and `ReturnPath::of_request` |
//! | `dbsc` | no | [`DeviceBinding`]: sessions that are bound to a key of the user's device |
//! | `testing` | no | for tests: sessions without a layer, a client that keeps cookies, a manual clock, the store contract suite, a store that fails on demand |

#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

#[cfg(bench)]
#[doc(hidden)]
pub mod bench;
mod cookie;
#[cfg(feature = "dbsc")]
mod device;
mod equal;
mod error;
#[cfg(feature = "axum")]
mod extract;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
#[allow(
    missing_docs,
    unreachable_pub,
    reason = "for fuzz targets and tests only"
)]
pub mod fuzzing;
mod guard;
#[cfg(all(
    any(doc, doctest),
    feature = "axum",
    feature = "dbsc",
    feature = "testing"
))]
#[cfg_attr(docsrs, doc(auto_cfg = false))]
pub mod guide;
mod key;
mod middleware;
mod mistake;
#[cfg(doctest)]
mod misuse;
// Its code needs what not every feature brings.
#[cfg(all(doctest, feature = "axum", feature = "testing"))]
#[doc = include_str!("../README.md")]
mod readme {}
#[cfg(all(doctest, feature = "axum", feature = "dbsc"))]
#[doc = include_str!("../docs/device-binding.md")]
mod device_binding_page {}
mod original_uri;
mod session;
#[cfg(test)]
mod simulation;
pub mod store;
mod sweep;
#[cfg(feature = "testing")]
pub mod testing;

pub use cookie::{
    Caching, CookieName, CookiePolicy, CookiePolicyBuilder, CookiePrefix, CookieScope, SameSite,
    TransactionCookie,
};
pub use error::ConfigError;
#[cfg(feature = "axum")]
pub use extract::{AuthenticatedAt, AuthenticationRejection};
pub use guard::{
    after_load::AfterLoad,
    answer::Answer,
    background::{BackgroundLayer, BackgroundService},
    csrf::{CsrfLayer, CsrfService},
    future::GuardFuture,
    layer::RequireAuthentication,
    load::{LoadError, MissingSessionLayer},
    refusal::{AsyncRefusal, EmptyRefusal, Refusal, RefusalResponse},
    require_origin::{RequireOrigin, RequireOriginService},
    return_path::ReturnPath,
    service::RequireAuthenticationService,
};
pub use key::{DerivedKey, KeyId, KeyRing, KeyRingBuilder};
#[cfg(feature = "dbsc")]
pub use middleware::device::{
    DeviceBinding, DeviceEndpoints, DeviceEndpointsFuture, DeviceEndpointsService,
};
pub use middleware::{
    backend::{AnyBackend, InStore, SelfContained},
    background::Drained,
    client::{AddressBlock, ClientBinding, ForwardingHeader, PeerAddress},
    clock::SystemClock,
    control::{SessionDetails, SessionInfo, Sessions},
    failure::{EmptyFailure, FailureResponse, SessionError, SessionErrorKind},
    future::ResponseFuture,
    layer::{Endings, SessionLayer},
    observe::TracingObserver,
    service::SessionService,
};
pub use session::{
    authenticated::AuthenticatedSession,
    authentication::{AssuranceLevel, Subject},
    binding::OnChange,
    csrf::{CsrfRejected, CsrfToken},
    data::{DataError, DataErrorKind, DataKey},
    ended::{EndCause, Ended},
    event::{EventKind, Observer, SessionEvent, Severity},
    handle::Session,
    id::{Claim, InvalidSessionId, SessionId, VerifiedId},
    impersonation::Impersonation,
    mark::Login,
    policy::{AtLimit, SessionPolicy, TokenReuse},
    record::{Record, RecordError},
    step_up::StepUp,
    time::{Clock, Reached, Timestamp},
};
pub use store::{MemoryStore, SessionStore};
pub use sweep::{SweepStats, SweepTask, Sweeper};
