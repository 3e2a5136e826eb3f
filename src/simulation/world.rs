//! [`World`]: the service with a handler that does as it is told, and requests that go step by step.

use std::{
    convert::Infallible,
    future::Future,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use http::{Request, Response, StatusCode, header, request};
#[cfg(feature = "dbsc")]
use tower::service_fn;
#[cfg(feature = "dbsc")]
use tower_layer::Layer;
use tower_service::Service;

use super::store::{LetOthersGo, Scripted};
#[cfg(feature = "dbsc")]
use crate::middleware::device::DeviceEndpoints;
use crate::{
    key::KeyRing,
    middleware::{
        arrival_hook::ArrivalHook,
        backend::AnyBackend,
        backend::{Backend, EndedTokens},
        control::Sessions,
        failure::EmptyFailure,
        service::SessionService,
        settings::{Settings, Shared, Slot},
    },
    session::{
        authentication::{AssuranceLevel, Subject},
        data::DataKey,
        event::{EventKind, Observer, SessionEvent},
        handle::Session,
        policy::SessionPolicy,
        time::{Clock, Timestamp},
    },
    store::{SessionStore, revocation::Revocations},
};

pub(super) const K: DataKey<String> = DataKey::new("k");
pub(super) const CARRIED: DataKey<String> = DataKey::new("c").carried();

/// What one request asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Op {
    pub(super) name: &'static str,
    pub(super) marks: fn(&Session),
    /// Whether the handler answers 401 to whoever is not logged in.
    pub(super) needs_login: bool,
    /// How the handler ends.
    pub(super) end: End,
    /// Whom a proxy vouches for, where a world [has one](World::behind_a_proxy).
    pub(super) vouched: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Answers(u16),
    Errs,
    Panics,
}

pub(super) const fn op(name: &'static str, marks: fn(&Session), needs_login: bool) -> Op {
    let end = End::Answers(200);
    Op {
        name,
        marks,
        needs_login,
        end,
        vouched: None,
    }
}

pub(super) const READ: Op = op("read", |_| {}, false);
pub(super) const WRITE: Op = op(
    "write",
    |s| s.insert(&K, &"written".to_owned()).unwrap(),
    false,
);
pub(super) const APPEND: Op = op(
    "append",
    |s| {
        let append = |list: Option<String>| Some(list.unwrap_or_default() + "+");
        s.update(&K, append).unwrap();
    },
    false,
);
/// Plants one value that [`EMPTY`] removes.
pub(super) const PLANT_ONE: Op = op(
    "plant-one",
    |s| s.insert(&CARRIED, &"carried".to_owned()).unwrap(),
    false,
);
pub(super) const EMPTY: Op = op("empty", |s| s.remove(&CARRIED), false);
pub(super) const PLANT: Op = op(
    "plant",
    |s| {
        s.insert(&K, &"planted".to_owned()).unwrap();
        s.insert(&CARRIED, &"carried".to_owned()).unwrap();
    },
    false,
);
pub(super) const LOGIN: Op = op("login", |s| s.login("alice"), false);
/// Alice's proxy sends her.
pub(super) const ARRIVE: Op = op("arrive", |_| {}, false).vouched(Some("alice"));
pub(super) const LOGIN_BOB: Op = op("login-bob", |s| s.login("bob"), false);
pub(super) const ELEVATE: Op = op("elevate", |s| s.elevate(AssuranceLevel::AAL2), true);
/// The user acts as bob, who logged in nowhere.
pub(super) const ACT: Op = op("act", |s| s.impersonate("bob"), true);
pub(super) const RETURN: Op = op("return", Session::end_impersonation, true);
pub(super) const STEP_DOWN: Op = op("step-down", Session::step_down, true);
pub(super) const RENEW: Op = op("renew", Session::renew, false);
pub(super) const LOGOUT: Op = op("logout", Session::logout, false);
pub(super) const SWITCH: Op = op(
    "switch",
    |s| {
        s.logout();
        s.login("bob");
    },
    false,
);
pub(super) const FORGET: Op = op(
    "forget",
    |s| {
        s.logout();
        s.insert(&K, &"afterwards".to_owned()).unwrap();
    },
    false,
);

impl Op {
    pub(super) const fn vouched(mut self, who: Option<&'static str>) -> Self {
        self.vouched = who;
        self
    }

    pub(super) const fn ending(mut self, end: End) -> Self {
        self.end = end;
        self
    }
}

