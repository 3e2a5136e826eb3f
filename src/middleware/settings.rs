//! [`Settings`] of a layer; [`Shared`]: what a layer, its services and the sessions of its requests have in common.

use std::{
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering::Relaxed},
    },
};

use arc_swap::ArcSwap;
use http::Request;

use super::{
    answer::FailureRule,
    arrival_hook::ArrivalHook,
    backend::Backend,
    background::Background,
    client::{ClientBinding, ClientReader},
    clock::SystemClock,
    csrf::CsrfKeys,
    devices::{Devices, DevicesOf},
    ended::{follow::Follow, question::Question, waiting::Waiting},
    endings::Endings,
    in_flight::InFlight,
    observe::TracingObserver,
    shared_cache::SharedCacheWatch,
    transport::DroppedWatch,
};
use crate::{
    cookie::{
        Caching, CookiePolicy, request::CookieReader, response::CookieWriter, token::TokenKeys,
    },
    key::KeyRing,
    session::{
        authentication::Subject,
        csrf::CsrfToken,
        ended::Ended,
        event::{EventKind, Observer, SessionEvent},
        id::Lineage,
        live::Live,
        policy::{AtLimit, SessionPolicy},
        time::{Clock, Timestamp},
        unadmitted::Environment,
    },
    store::revocation::{IssuedToken, Occupancy},
};

/// The most bytes of data that a session in a store may hold.
const STORED_DATA: usize = 64 * 1024;

/// The settings of a layer.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) keys: KeyRing,
    pub(crate) audience: Arc<str>,
    pub(crate) cookies: CookiePolicy,
    pub(crate) caching: Caching,
    pub(crate) policy: SessionPolicy,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) backend: Backend,
    pub(crate) failure: FailureRule,
    /// Whether sessions are loaded when somebody first looks at them.
    pub(crate) lazily: bool,
    /// Logs in at arrival.
    pub(crate) arrival_hook: Option<ArrivalHook>,
    pub(crate) binding: Option<ClientBinding>,
    /// There if sessions are bound to devices.
    pub(crate) devices: Option<Arc<dyn DevicesOf>>,
    /// How many sessions an owner may have; none without a store.
    pub(crate) limit: Option<SessionLimit>,
    /// Shared by a layer and all that are made from it, as the next one is.
    pub(crate) endings: Arc<Endings>,
    pub(crate) waiting: Arc<Waiting>,
    pub(crate) background: Arc<Background>,
    pub(crate) in_flight: Arc<InFlight>,
    pub(crate) shared_caches: Arc<SharedCacheWatch>,
}

/// How many sessions an owner may have at a time, and what happens at one more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SessionLimit {
    pub(crate) count: NonZeroUsize,
    pub(crate) at_limit: AtLimit,
}

impl SessionLimit {
    /// Enough for a person's browsers, and too few to make an account's list a burden.
    pub(crate) const DEFAULT: Self = Self {
        count: NonZeroUsize::new(100).unwrap(),
        at_limit: AtLimit::EndOldest,
    };
}

impl Settings {
    pub(crate) fn new(keys: KeyRing, backend: Backend) -> Self {
        let limit = match backend {
            Backend::Stored(_) => Some(SessionLimit::DEFAULT),
            Backend::SelfContained(_) => None,
        };
        Self {
            limit,
            keys,
            audience: Arc::from(""),
            cookies: CookiePolicy::default(),
            caching: Caching::default(),
            policy: SessionPolicy::default(),
            clock: Arc::new(SystemClock),
            observer: Arc::new(TracingObserver),
            backend,
            binding: None,
            devices: None,
            failure: FailureRule::default(),
            lazily: false,
            arrival_hook: None,
            endings: Arc::new(Endings::new()),
            waiting: Arc::default(),
            background: Arc::default(),
            in_flight: Arc::new(InFlight::new()),
            shared_caches: Arc::new(SharedCacheWatch::new()),
        }
    }
}

/// The settings, and what was worked out from them once.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) tokens: TokenKeys,
    pub(crate) reader: CookieReader,
    pub(crate) writer: CookieWriter,
    csrf: CsrfKeys,
    /// There if sessions are bound to their clients, so that a request's client has a say in its admission.
    pub(crate) client: Option<ClientReader>,
    /// There if sessions are bound to devices, so that a request's bound cookie has a say in its admission.
    pub(crate) devices: Option<Box<dyn Devices>>,
    /// How full the list of ended tokens was when that was last told.
    pub(crate) occupancy: OccupancyWatch,
    pub(crate) dropped: DroppedWatch,
    /// Whether the cookies have `Secure`.
    pub(crate) is_secure: bool,
    data_budget: usize,
}

/// Notices that the list of ended tokens fills up.
#[derive(Debug, Default)]
pub(crate) struct OccupancyWatch(AtomicU8);

