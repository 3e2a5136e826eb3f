#![doc = include_str!("../README.md")]
//!
//! # Examples
//!
//! An application that keeps its identifier at the login is found out:
//!
//! ```
//! # use std::convert::Infallible;
//! # use std::sync::{Arc, Mutex};
//! # use http::{Request, Response};
//! use fixation_audit::{Account, FixationAudit, Probe, RequestBody, Step};
//! # type Sessions = Arc<Mutex<std::collections::HashMap<String, String>>>;
//! # fn answer(sessions: &Sessions, request: Request<RequestBody>) -> Response<String> {
//! #     let cookie = request.headers().get("cookie").and_then(|c| c.to_str().ok());
//! #     let id = cookie.and_then(|c| c.strip_prefix("sid=")).map(str::to_owned);
//! #     let mut sessions = sessions.lock().unwrap();
//! #     let id = id.filter(|id| sessions.contains_key(id)).unwrap_or_else(|| {
//! #         let id = format!("{:032x}", sessions.len() + 1);
//! #         sessions.insert(id.clone(), String::new());
//! #         id
//! #     });
//! #     if let Some(query) = request.uri().query() {
//! #         sessions.insert(id.clone(), query.replace("user=", ""));
//! #     }
//! #     let body = sessions[&id].clone();
//! #     let status = if body.is_empty() { 401 } else { 200 };
//! #     Response::builder().status(status).header("set-cookie", format!("sid={id}; Path=/")).body(body).unwrap()
//! # }
//! # fn app() -> impl tower_service::Service<Request<RequestBody>, Response = Response<String>, Error = Infallible, Future = std::future::Ready<Result<Response<String>, Infallible>>> + Clone + Send + 'static {
//! #     let sessions = Sessions::default();
//! #     tower::service_fn(move |request| std::future::ready(Ok(answer(&sessions, request))))
//! # }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let report = FixationAudit::of(app())
//!     .account(Account::new("alice", "correct horse"))
//!     .login(Step::post("/login").query("user", "{username}"))
//!     .logged_in(Probe::get("/whoami").status(200))
//!     .run()
//!     .await?;
//!
//! assert!(report.found("id-kept-at-login"));
//! // In the test of an application that should pass: report.assert_clean();
//! # Ok(())
//! # }
//! ```

#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod answer;
mod browser;
mod builder;
mod catalogue;
mod chance;
mod checks;
mod diagnosis;
mod discovery;
mod entropy;
mod error;
mod explain;
mod forge;
mod form;
mod framework;
mod jar;
mod journal;
mod pace;
mod plan;
mod recorder;
mod rehearsal;
mod report;
mod request;
mod scene;
mod script;
mod shape;
mod transport;
mod world;

pub use answer::Answer;
pub use browser::Browser;
pub use builder::FixationAudit;
pub use catalogue::{Check, Severity, checks};
pub use discovery::{Discovery, FoundRule, FoundStep};
pub use error::AuditError;
pub use framework::Framework;
pub use jar::{CookieJar, Place, Refusal, StoredCookie};
pub use journal::Trace;
pub use rehearsal::Rehearsal;
pub use report::{Evidence, Finding, Outcome, Report, Verdict};
pub use script::{Account, Flow, Pick, Probe, Step};
#[cfg(feature = "http-client")]
pub use transport::{HttpTransport, Trust};
pub use transport::{InProcess, RequestBody, Transport, TransportError};

use std::future::Future;
use std::pin::Pin;

/// A boxed future, as transports and closures hand them out.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;
