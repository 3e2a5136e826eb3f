//! What is compared: tower stacks that answer the same three routes.

use std::convert::Infallible;
use std::hint::black_box;
use std::rc::Rc;

use cookie::{Cookie, SameSite};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response, StatusCode};
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;
use tower_service::Service;

use crate::floor::Step;
use crate::scenario::{LOGIN, USER, WRITE};

mod axum_extra;
mod axum_session;
pub(crate) mod bare;
#[cfg(feature = "dbsc")]
mod bound;
pub(crate) mod floor;
pub(crate) mod guard;
mod jsonwebtoken;
mod near_cache;
mod tower_cookies;
pub(crate) mod tower_sessions;

pub use axum::body::Body;

/// Where a subject keeps what belongs to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Keeps {
    /// It has no sessions.
    Nothing,
    /// In the cookie, signed.
    InSignedCookie,
    /// In a store, found by a signed cookie.
    BehindSignedCookie,
    /// In a store, found by a cookie that is not signed.
    BehindPlainCookie,
}

/// What a subject is called and which package it comes from.
#[derive(Clone, Copy, Debug)]
pub struct Label {
    /// Its name in tables.
    pub name: &'static str,
    /// The package whose version belongs beside the name.
    pub package: Option<&'static str>,
    /// Where it keeps sessions.
    pub keeps: Keeps,
}

/// Something to measure. It answers `READ`, `LOGIN` and `WRITE` of [`crate::scenario`].
pub trait Subject {
    /// What it is.
    fn label(&self) -> Label;

    /// Answers one request, outside any measurement.
    fn send(&mut self, request: Request<Body>) -> Response<Body>;

    /// Lets its background tasks go on, outside any measurement.
    fn rest(&mut self);

    /// Answers every request of a batch, one after the other, and drops the responses.
    fn run(&mut self, batch: &mut Vec<Request<Body>>);
}

/// Any tower service as a subject.
struct Stack<S> {
    label: Label,
    runtime: Rc<Runtime>,
    service: S,
}

impl<S> Subject for Stack<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    fn label(&self) -> Label {
        self.label
    }

    fn send(&mut self, request: Request<Body>) -> Response<Body> {
        self.runtime.block_on(async {
            let Ok(()) = std::future::poll_fn(|cx| self.service.poll_ready(cx)).await;
            let Ok(response) = self.service.call(request).await;
            response
        })
    }

    fn rest(&mut self) {
        self.runtime.block_on(async {
            for _ in 0..8 {
                tokio::task::yield_now().await;
            }
        });
    }

    fn run(&mut self, batch: &mut Vec<Request<Body>>) {
        self.runtime.block_on(async {
            for request in batch.drain(..) {
                let Ok(()) = std::future::poll_fn(|cx| self.service.poll_ready(cx)).await;
                let Ok(response) = self.service.call(request).await;
                drop(black_box(response));
            }
        });
    }
}

/// The subject whose handler looks at nothing, so that its answers are the same in all scenarios.
pub const UNLOOKED: &str = "tower-session-guard, no look, lazily";

/// All subjects, the bare stack first.
#[must_use]
pub fn all(runtime: &Rc<Runtime>) -> Vec<Box<dyn Subject>> {
    let _inside = runtime.enter();
    vec![
        bare::subject(runtime),
        guard::self_contained(runtime),
        guard::memory_store(runtime),
        near_cache::near_cache(runtime),
        guard::unlooked(runtime),
        #[cfg(feature = "dbsc")]
        bound::subject(runtime, bound::Cookies::None),
        #[cfg(feature = "dbsc")]
        bound::subject(runtime, bound::Cookies::Own),
        #[cfg(feature = "dbsc")]
        bound::subject(runtime, bound::Cookies::BehindForged),
        floor::subject(runtime, false),
        floor::subject(runtime, true),
        floor::contract(runtime, Step::Handle),
        floor::contract(runtime, Step::Two),
        floor::contract(runtime, Step::Ring),
        floor::contract(runtime, Step::Ended),
        floor::contract(runtime, Step::Full),
        floor::contract(runtime, Step::Record),
        tower_sessions::plain(runtime),
        tower_sessions::signed(runtime),
        axum_session::subject(runtime),
        axum_extra::subject(runtime),
        tower_cookies::subject(runtime),
        jsonwebtoken::subject(runtime),
    ]
}

/// The runtime that subjects run on: one thread, as one worker of a server.
///
/// # Panics
///
/// When the system refuses one.
#[must_use]
pub fn runtime() -> Rc<Runtime> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    Rc::new(runtime.expect("a runtime"))
}

/// The answer of every handler: a short body with its type, as every framework sends one, and whether
/// somebody is logged in as the status.
pub(crate) fn answer(somebody: bool) -> Response<Body> {
    let mut response = Response::new(Body::from("ok"));
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    if !somebody {
        *response.status_mut() = StatusCode::UNAUTHORIZED;
    }
    response
}

/// A number that differs from write to write, so that no write is a repetition.
pub(crate) fn next_note() -> u32 {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NOTE: AtomicU32 = AtomicU32::new(1);
    NOTE.fetch_add(1, Ordering::Relaxed)
}

/// Seconds since 1970.
fn now() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |d| d.as_secs())
}

/// What the subjects that keep everything in one signed cookie put into it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Kept {
    /// A new one at every login, as 32 hexadecimal digits.
    jti: String,
    /// When it ends, in unix seconds.
    exp: u64,
    /// Who is logged in.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    sub: Option<String>,
    /// What the handler wrote.
    note: u32,
}

impl Kept {
    /// A guest's, nobody logged in.
    fn guest() -> Self {
        Self {
            jti: fresh_id(),
            exp: now() + HOURS_12,
            sub: None,
            note: 0,
        }
    }

    /// What the cookie holds after a request to this route, if that changes it.
    fn after(path: &str, before: Option<&Self>) -> Option<Self> {
        match path {
            LOGIN => Some(Self {
                sub: Some(USER.to_owned()),
                ..Self::guest()
            }),
            WRITE => {
                let kept = before.cloned().unwrap_or_else(Self::guest);
                Some(Self {
                    note: next_note(),
                    ..kept
                })
            }
            _ => None,
        }
    }
}

/// The cookie of the subjects that write it themselves.
fn hardened(value: String) -> Cookie<'static> {
    Cookie::build(("session", value))
        .path("/")
        .secure(true)
        .http_only(true)
        .same_site(SameSite::Lax)
        .build()
}

/// How long the sessions of all subjects last, in seconds.
const HOURS_12: u64 = 12 * 60 * 60;

/// 128 random bits as text.
fn fresh_id() -> String {
    format!("{:032x}", rand::random::<u128>())
}
