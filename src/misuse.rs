//! Misuse that must not compile. Each block is a test.
//!
//! Only the layer makes a logged-in session (R18):
//!
//! ```compile_fail,E0423
//! let forged = |session: tower_session_guard::Session| tower_session_guard::AuthenticatedSession(session);
//! ```
//!
//! Only the extractor says at which level somebody is logged in (S25):
//!
//! ```compile_fail,E0423
//! use tower_session_guard::{AuthenticatedAt, AuthenticatedSession};
//! fn forged(user: AuthenticatedSession) -> AuthenticatedAt<3> {
//!     AuthenticatedAt(user)
//! }
//! ```
//!
//! What needs a store is not there without one (S07, S19):
//!
//! ```compile_fail,E0599
//! use tower_session_guard::{SelfContained, Sessions, Subject};
//! async fn list(sessions: &Sessions<SelfContained>, user: &Subject) {
//!     let _ = sessions.list(user).await;
//! }
//! ```
//!
//! ```compile_fail,E0599
//! use tower_session_guard::{AtLimit, Endings, KeyRing, SessionLayer};
//! let keys = KeyRing::generate().unwrap();
//! let layer = SessionLayer::self_contained(keys, Endings::this_process());
//! let _ = layer.max_sessions(1, AtLimit::EndOldest);
//! ```
//!
//! What every login removes is carried over none:
//!
//! ```compile_fail,E0080
//! use tower_session_guard::DataKey;
//! const KEY: DataKey<String> = DataKey::new("k").carried().once();
//! let _ = KEY;
//! ```
//!
//! Without a default for the body, nothing makes the answers of a layer or a guard but a closure (F12):
//!
//! ```compile_fail,E0277
//! use tower_session_guard::{EmptyFailure, FailureResponse};
//! struct NoDefault;
//! fn layered<F: FailureResponse<NoDefault>>(_: F) {}
//! layered(EmptyFailure);
//! ```
//!
//! ```compile_fail,E0277
//! use tower_session_guard::{EmptyRefusal, RefusalResponse};
//! struct NoDefault;
//! fn guarded<F: RefusalResponse<NoDefault>>(_: F) {}
//! guarded(EmptyRefusal);
//! ```
//!
//! ```
//! use http::Response;
//! use tower_session_guard::{FailureResponse, Refusal, RefusalResponse, SessionError};
//! struct NoDefault;
//! fn layered<F: FailureResponse<NoDefault>>(_: F) {}
//! layered(|_: &SessionError| Response::new(NoDefault));
//! fn guarded<F: RefusalResponse<NoDefault>>(_: F) {}
//! guarded(|_: &Refusal, _: &http::request::Parts| Response::new(NoDefault));
//! ```
//!
//! Only the cookie reader makes a claim:
//!
//! ```compile_fail,E0624
//! let id = tower_session_guard::SessionId::from_bytes([0; 16]);
//! let forged = |secret| tower_session_guard::Claim::new(id, secret);
//! ```
//!
//! There is no way to set who is logged in but a login, which rotates (R18):
//!
//! ```compile_fail,E0599
//! fn set(session: &tower_session_guard::Session) {
//!     session.set_subject("alice");
//! }
//! ```
//!
//! There is no login at level 0:
//!
//! ```compile_fail,E0308
//! fn log_in(session: &tower_session_guard::Session) {
//!     session.login(tower_session_guard::Login::new("alice").at_level(0));
//! }
//! ```
//!
//! A key's type is its value's type:
//!
//! ```compile_fail,E0308
//! const COUNT: tower_session_guard::DataKey<u32> = tower_session_guard::DataKey::new("count");
//! fn put(session: &tower_session_guard::Session) {
//!     let _ = session.insert(&COUNT, &"many");
//! }
//! ```
//!
//! A key's name has 1 to 255 bytes, seen at compile time:
//!
//! ```compile_fail,E0080
//! const NAMELESS: tower_session_guard::DataKey<u32> = tower_session_guard::DataKey::new("");
//! let _ = NAMELESS;
//! ```
//!
//! A store's answer is looked at: the layer treats an unread one as an error.
//!
//! ```compile_fail
//! #![deny(unused_must_use)]
//! use tower_session_guard::{Record, SessionId, SessionStore, Timestamp, store::{Counting, StoreError}};
//! async fn create(store: &dyn SessionStore, id: &SessionId, record: &Record) -> Result<(), StoreError> {
//!     store.create(id, record, Counting::Counted, Timestamp::default()).await?;
//!     Ok(())
//! }
//! ```
//!
//! The same, looked at, compiles:
//!
//! ```
//! #![deny(unused_must_use)]
//! use tower_session_guard::{
//!     Record, SessionId, SessionStore, Timestamp,
//!     store::{Counting, Created, StoreError},
//! };
//! async fn create(store: &dyn SessionStore, id: &SessionId, record: &Record) -> Result<bool, StoreError> {
//!     let created = store.create(id, record, Counting::Counted, Timestamp::default()).await?;
//!     Ok(matches!(created, Created::Created { .. }))
//! }
//! ```