/// The cookies that a request brings: the session's, the guest's, and that of the session's device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Cookies {
    pub(super) session: Option<String>,
    pub(super) guest: Option<String>,
    pub(super) bound: Option<String>,
}

impl Cookies {
    pub(super) fn session(token: &str) -> Self {
        Self {
            session: Some(token.to_owned()),
            ..Self::default()
        }
    }

    pub(super) fn guest(token: &str) -> Self {
        Self {
            guest: Some(token.to_owned()),
            ..Self::default()
        }
    }

    /// What a browser does with an answer.
    pub(super) fn take(&mut self, answer: &Answer) {
        for (jar, written) in [
            (&mut self.session, &answer.session),
            (&mut self.guest, &answer.guest),
            (&mut self.bound, &answer.bound),
        ] {
            if let Some(value) = written {
                *jar = Some(value.clone()).filter(|value| !value.is_empty());
            }
        }
    }
}

/// What came back; a cookie is empty if it was removed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) session: Option<String>,
    pub(super) guest: Option<String>,
    pub(super) bound: Option<String>,
    /// What a browser is to sign: for a registration, and for a refresh.
    pub(super) offer: Option<String>,
    pub(super) challenge: Option<String>,
    /// Who came and, after `>`, who it was when the handler was done, as `alice@2 k=v`.
    pub(super) body: String,
    /// How many revocations there were when the request was admitted.
    pub(super) revocations: u64,
}

impl Answer {
    pub(super) fn is_ok(&self) -> bool {
        self.status == 200
    }

    pub(super) fn sets_nothing(&self) -> bool {
        self.session.is_none() && self.guest.is_none() && self.bound.is_none()
    }

    pub(super) fn came(&self) -> &str {
        self.body.split('>').next().unwrap()
    }

    pub(super) fn left(&self) -> &str {
        self.body.split('>').next_back().unwrap()
    }
}

/// A request under way.
pub(super) struct Flight(
    Pin<Box<dyn Future<Output = Result<Response<String>, Infallible>> + Send>>,
);

impl Flight {
    /// Goes on to the next point at which others may go first.
    pub(super) fn step(&mut self) -> Poll<Answer> {
        let polled = self
            .0
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        polled
            .map(|answer| answer.map_or_else(|never| match never {}, |answer| read_answer(&answer)))
    }

    pub(super) fn finish(mut self) -> Answer {
        for _ in 0..1000 {
            if let Poll::Ready(answer) = self.step() {
                return answer;
            }
        }
        panic!("a request that never ends");
    }
}

fn read_answer(response: &Response<String>) -> Answer {
    let cookie = |name: &str| {
        let set = response.headers().get_all(header::SET_COOKIE).iter();
        let values = set.map(|value| value.to_str().unwrap().split(';').next().unwrap());
        let mut ours = values.filter_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        let first = ours.next().map(ToOwned::to_owned);
        assert_eq!(ours.next(), None, "one cookie of a name leaves");
        first
    };
    if response.headers().contains_key(header::SET_COOKIE) {
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
    }
    let signed = |name: &str, before: &str| {
        let field = response.headers().get(name)?.to_str().unwrap();
        let rest = &field[field.find(before).unwrap()..];
        rest.split('"').nth(1).map(str::to_owned)
    };
    Answer {
        status: response.status().as_u16(),
        session: cookie(SESSION),
        guest: cookie(GUEST),
        bound: cookie(BOUND),
        offer: signed("secure-session-registration", "challenge="),
        challenge: signed("secure-session-challenge", ""),
        body: response.body().clone(),
        revocations: response.extensions().get().copied().unwrap_or_default(),
    }
}

pub(super) const SESSION: &str = "__Host-Http-session";
pub(super) const GUEST: &str = "__Host-Http-session-guest";
const VOUCHED: &str = "x-user";
pub(super) const BOUND: &str = "__Host-session-bound";

/// One server, one moment.
#[derive(Clone, Debug)]
pub(super) struct World {
    service: SessionService<Obedient, EmptyFailure>,
    shared: Arc<Shared>,
    pub(super) store: Option<Scripted>,
    clock: Stepped,
    events: Heard,
    marked: Arc<AtomicBool>,
    revocations: Arc<AtomicU64>,
}

impl World {
    /// With `store`, or with self-contained tokens.
    pub(super) fn new(store: Option<Arc<dyn SessionStore>>) -> Self {
        Self::with(store, |_| {})
    }

