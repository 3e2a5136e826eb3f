//! One server for every host of a test: the protected application, its unprotected twin, their
//! hostile siblings and a stranger. All are names below `localhost`, so they need no DNS and no TLS.

mod gate;
mod hostile;
mod moved;
mod ours;
mod unprotected;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
};
use tokio::net::TcpListener;
use tower::ServiceExt;
use tower_session_guard::{CookiePolicy, Endings, KeyRing, SessionLayer};

pub use gate::Gate;
pub use hostile::encode;
use moved::Releases;
pub use moved::{MOVED, MOVED_SEALED, Release};

/// An application that is attacked.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    pub host: &'static str,
    /// The cookie of whoever is logged in.
    pub session: &'static str,
    /// The cookie of a visitor with data.
    pub guest: &'static str,
    pub guarded: Guarded,
}

/// By what a target is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guarded {
    /// By nothing.
    Not,
    /// By this crate, under a name that promises nothing: as in a browser that knows no prefixes.
    Unprefixed,
    /// By this crate as it comes.
    Fully,
}

impl Target {
    pub fn is_ours(self) -> bool {
        self.guarded != Guarded::Not
    }
}

const SESSION: &str = "__Host-Http-session";
const GUEST: &str = "__Host-Http-session-guest";

/// A careless application, to show that an attack is one.
pub const UNPROTECTED: Target = Target {
    host: "careless.localhost",
    session: "sid",
    guest: "sid",
    guarded: Guarded::Not,
};

/// Ours, with sessions in a store.
pub const STORED: Target = Target {
    host: "app.localhost",
    session: SESSION,
    guest: GUEST,
    guarded: Guarded::Fully,
};

/// Ours, with the session in the cookie.
pub const SEALED: Target = Target {
    host: "sealed.localhost",
    ..STORED
};

/// Ours, under a name without a prefix.
pub const UNPREFIXED: Target = Target {
    host: "bare.localhost",
    session: "sid",
    guest: "sid-guest",
    guarded: Guarded::Unprefixed,
};

pub const TARGETS: [Target; 4] = [UNPROTECTED, UNPREFIXED, STORED, SEALED];

/// A host of another site.
pub const STRANGER: &str = "attacker.localhost";

/// Names whom the application took the request's sender for when it answered.
pub const WHO: &str = "x-who";

/// Marks a request of the attacker's own client.
pub const ATTACKER: &str = "x-attacker";

/// A browser's request as the server received it, and its answer.
#[derive(Clone, Debug)]
pub struct Seen {
    pub host: String,
    pub path: String,
    /// The `Cookie` fields, joined with `"; "`.
    pub cookie: Vec<u8>,
    /// `Sec-Fetch-Site`.
    pub from: String,
    pub status: StatusCode,
    pub who: String,
    pub set: Vec<String>,
}

impl Seen {
    /// The value that the answer sets under this name.
    pub fn sets(&self, name: &str) -> Option<String> {
        let mut values = self.set.iter().filter_map(|cookie| value(cookie, name));
        values.next().map(str::to_owned)
    }
}

/// The value of a `Set-Cookie` field of this name.
pub fn value<'a>(cookie: &'a str, name: &str) -> Option<&'a str> {
    let (given, value) = cookie.split(';').next()?.split_once('=')?;
    (given == name).then_some(value)
}

/// The server. Ends with the test's runtime.
#[derive(Debug)]
pub struct Site {
    pub address: SocketAddr,
    pub gate: Gate,
    moved: [(&'static str, Releases); 2],
    seen: Arc<Mutex<Vec<Seen>>>,
}

#[derive(Clone)]
struct Hosts {
    applications: Arc<[(&'static str, Router)]>,
    hostile: Router,
}

impl Site {
    pub async fn start() -> Self {
        let gate = Gate::default();
        let keys = || KeyRing::generate().unwrap();
        let bare = CookiePolicy::builder().whole_name(UNPREFIXED.session);
        let bare = SessionLayer::new(keys()).with_cookies(bare.build().unwrap());
        let stored = SessionLayer::new(keys());
        let sealed = SessionLayer::self_contained(keys(), Endings::this_process());
        let moved =
            [MOVED, MOVED_SEALED].map(|target| (target.host, Releases::of(target, gate.clone())));
        let [(_, in_store), (_, in_cookie)] = &moved;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let hosts = Hosts {
            applications: Arc::new([
                (UNPROTECTED.host, unprotected::app(gate.clone())),
                (UNPREFIXED.host, ours::app(bare, gate.clone())),
                (STORED.host, ours::app(stored, gate.clone())),
                (SEALED.host, ours::app(sealed, gate.clone())),
                (MOVED.host, in_store.app()),
                (MOVED_SEALED.host, in_cookie.app()),
                (
                    crate::example::HOST,
                    crate::example::app(address.port()).await,
                ),
            ]),
            hostile: hostile::app(),
        };
        let seen = Arc::default();
        let router = Router::new()
            .fallback(dispatch)
            .with_state(hosts)
            .layer(from_fn_with_state(Arc::clone(&seen), record));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            address,
            gate,
            moved,
            seen,
        }
    }

    /// Puts another release of the application in place.
    #[track_caller]
    pub fn deploy(&self, target: Target, release: Release) {
        let mut releases = self.moved.iter();
        let found = releases.find(|(host, _)| *host == target.host);
        found
            .expect("an application with releases")
            .1
            .deploy(release);
    }

    /// The browser's requests for this host and path, oldest first.
    pub fn seen(&self, host: &str, path: &str) -> Vec<Seen> {
        let seen = self.seen.lock().unwrap();
        let asked = |one: &&Seen| one.host == host && one.path == path;
        seen.iter().filter(asked).cloned().collect()
    }
}

async fn dispatch(State(hosts): State<Hosts>, request: Request) -> Response {
    let path = request.uri().path();
    if path == "/favicon.ico" {
        return StatusCode::NOT_FOUND.into_response();
    }
    let host = host(request.headers());
    let mut applications = hosts.applications.iter();
    let router = match applications.find(|(known, _)| *known == host) {
        Some((_, application)) if path != hostile::PAGE => application.clone(),
        _ => hosts.hostile,
    };
    router.oneshot(request).await.into_response()
}

async fn record(
    State(seen): State<Arc<Mutex<Vec<Seen>>>>,
    request: Request<Body>,
    next: Next,
) -> Response {
    let headers = request.headers().clone();
    let path = request.uri().path().to_owned();
    let response = next.run(request).await;
    if headers.contains_key(ATTACKER) {
        return response;
    }
    let fields = headers.get_all(header::COOKIE).iter();
    let cookies: Vec<_> = fields.map(HeaderValue::as_bytes).collect();
    let set = response.headers().get_all(header::SET_COOKIE);
    seen.lock().unwrap().push(Seen {
        host: host(&headers),
        path,
        cookie: cookies.join(&b"; "[..]),
        from: text(&headers, "sec-fetch-site"),
        status: response.status(),
        who: text(response.headers(), WHO),
        set: set.iter().map(latin1).collect(),
    });
    response
}

/// The `Host` without its port.
fn host(headers: &HeaderMap) -> String {
    let host = text(headers, "host");
    host.split(':').next().unwrap_or_default().to_owned()
}

pub fn text(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).map(latin1).unwrap_or_default()
}

fn latin1(value: &HeaderValue) -> String {
    value.as_bytes().iter().copied().map(char::from).collect()
}
