//! Sessions that are bound to devices on two nodes, one of which has not heard of the binding.

use std::{convert::Infallible, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, Request, Response, StatusCode, header};
use p256::ecdsa::{Signature, SigningKey, signature::Signer};
use tokio::time::sleep;
use tower::{Layer, ServiceExt, service_fn};
use tower_session_guard::{
    DeviceBinding, DeviceEndpoints, KeyRing, Session, SessionLayer, SessionPolicy,
    testing::{FaultyStore, ManualClock, StoreOperation},
};

use super::{LEASE, MILLISECOND, NOW, bounded};
use crate::{
    cached::Cached,
    clock::SteadyClock,
    fake::{Node, Path, Server},
    options::CacheOptions,
};

const SESSION: &str = "__Host-Http-session";
const BOUND: &str = "__Host-session-bound";
const OFFER: &str = "secure-session-registration";
const CHALLENGE: &str = "secure-session-challenge";
const PROOF: &str = "secure-session-response";

/// A node of an application that binds devices. The layer's time is its own; the cache's is Tokio's.
struct App {
    cache: Cached<FaultyStore<Node>>,
    node: Node,
    layer: SessionLayer,
    endpoints: DeviceEndpoints,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn cookie(&self, name: &str) -> Option<String> {
        let set = self.headers.get_all(header::SET_COOKIE).iter();
        let mut pairs = set.filter_map(|set| set.to_str().unwrap().split(';').next());
        pairs.find(|pair| pair.starts_with(name)).map(str::to_owned)
    }

    /// The challenge that a field begins with, or has as a parameter.
    fn challenge(&self, field: &str) -> String {
        let field = self.headers[field].to_str().unwrap();
        let field = field.split("challenge=").last().unwrap();
        field.split('"').nth(1).unwrap().to_owned()
    }
}

impl App {
    async fn new(server: &Server, clock: &ManualClock) -> Self {
        let node = server.node();
        let steady = SteadyClock::Tokio(tokio::time::Instant::now());
        let store = FaultyStore::new(node.clone());
        let cache = Cached::start_by(steady, store, bounded(), CacheOptions::new());
        let keys = KeyRing::from_bytes([*b"an unguessable key of 32 bytes!!"]).unwrap();
        let layer = SessionLayer::new(keys)
            .with_store(cache.clone())
            .with_clock(clock.clone())
            // A request that reads then writes nothing, so no time passes.
            .with_policy(SessionPolicy::default().without_idle())
            .with_device_binding(DeviceBinding::new("/dbsc"))
            .unwrap();
        while !cache.stats().is_live() {
            sleep(MILLISECOND).await;
        }
        let endpoints = layer.device_endpoints().unwrap();
        Self {
            cache,
            node,
            layer,
            endpoints,
        }
    }

    async fn ask(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let handler = service_fn(|request: Request<()>| async move {
            let session = request.extensions().get::<Session>().unwrap();
            if request.uri().path() == "/login" {
                session.login("alice");
            }
            let who = session
                .subject()
                .map_or(String::new(), |who| who.to_string());
            let bound = if session.is_bound() { " bound" } else { "" };
            Ok::<_, Infallible>(Response::new(format!("{who}{bound}").into_bytes()))
        });
        let service = self.layer.layer(self.endpoints.layer(handler));
        let mut request = Request::builder().method("POST").uri(path);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let answer = service.oneshot(request.body(()).unwrap()).await.unwrap();
        let (parts, body) = answer.into_parts();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(body).unwrap(),
        }
    }

    async fn whoami(&self, cookies: &[&str]) -> String {
        let fields: Vec<_> = cookies.iter().map(|cookie| ("cookie", *cookie)).collect();
        let answer = self.ask("/", &fields).await;
        assert_eq!(answer.status, 200);
        answer.body
    }

    /// Proves the device without any cookie, as for a link from another site.
    async fn refresh(&self, identifier: &str, challenge: &str) -> Answer {
        let proof = proof(challenge, false);
        let fields = [("sec-secure-session-id", identifier), (PROOF, &proof)];
        self.ask("/dbsc/refresh", &fields).await
    }

    fn loads(&self) -> u64 {
        self.cache.store().calls(StoreOperation::Load)
    }
}