    /// The same with other settings.
    pub(super) fn with(
        store: Option<Arc<dyn SessionStore>>,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        let (clock, events) = (Stepped::default(), Heard::default());
        let keys = KeyRing::from_bytes([FIRST_KEY]).unwrap();
        let store = store.map(Scripted::new);
        let backend = match &store {
            Some(store) => Backend::Stored(Arc::new(store.clone())),
            None => Backend::SelfContained(EndedTokens::Local(Arc::new(Revocations::new(10_000)))),
        };
        let mut settings = Settings::new(keys, backend);
        settings.policy = SessionPolicy::default().grace(GRACE).unwrap();
        settings.clock = Arc::new(clock.clone());
        settings.observer = Arc::new(events.clone());
        change(&mut settings);
        let shared = Arc::new(Shared::new(settings));
        // Where there is a store, its calls are the points at which requests meet.
        let marked = Arc::new(AtomicBool::new(false));
        let revocations = Arc::default();
        let handler = Obedient {
            waits: store.is_none(),
            marked: Arc::clone(&marked),
            revocations: Arc::clone(&revocations),
        };
        Self {
            service: SessionService::new(handler, Arc::clone(&shared), EmptyFailure),
            shared,
            marked,
            revocations,
            store,
            clock,
            events,
        }
    }

    /// Logs in at arrival whom a proxy vouches for.
    pub(super) fn behind_a_proxy(settings: &mut Settings) {
        settings.arrival_hook = Some(ArrivalHook::new(|request: request::Parts| async move {
            let user = request.headers.get(VOUCHED)?.to_str().ok()?;
            Some(user.into())
        }));
    }

    /// The same, but handlers too let others go before they do anything.
    pub(super) fn with_waiting_handlers(mut self) -> Self {
        let handler = Obedient {
            waits: true,
            marked: Arc::clone(&self.marked),
            revocations: Arc::clone(&self.revocations),
        };
        self.service = SessionService::new(handler, Arc::clone(&self.shared), EmptyFailure);
        self
    }

    pub(super) fn send(&self, op: Op, cookies: &Cookies) -> Flight {
        let mut request = Request::builder().uri("/");
        if let Some(user) = op.vouched {
            request = request.header(VOUCHED, user);
        }
        let request = with_cookies(request, cookies).body(op).unwrap();
        self.marked.store(false, SeqCst);
        let mut service = self.service.clone();
        Flight(Box::pin(async move {
            service.call(request).await.map_or_else(failed, Ok)
        }))
    }

    /// A browser registers or refreshes.
    #[cfg(feature = "dbsc")]
    pub(super) fn send_device(
        &self,
        path: &str,
        fields: &[(&str, &str)],
        cookies: &Cookies,
    ) -> Flight {
        let mut request = Request::builder().method("POST").uri(path);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let request = with_cookies(request, cookies).body(()).unwrap();
        let nothing =
            service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new(Vec::new())) });
        let endpoints = DeviceEndpoints::following(Slot::of(&self.shared)).layer(nothing);
        let mut service = SessionService::new(endpoints, Arc::clone(&self.shared), EmptyFailure);
        Flight(Box::pin(async move {
            let answer = service.call(request).await?;
            Ok(answer.map(|body| String::from_utf8(body).unwrap()))
        }))
    }

    /// One request alone, from beginning to end.
    pub(super) fn ask(&self, op: Op, cookies: &Cookies) -> Answer {
        self.send(op, cookies).finish()
    }

    /// Status, headers and body of an answer, as text.
    pub(super) fn headers_of(&self, op: Op, cookies: &Cookies) -> String {
        let mut flight = self.send(op, cookies);
        let context = &mut Context::from_waker(Waker::noop());
        loop {
            if let Poll::Ready(Ok(response)) = flight.0.as_mut().poll(context) {
                return format!("{response:?}");
            }
        }
    }

    /// Whom these cookies open, as `alice@2 k=v`, or `nobody`.
    pub(super) fn probe(&self, cookies: &Cookies) -> String {
        if let Some(store) = &self.store {
            store.begin(false, &[]);
        }
        self.ask(READ, cookies).left().to_owned()
    }

    pub(super) fn advance(&self, by: Duration) {
        let millis = u64::try_from(by.as_millis()).unwrap();
        self.clock.0.fetch_add(millis, SeqCst);
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Replaces the keys that sign and verify, while the server runs.
    pub(super) fn replace_keys(&self, with: &KeyRing) {
        self.shared.settings.keys.replace(with);
    }

    /// Whether the handler of the last request has made its marks.
    pub(super) fn marked(&self) -> bool {
        self.marked.load(SeqCst)
    }

    pub(super) fn heard(&self) -> Vec<EventKind> {
        std::mem::take(&mut *self.events.0.lock().unwrap())
    }

    /// An administrator ends all sessions of a user, from outside any request.
    pub(super) fn revoke(&self, user: &str) {
        let sessions = Sessions::<AnyBackend>::following(Slot::of(&self.shared));
        let subject = Subject::from(user);
        let mut revoking = pin!(sessions.end_all(&subject));
        let context = &mut Context::from_waker(Waker::noop());
        while revoking.as_mut().poll(context).is_pending() {}
        self.revocations.fetch_add(1, SeqCst);
    }

    /// How many revocations there were.
    pub(super) fn revocations(&self) -> u64 {
        self.revocations.load(SeqCst)
    }

    /// How many live records the store holds.
    pub(super) fn records(&self) -> u64 {
        let store = self.store.as_ref().unwrap();
        let mut asking = store.live_records(self.now());
        match asking
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            Poll::Ready(Ok(Some(records))) => records,
            other => panic!("{other:?}"),
        }
    }
}

