//! [`SessionLayer`]: the settings of the middleware.

use std::{fmt, sync::Arc};

use tower_layer::Layer;

use super::{
    backend::{Backend, EndedTokens},
    client::ClientBinding,
    control::Sessions,
    failure::EmptyFailure,
    service::SessionService,
    settings::{Settings, Shared},
};
use crate::{
    cookie::CookiePolicy,
    key::KeyRing,
    session::{event::Observer, policy::SessionPolicy, time::Clock},
    store::{SessionStore, revocation::RevocationList},
};

/// Gives every request a [`Session`](crate::Session) and carries out what its handler marks.
///
/// With keys alone, tokens are self-contained: the session travels in its signed cookie and nothing needs
/// to run. With a [store](Self::with_store), the cookie holds a reference and the session stays on the
/// server. Building a layer cannot fail and starts no task; what can be wrong was parsed before.
///
/// A layer's clones, and the services made from them, are one: they share keys, settings and the list of
/// ended tokens.
///
/// # Examples
///
/// ```
/// use tower_session_guard::{KeyRing, MemoryStore, SessionLayer, SessionPolicy};
///
/// let sessions = SessionLayer::new(KeyRing::generate()?)
///     .with_store(MemoryStore::new())
///     .with_policy(SessionPolicy::aal2());
/// # let _ = sessions;
/// # Ok::<(), tower_session_guard::ConfigError>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct SessionLayer<F = EmptyFailure> {
    shared: Arc<Shared>,
    failure: F,
}

impl SessionLayer {
    /// A layer of self-contained tokens under `keys`, with the default cookies and limits.
    pub fn new(keys: KeyRing) -> Self {
        Self {
            shared: Arc::new(Shared::new(Settings::new(keys))),
            failure: EmptyFailure,
        }
    }
}

impl<F> SessionLayer<F> {
    /// Keeps sessions in `store`, under reference tokens.
    pub fn with_store(self, store: impl SessionStore) -> Self {
        self.with_shared_store(Arc::new(store))
    }

    /// Keeps sessions in a store that others hold too.
    pub fn with_shared_store(self, store: Arc<dyn SessionStore>) -> Self {
        self.with(|settings| settings.backend = Backend::Stored(store))
    }

    /// Shares the list of ended self-contained tokens with other processes. With a store it means nothing.
    ///
    /// Every request with a token then asks the list, and fails if the list does: with 503, before the
    /// handler.
    pub fn with_revocations(self, list: impl RevocationList) -> Self {
        self.with(|settings| {
            if let Backend::SelfContained(ended) = &mut settings.backend {
                *ended = EndedTokens::Distributed(Arc::new(list));
            }
        })
    }

    /// Sets how long sessions live and when their tokens are renewed.
    pub fn with_policy(self, policy: SessionPolicy) -> Self {
        self.with(|settings| settings.policy = policy)
    }

    /// Sets the cookies' names and attributes.
    pub fn with_cookies(self, cookies: CookiePolicy) -> Self {
        self.with(|settings| settings.cookies = cookies)
    }

    /// Names the application that tokens are for, so that one of another application under the same keys
    /// is worth nothing here.
    pub fn with_audience(self, audience: impl AsRef<str>) -> Self {
        self.with(|settings| settings.audience = audience.as_ref().into())
    }

    /// Hands every event to `observer` instead of to `tracing`.
    pub fn with_observer(self, observer: impl Observer) -> Self {
        self.with(|settings| settings.observer = Arc::new(observer))
    }

    /// Reads the time from `clock` instead of the operating system.
    pub fn with_clock(self, clock: impl Clock) -> Self {
        self.with(|settings| settings.clock = Arc::new(clock))
    }

    /// Notices when another client uses a session, see [`ClientBinding`].
    pub fn with_binding(self, binding: ClientBinding) -> Self {
        self.with(|settings| settings.binding = Some(binding))
    }

    /// A handle that lists and ends the sessions of this layer, for handlers and background jobs.
    ///
    /// Take it once the layer has all its settings: it goes by those that the layer has now.
    #[must_use]
    pub fn sessions(&self) -> Sessions {
        Sessions::new(Arc::clone(&self.shared))
    }

    /// Makes the response where the handler's cannot stand with `failure`, see
    /// [`FailureResponse`](crate::FailureResponse).
    pub fn on_failure<G>(self, failure: G) -> SessionLayer<G> {
        SessionLayer {
            shared: self.shared,
            failure,
        }
    }

    fn with(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = self.shared.settings.clone();
        change(&mut settings);
        self.shared = Arc::new(Shared::new(settings));
        self
    }
}

impl<S, F> Layer<S> for SessionLayer<F>
where
    F: Clone,
{
    type Service = SessionService<S, F>;

    fn layer(&self, inner: S) -> Self::Service {
        SessionService::new(inner, Arc::clone(&self.shared), self.failure.clone())
    }
}

impl<F> fmt::Debug for SessionLayer<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionLayer")
            .field("settings", &self.shared.settings)
            .finish_non_exhaustive()
    }
}