/// What the device signs; with its key at a registration.
fn proof(challenge: &str, registers: bool) -> String {
    let key = SigningKey::from_slice(&[7; 32]).unwrap();
    let point = key.verifying_key().to_sec1_point(false);
    let (x, y) = point.as_bytes()[1..].split_at(32);
    let [x, y] = [x, y].map(|coordinate| URL_SAFE_NO_PAD.encode(coordinate));
    let jwk = format!(r#","jwk":{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}"}}"#);
    let jwk = if registers { &*jwk } else { "" };
    let head = format!(r#"{{"alg":"ES256","typ":"dbsc+jwt"{jwk}}}"#);
    let payload = format!(r#"{{"jti":"{challenge}"}}"#);
    let [head, payload] = [head, payload].map(|part| URL_SAFE_NO_PAD.encode(part));
    let signed = format!("{head}.{payload}");
    let signature: Signature = key.sign(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
}

/// What a browser has once it is bound: its cookies, the session's identifier and the next challenge.
struct Device {
    token: String,
    cookie: String,
    identifier: String,
    challenge: String,
}

/// Logs in at `a`, where `b` has a copy of the session before it is bound and hears of nothing.
async fn bound(a: &App, b: &App, delay: Duration) -> Device {
    let login = a.ask("/login", &[]).await;
    let token = login.cookie(SESSION).unwrap();
    sleep(MILLISECOND).await;
    assert_eq!(b.whoami(&[&token]).await, "alice");
    b.node.set_path(Path::Slow(delay));
    let proof = proof(&login.challenge(OFFER), true);
    let answer = a.ask("/dbsc/register", &[(PROOF, &proof)]).await;
    assert_eq!(answer.status, 200);
    let identifier = answer.body.split("\"session_identifier\":\"").nth(1);
    let identifier = identifier.and_then(|rest| rest.split('"').next()).unwrap();
    Device {
        token,
        cookie: answer.cookie(BOUND).unwrap(),
        identifier: identifier.to_owned(),
        challenge: answer.challenge(CHALLENGE),
    }
}

/// D11, D13: on the node that wrote it a binding holds at once, on any other within the lease.
#[tokio::test(start_paused = true)]
async fn a_binding_holds_at_once_here_and_within_the_lease_elsewhere() {
    let (server, clock) = (Server::new(), ManualClock::starting_at(NOW));
    let (a, b) = (
        App::new(&server, &clock).await,
        App::new(&server, &clock).await,
    );
    let device = bound(&a, &b, 4 * LEASE).await;
    clock.advance(Duration::from_secs(60));
    assert_eq!(a.whoami(&[&device.token]).await, "");
    let with_device = [&*device.token, &*device.cookie];
    assert_eq!(a.whoami(&with_device).await, "alice bound");
    // A copy that is behind knows of no device: it opens, and satisfies no guard that asks for one.
    let hits = b.cache.stats().hits();
    assert_eq!(b.whoami(&with_device).await, "alice");
    assert_eq!(b.whoami(&[&device.token]).await, "alice");
    assert_eq!(b.cache.stats().hits(), hits + 2);
    sleep(LEASE).await;
    assert_eq!(b.whoami(&[&device.token]).await, "");
    assert_eq!(b.whoami(&with_device).await, "alice bound");
}

/// D05, D13: a refresh asks the server, whatever the node has copies of: it knows the newest key and the newest count.
#[tokio::test(start_paused = true)]
async fn a_refresh_through_a_cache_sees_the_newest_count() {
    let (server, clock) = (Server::new(), ManualClock::starting_at(NOW));
    let (a, b) = (
        App::new(&server, &clock).await,
        App::new(&server, &clock).await,
    );
    let device = bound(&a, &b, LEASE / 4).await;
    let hits = b.cache.stats().hits();
    let mut challenge = device.challenge.clone();
    for (app, other) in [(&b, &a), (&a, &b), (&b, &a)] {
        let loads = app.loads();
        let answer = app.refresh(&device.identifier, &challenge).await;
        assert_eq!(answer.status, 200);
        assert_eq!(app.loads(), loads + 1);
        challenge = answer.challenge(CHALLENGE);
        // The same proof, on the other node, is the one before.
        assert_eq!(
            other.refresh(&device.identifier, &challenge).await.status,
            200
        );
        let answer = app.refresh(&device.identifier, &challenge).await;
        assert_eq!(answer.status, 200);
        challenge = answer.challenge(CHALLENGE);
    }
    for app in [&a, &b] {
        let used = app.refresh(&device.identifier, &device.challenge).await;
        assert_eq!(used.status, 403);
    }
    assert_eq!(b.cache.stats().hits(), hits);
}