/// The key that signs at first.
pub(super) const FIRST_KEY: [u8; 32] = *b"an unguessable key of 32 bytes!!";

/// The grace time of every world.
pub(super) const GRACE: Duration = Duration::from_secs(10);

fn with_cookies(mut request: request::Builder, cookies: &Cookies) -> request::Builder {
    for (name, value) in [
        (SESSION, &cookies.session),
        (GUEST, &cookies.guest),
        (BOUND, &cookies.bound),
    ] {
        if let Some(value) = value {
            request = request.header(header::COOKIE, format!("{name}={value}"));
        }
    }
    request
}

fn failed(_: Failed) -> Result<Response<String>, Infallible> {
    let mut response = Response::new(String::from("failed"));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    Ok(response)
}

/// The handler's own error.
#[derive(Debug)]
struct Failed;

/// A handler that does what the request's body says.
#[derive(Clone, Debug)]
struct Obedient {
    waits: bool,
    marked: Arc<AtomicBool>,
    revocations: Arc<AtomicU64>,
}

impl Service<Request<Op>> for Obedient {
    type Response = Response<String>;
    type Error = Failed;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Failed>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Op>) -> Self::Future {
        let session = request.extensions().get::<Session>().unwrap().clone();
        let (op, waits) = (*request.body(), self.waits);
        let marked = Arc::clone(&self.marked);
        let revocations = self.revocations.load(SeqCst);
        Box::pin(async move {
            if waits {
                LetOthersGo::default().await;
            }
            marked.store(true, SeqCst);
            let came = whoami(&session);
            let mut status = StatusCode::UNAUTHORIZED;
            if session.is_authenticated() || !op.needs_login {
                (op.marks)(&session);
                status = match op.end {
                    End::Answers(status) => StatusCode::from_u16(status).unwrap(),
                    End::Errs => return Err(Failed),
                    // Without the hook, which would print it.
                    End::Panics => std::panic::resume_unwind(Box::new("asked to")),
                };
            }
            let mut response = Response::new(format!("{came}>{}", whoami(&session)));
            *response.status_mut() = status;
            response.extensions_mut().insert(revocations);
            Ok(response)
        })
    }
}

fn whoami(session: &Session) -> String {
    let level = session.level().map_or(0, AssuranceLevel::get);
    let mut text = match session.subject() {
        Some(subject) => match session.actor() {
            // Somebody else than the subject alone.
            Some(actor) => format!("{subject}/{actor}@{level}"),
            None => format!("{subject}@{level}"),
        },
        None => "nobody".to_owned(),
    };
    for key in [K, CARRIED] {
        if let Some(value) = session.get(&key).unwrap() {
            text.push_str(&format!(" {}={value}", key.name()));
        }
    }
    text
}

/// Time that stands still until it is moved.
#[derive(Clone, Debug)]
struct Stepped(Arc<AtomicU64>);

impl Default for Stepped {
    fn default() -> Self {
        Self(Arc::new(AtomicU64::new(1_800_000_000_000)))
    }
}

impl Clock for Stepped {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_millis(self.0.load(SeqCst))
    }
}

#[derive(Clone, Debug, Default)]
struct Heard(Arc<Mutex<Vec<EventKind>>>);

impl Observer for Heard {
    fn observe(&self, event: &SessionEvent) {
        self.0.lock().unwrap().push(event.kind);
    }
}
