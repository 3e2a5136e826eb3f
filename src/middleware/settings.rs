//! [`Settings`] of a layer; [`Shared`]: what a layer, its services and the sessions of its requests have in common.

use std::sync::Arc;

use super::{
    backend::{Backend, EndedTokens},
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
        id::Lineage,
        policy::SessionPolicy,
        time::{Clock, Timestamp},
        unadmitted::Environment,
    },
    store::revocation::Revocations,
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
    pub(crate) backend: Backend,
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
            backend: Backend::SelfContained(EndedTokens::Local(Arc::new(Revocations::new()))),
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
    csrf: CsrfKeys,
    /// There if sessions are bound to their clients, so that a request's client has a say in its admission.
    pub(crate) client: Option<ClientReader>,
    data_budget: usize,
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
        Self {
            csrf: CsrfKeys::new(keys, &settings.cookies, audience),
            client: binding.map(|binding| ClientReader::new(binding, keys, audience)),
            data_budget,
            reader: CookieReader::new(&settings.cookies, lengths),
            writer: CookieWriter::new(&settings.cookies),
            tokens,
            settings,
        }
    }

    pub(crate) fn policy(&self) -> &SessionPolicy {
        &self.settings.policy
    }

    pub(crate) fn tell(&self, event: &SessionEvent) {
        self.settings.observer.observe(event);
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
