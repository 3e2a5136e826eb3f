//! [`Settings`] of a layer; [`Shared`]: what a layer, its services and the sessions of its requests have in common.

use std::{any::Any, sync::Arc};

use super::{
    backend::{Keeper, List},
    client::{ClientBinding, ClientReader},
    clock::SystemClock,
    csrf::CsrfKeys,
    observe::TracingObserver,
};
use crate::{
    cookie::{CookiePolicy, request::CookieReader, response::CookieWriter, token::TokenKeys},
    key::KeyRing,
    session::{
        authentication::Subject,
        csrf::CsrfToken,
        event::{Observer, SessionEvent},
        handle::{Environment, Session},
        id::Lineage,
        policy::SessionPolicy,
        time::{Clock, Timestamp},
    },
    store::{SessionStore, revocation::Revocations},
};

/// The most bytes of data that a session in a store may hold.
const STORED_DATA: usize = 64 * 1024;

/// The settings of a layer.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) keys: KeyRing,
    pub(crate) audience: Arc<str>,
    pub(crate) cookies: CookiePolicy,
    pub(crate) policy: SessionPolicy,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) store: Option<Arc<dyn SessionStore>>,
    pub(crate) revocations: List,
    pub(crate) binding: Option<ClientBinding>,
}

impl Settings {
    pub(crate) fn new(keys: KeyRing) -> Self {
        Self {
            keys,
            audience: Arc::from(""),
            cookies: CookiePolicy::default(),
            policy: SessionPolicy::default(),
            clock: Arc::new(SystemClock),
            observer: Arc::new(TracingObserver),
            store: None,
            revocations: List::Here(Arc::new(Revocations::new())),
            binding: None,
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
    pub(crate) keeper: Keeper,
    csrf: CsrfKeys,
    pub(super) client: Option<ClientReader>,
    data_budget: usize,
}

impl Shared {
    pub(crate) fn new(settings: Settings) -> Self {
        let tokens = TokenKeys::new(settings.keys.clone(), &settings.cookies, &settings.audience);
        let keeper = match &settings.store {
            Some(store) => Keeper::Stored(Arc::clone(store)),
            None => Keeper::SelfContained(settings.revocations.clone()),
        };
        let (data_budget, lengths) = match keeper {
            Keeper::Stored(_) => (STORED_DATA, TokenKeys::reference_lengths()),
            Keeper::SelfContained(_) => (tokens.data_budget(), TokenKeys::self_contained_lengths()),
        };
        let (keys, audience) = (&settings.keys, &*settings.audience);
        let binding = settings.binding.clone();
        Self {
            csrf: CsrfKeys::new(keys, &settings.cookies, audience),
            client: binding.map(|binding| ClientReader::new(binding, keys, audience)),
            data_budget,
            reader: CookieReader::new(&settings.cookies, lengths),
            writer: CookieWriter::new(&settings.cookies),
            tokens,
            keeper,
            settings,
        }
    }

    /// Those in which a session was made.
    pub(crate) fn of(session: &Session) -> &Self {
        let environment: &dyn Any = &**session.environment();
        match environment.downcast_ref() {
            Some(shared) => shared,
            None => unreachable!("a request's session is made by its layer"),
        }
    }

    /// The same, to be kept.
    pub(crate) fn kept_of(session: &Session) -> Arc<Self> {
        let environment: Arc<dyn Any + Send + Sync> = Arc::clone(session.environment()) as _;
        match environment.downcast() {
            Ok(shared) => shared,
            Err(_) => unreachable!("a request's session is made by its layer"),
        }
    }

    pub(crate) fn policy(&self) -> &SessionPolicy {
        &self.settings.policy
    }

    pub(crate) fn tell(&self, event: &SessionEvent) {
        self.settings.observer.observe(event);
    }

    /// Whether sessions are bound to their clients, so that a request's client has a say in its admission.
    pub(crate) const fn binds_clients(&self) -> bool {
        self.client.is_some()
    }
}

impl Environment for Shared {
    fn now(&self) -> Timestamp {
        self.settings.clock.now()
    }

    fn observe(&self, event: &SessionEvent) {
        self.tell(event);
    }

    fn data_budget(&self) -> usize {
        self.data_budget
    }

    fn csrf_token(&self, lineage: Lineage, subject: Option<&Subject>) -> Option<CsrfToken> {
        self.csrf.seal(lineage, subject)
    }

    fn csrf_holds(&self, lineage: Lineage, subject: Option<&Subject>, token: &[u8]) -> bool {
        self.csrf.verify(lineage, subject, token)
    }
}
