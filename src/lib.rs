//! Tower middleware that makes session fixation impossible by construction.
//!
//! [`SessionLayer`] wraps any tower stack whose requests and responses are [`http`] types: axum, hyper,
//! tonic or a bare service. It reads an HMAC-signed session cookie, hands the inner service a [`Session`]
//! (and, if a user is logged in, an [`AuthenticatedSession`]) in the request's extensions, and issues a
//! fresh token whenever the handler marks a login, an elevation or a logout. The old token is
//! dead at once, on every node that shares the store.
//!
//! # Example
//!
//! ```
//! use tower_session_guard::{AuthenticatedSession, KeyRing, Session, SessionLayer};
//! # #[cfg(feature = "axum")]
//! # {
//! use axum::{Router, routing::{get, post}};
//!
//! async fn login(session: Session) -> &'static str {
//!     // … verify a password or a passkey …
//!     session.login("42"); // that is all: the layer rotates
//!     "welcome"
//! }
//!
//! async fn home(user: AuthenticatedSession) -> String {
//!     format!("hello {}", user.subject())
//! }
//!
//! let keys = KeyRing::generate()?; // KeyRing::from_env("SESSION_KEYS")? in production
//! let app: Router = Router::new()
//!     .route("/", get(home))
//!     .route("/login", post(login))
//!     .layer(SessionLayer::new(keys));
//! # }
//! # Ok::<(), tower_session_guard::ConfigError>(())
//! ```
//!
//! Sessions are in this process's memory here: a restart logs everybody out. [`SessionLayer::with_store`] keeps them
//! elsewhere. At a graceful shutdown, await [`SessionLayer::drain`].
//!
//! A WebSocket or a stream outlives its request: [`AuthenticatedSession::ended`] tells it when its session has ended.
//!
//! Without axum, a handler takes the session from the extensions:
//! `request.extensions().get::<Session>()`.
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
//! # What it does not do
//!
//! It verifies no passwords, keeps no accounts, and does not stop a script that runs inside the
//! application's own page, nor malware on the user's machine. `SECURITY.md` states the threat model.
//!
//! # A store or tokens
//!
//! | | a [`store`] | self-contained tokens |
//! |---|---|---|
//! | set-up | [`SessionLayer::new`] for memory, [`with_store`](SessionLayer::with_store) for another | [`SessionLayer::self_contained`] |
//! | to run | memory: nothing; Redis, PostgreSQL, SQLite, DynamoDB or Firestore | nothing, or a list of ended tokens that processes share |
//! | a request costs | two SHA-256 compressions, one digest and one read | two SHA-256 compressions; with a shared list, one read |
//! | logout and rotation hold | on every node that shares the store | as the [`Endings`] say: on every node that shares the list, or in this process |
//! | a restart | memory: logs everybody out | [`Endings::ThisProcess`]: tokens that ended work again until they expire |
//! | data | 64 KiB, on the server | about 2 KiB, which the holder can read |
//! | older data | is gone | the holder can present an older cookie, with what it held |
//! | parallel writes of one session | those of different keys are all kept; those of one key by [`update`](Session::update) | the last one wins |
//! | a read beside a write | undoes nothing | undoes nothing that was written in the same process |
//! | listing and limiting the sessions of a subject | yes, 100 unless set | no |
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
pub mod guide;
mod key;
mod middleware;
mod mistake;
#[cfg(doctest)]
mod misuse;
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