impl OccupancyWatch {
    /// What to tell if the list is fuller than it was before.
    pub(crate) fn rises_to(&self, occupancy: Occupancy) -> Option<EventKind> {
        let (level, event) = match occupancy {
            Occupancy::Low => (0, None),
            Occupancy::High => (1, Some(EventKind::EndedTokensHalfFull)),
            Occupancy::Full => (2, Some(EventKind::EndedTokensFull)),
        };
        // Most requests find it as it was: a read costs others nothing.
        if self.0.load(Relaxed) == level {
            return None;
        }
        event
            .filter(|_| self.0.swap(level, Relaxed) < level)
            .or_else(|| {
                self.0.store(level, Relaxed);
                None
            })
    }
}

/// What a layer is by now, for the handles that follow it. No request looks at it.
#[derive(Debug)]
pub(crate) struct Slot(ArcSwap<Shared>);

impl Slot {
    pub(crate) fn of(shared: &Arc<Shared>) -> Arc<Self> {
        Arc::new(Self(ArcSwap::new(Arc::clone(shared))))
    }

    /// Holds what the layer has become.
    pub(crate) fn hold(&self, shared: &Arc<Shared>) {
        self.0.store(Arc::clone(shared));
    }

    pub(crate) fn get(&self) -> Arc<Shared> {
        self.0.load_full()
    }
}

impl Shared {
    pub(crate) fn new(settings: Settings) -> Self {
        let tokens = TokenKeys::new(settings.keys.clone(), &settings.cookies, &settings.audience);
        let (data_budget, lengths) = match settings.backend {
            Backend::Stored(_) => (STORED_DATA, TokenKeys::reference_lengths()),
            Backend::SelfContained(_) => {
                (tokens.data_budget(), TokenKeys::self_contained_lengths())
            }
        };
        let (keys, audience) = (&settings.keys, &*settings.audience);
        let binding = settings.binding.clone();
        let devices = settings.devices.as_ref();
        Self {
            csrf: CsrfKeys::new(keys, &settings.cookies, audience),
            client: binding.map(|binding| ClientReader::new(binding, keys, audience)),
            devices: devices.map(|devices| devices.under(keys, &settings.cookies, audience)),
            data_budget,
            occupancy: OccupancyWatch::default(),
            dropped: DroppedWatch::default(),
            is_secure: settings.cookies.is_secure(),
            reader: CookieReader::new(&settings.cookies, lengths),
            writer: CookieWriter::new(&settings.cookies, settings.caching),
            tokens,
            settings,
        }
    }

    /// Whether a request is for an endpoint at which devices register and refresh, which finds the session by itself. A request
    /// there without a bound cookie is nothing to tell of, and its answer offers nothing: a browser that cannot register would
    /// try for ever.
    #[inline]
    pub(crate) fn answers_devices<B>(&self, request: &Request<B>) -> bool {
        let devices = self.devices.as_deref();
        devices.is_some_and(|devices| devices.is_endpoint(request.uri().path()))
    }

    pub(crate) fn policy(&self) -> &SessionPolicy {
        &self.settings.policy
    }

    /// Tells once that the list fills up, and once that it is full; again only after it was less full.
    pub(crate) fn watch_list(&self, occupancy: Occupancy, now: Timestamp) {
        if let Some(event) = self.occupancy.rises_to(occupancy) {
            self.tell(&SessionEvent::new(event, now));
        }
    }

    /// Hands an event to the observer. One that panics fails alone: events are told in destructors too, where a
    /// second panic would abort the process (S24).
    pub(crate) fn tell(&self, event: &SessionEvent) {
        let observe = AssertUnwindSafe(|| self.settings.observer.observe(event));
        if catch_unwind(observe).is_err() {
            tracing::error!(
                target: "tower_session_guard",
                kind = event.kind.as_str(),
                "the observer panicked"
            );
        }
    }
}

impl Environment for Shared {
    fn now(&self) -> Timestamp {
        self.settings.clock.now()
    }

    fn observe(&self, event: &SessionEvent) {
        self.tell(event);
    }

    fn policy(&self) -> &SessionPolicy {
        &self.settings.policy
    }

    fn cookie_name(&self) -> &str {
        self.settings.cookies.session_name().as_str()
    }

    fn data_budget(&self) -> usize {
        self.data_budget
    }

    fn endings_seen(&self) -> u64 {
        self.settings.endings.seen()
    }

    fn csrf_token(&self, lineage: Lineage, subject: Option<&Subject>) -> Option<CsrfToken> {
        self.csrf.seal(lineage, subject)
    }

    fn csrf_holds(&self, lineage: Lineage, subject: Option<&Subject>, token: &[u8]) -> bool {
        self.csrf.verify(lineage, subject, token)
    }

    fn ended(&self, live: &Live) -> Ended {
        let settings = &self.settings;
        let keys = IssuedToken::of(live, &settings.audience).keys();
        let watch = settings
            .waiting
            .watch(*live.family(), keys, live.state.last_seen_at);
        let question = Question::new(
            settings.backend.clone(),
            Arc::clone(&settings.clock),
            settings.policy.clone(),
            Arc::clone(&settings.audience),
            live,
        );
        Ended::new(Follow::new(question, watch).end())
    }
}
