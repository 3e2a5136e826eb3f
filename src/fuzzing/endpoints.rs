use std::{
    convert::Infallible,
    fmt::Debug,
    future::{Ready, ready},
    pin::pin,
    sync::{Arc, LazyLock},
    task::{Context, Poll, Waker},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response,
    header::{COOKIE, HOST, SET_COOKIE},
};
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    device::{
        field::{CHALLENGE, REGISTRATION, RESPONSE, SESSION_ID, SKIPPED},
        samples::{NOW, Signing},
    },
    key::KeyRing,
    middleware::{
        device::{DeviceBinding, DeviceEndpointsService},
        failure::EmptyFailure,
        layer::SessionLayer,
        service::SessionService,
    },
    session::{
        handle::Session,
        id::{SessionId, VerifiedId},
        time::{Clock, Timestamp},
    },
    store::{MemoryStore, SessionStore, Stored},
};

/// A layer with two sessions: one is bound to a device, and the other may be.
struct Application {
    service: SessionService<DeviceEndpointsService<Login>, EmptyFailure>,
    store: Arc<MemoryStore>,
    sessions: Vec<(SessionId, Option<Stored>)>,
    /// What a thief has seen of both, by the byte that stands for it.
    seen: Vec<(u8, String)>,
}

static APPLICATION: LazyLock<Application> = LazyLock::new(Application::new);

/// Whatever fields come with a request to an endpoint, it is refused where the device signed nothing: without a cookie, without
/// a word of what was wrong, and without a trace in the store.
///
/// The first byte chooses the endpoint. Each line is a field: a byte that names it, and its value. A proof is written as its
/// header and its payload with a tab between, and the target encodes both and signs them with a stranger's key. In each value
/// what a thief has seen stands for a byte that no such value has: the tokens of both sessions, the challenges of both offers,
/// the identifier, the next challenge and the bound cookie.
pub fn device_endpoints(input: &[u8]) {
    let application = &*APPLICATION;
    let Some((first, lines)) = input.split_first() else {
        return;
    };
    let registers = first % 2 == 0;
    let fields = lines.split(|byte| *byte == b'\n');
    let fields: HeaderMap = fields.filter_map(|line| application.field(line)).collect();
    let names_a_session = fields.contains_key(SESSION_ID);
    let answer = application.post(registers, fields);
    let (status, headers) = (answer.status().as_u16(), answer.headers());
    if registers || !names_a_session {
        assert_eq!(status, 400);
    } else {
        assert!(status == 401 || status == 403, "{status}");
    }
    assert_eq!(headers.contains_key(CHALLENGE), status == 403);
    assert!(!headers.contains_key(SET_COOKIE), "a refusal sets a cookie");
    assert!(
        !headers.contains_key(REGISTRATION),
        "a refusal offers again"
    );
    assert!(answer.body().is_empty(), "a refusal tells why");
    for (id, before) in &application.sessions {
        assert_eq!(application.load(id), *before, "a refusal leaves a trace");
    }
}

impl Application {
    fn new() -> Self {
        let store = Arc::new(MemoryStore::new());
        let keys = sound(KeyRing::from_bytes([b"an unguessable key of 32 bytes!!"]));
        let layer = SessionLayer::new(keys)
            .with_store(Arc::clone(&store))
            .with_clock(At);
        let layer = sound(layer.with_device_binding(DeviceBinding::new("/dbsc")));
        let mut application = Self {
            service: layer.layer(sound(layer.device_endpoints()).layer(Login)),
            store,
            sessions: Vec::new(),
            seen: Vec::new(),
        };
        for (token, offer) in [(0x80, 0x81), (0x82, 0x83)] {
            let answer = application.ask("/login", HeaderMap::new());
            let cookie = cookie(&answer);
            let value = cookie.split('=').nth(1).unwrap_or_default();
            let bytes = sound(URL_SAFE_NO_PAD.decode(value));
            let id = SessionId::from_bytes(std::array::from_fn(|at| bytes[at + 4]));
            application.sessions.push((id, None));
            let challenge = quoted(&answer, REGISTRATION, 3);
            application
                .seen
                .extend([(token, cookie), (offer, challenge)]);
        }
        let proof = Signing::numbered(1).registers(&application.seen[1].1);
        let proof = sound(HeaderValue::try_from(proof));
        let bound = application.post(true, HeaderMap::from_iter([(name(RESPONSE), proof)]));
        assert_eq!(bound.status(), 200, "the device's own registration");
        let [challenge, identifier] = [1, 3].map(|at| quoted(&bound, CHALLENGE, at));
        let told = [
            (0x84, identifier),
            (0x85, challenge),
            (0x86, cookie(&bound)),
        ];
        application.seen.extend(told);
        for at in 0..application.sessions.len() {
            application.sessions[at].1 = application.load(&application.sessions[at].0);
        }
        application
    }

    /// The field that a line stands for, if it stands for one.
    fn field(&self, line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
        let (first, value) = line.split_first()?;
        let (field, is_proof) = match first {
            b'p' => (name(RESPONSE), false),
            b's' => (name(RESPONSE), true),
            b'i' => (name(SESSION_ID), false),
            b'k' => (name(SKIPPED), false),
            b'c' => (COOKIE, false),
            b'h' => (HOST, false),
            _ => return None,
        };
        let mut written = Vec::new();
        for byte in value {
            match self.seen.iter().find(|(stands, _)| stands == byte) {
                Some((_, seen)) => written.extend_from_slice(seen.as_bytes()),
                None => written.push(*byte),
            }
        }
        if is_proof {
            let parts = written.split(|byte| *byte == b'\t').take(2);
            let parts: Vec<_> = parts.map(|part| URL_SAFE_NO_PAD.encode(part)).collect();
            written = Signing::numbered(2).signs(&parts.join(".")).into_bytes();
        }
        Some((field, HeaderValue::from_bytes(&written).ok()?))
    }

    fn post(&self, registers: bool, fields: HeaderMap) -> Response<Vec<u8>> {
        let path = if registers {
            "/dbsc/register"
        } else {
            "/dbsc/refresh"
        };
        self.ask(path, fields)
    }

    fn ask(&self, path: &'static str, fields: HeaderMap) -> Response<Vec<u8>> {
        let mut request = sound(Request::post(path).body(()));
        *request.headers_mut() = fields;
        let Ok(answer) = at_once(self.service.clone().call(request));
        answer
    }

    fn load(&self, id: &SessionId) -> Option<Stored> {
        sound(at_once(self.store.load(VerifiedId::of(id), NOW)))
    }
}

/// A handler that logs alice in.
#[derive(Clone)]
struct Login;

impl Service<Request<()>> for Login {
    type Response = Response<Vec<u8>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        if let Some(session) = request.extensions().get::<Session>() {
            session.login("alice");
        }
        ready(Ok(Response::new(Bytes::new().into())))
    }
}

#[derive(Debug)]
struct At;

impl Clock for At {
    fn now(&self) -> Timestamp {
        NOW
    }
}

const fn name(field: &'static str) -> HeaderName {
    HeaderName::from_static(field)
}

/// The cookie that an answer sets, as it comes back.
fn cookie(answer: &Response<Vec<u8>>) -> String {
    let set = answer.headers().get(SET_COOKIE);
    let set = set.and_then(|set| set.to_str().ok()).unwrap_or_default();
    set.split(';').next().unwrap_or_default().to_owned()
}

/// What stands between the quotes of a field.
fn quoted(answer: &Response<Vec<u8>>, field: &str, at: usize) -> String {
    let field = answer.headers().get(field);
    let field = field
        .and_then(|field| field.to_str().ok())
        .unwrap_or_default();
    field.split('"').nth(at).unwrap_or_default().to_owned()
}

/// What a future answers over a store in memory, which never waits.
fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => unreachable!("a store in memory never waits"),
    }
}

/// What cannot fail here.
fn sound<T, E: Debug>(made: Result<T, E>) -> T {
    match made {
        Ok(made) => made,
        Err(error) => unreachable!("{error:?}"),
    }
}
