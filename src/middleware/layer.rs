//! [`SessionLayer`]: the settings of the middleware.

use std::{fmt, marker::PhantomData, num::NonZeroUsize, sync::Arc, time::Duration};

use http::{HeaderMap, Response, StatusCode};
use tower_layer::Layer;

use super::{
    answer::FailureRule,
    backend::{AnyBackend, Backend, EndedTokens, InStore, SelfContained},
    background::Drained,
    client::ClientBinding,
    control::Sessions,
    failure::{EmptyFailure, SessionError},
    service::SessionService,
    settings::{SessionLimit, Settings, Shared, Slot},
};
use crate::{
    cookie::{Caching, CookiePolicy},
    error::ConfigError,
    key::KeyRing,
    session::{
        event::Observer,
        policy::{AtLimit, SessionPolicy},
        time::Clock,
    },
    store::{
        MemoryStore, SessionStore,
        revocation::{MemoryRevocations, RevocationList},
    },
};

/// Gives every request a [`Session`](crate::Session) and carries out what its handler marks.
///
/// [`new`](Self::new) keeps sessions in this process's memory: nothing to run, and no ending that was acknowledged is
/// ever undone. A restart or a second process logs users out, which shows at once. [`with_store`](Self::with_store)
/// keeps them in another store. [`self_contained`](Self::self_contained) keeps them in their signed cookies, with a
/// choice of what remembers the tokens that ended. Building a layer cannot fail and starts no task; what can be
/// wrong was parsed before.
///
/// A layer's clones, and the services made from them, are one: they share keys, settings and sessions. A setting changes
/// the layer that it is called on and that layer's [handles](Self::sessions); earlier clones and services keep theirs.
///
/// # Beneath other layers
///
/// The layer answers by itself where a store fails, so the body of the inner service must have a `Default`. `TraceLayer` and
/// `CompressionLayer` make a body without one: put them outside of the session layer (in a `ServiceBuilder`, before it), or
/// give [`on_failure`](Self::on_failure) a closure. Two `.layer` calls on an axum router compile in either order, since axum
/// boxes the body in between. `TraceLayer` belongs outside in any case: there it sees the answer that really leaves.
///
/// The second parameter says what keeps the sessions: [`InStore`], [`SelfContained`], or [`AnyBackend`] where that is
/// decided at run time.
///
/// # Examples
///
/// ```
/// use tower_session_guard::{KeyRing, MemoryStore, SessionLayer, SessionPolicy};
///
/// let sessions = SessionLayer::new(KeyRing::generate()?)
///     .with_store(MemoryStore::with_capacity(50_000))
///     .with_policy(SessionPolicy::aal2());
/// # let _ = sessions;
/// # Ok::<(), tower_session_guard::ConfigError>(())
/// ```
#[must_use]
pub struct SessionLayer<F = EmptyFailure, K = InStore> {
    shared: Arc<Shared>,
    /// What this layer's handles follow: it holds what `shared` is.
    slot: Arc<Slot>,
    failure: F,
    kind: PhantomData<fn() -> K>,
}

/// What remembers the self-contained tokens that ended before their time.
///
/// A token is believed for what it says, so a logout, a rotation or a revocation holds where it is remembered.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Endings {
    /// A list that all processes share: an ending holds on every node, and survives what the list survives.
    Shared(Arc<dyn RevocationList>),
    /// This process's memory. **A restart forgets it**: tokens that were logged out, revoked or replaced work
    /// again until they expire, and other processes never knew. For one process whose sessions are short, or whose
    /// users never need a logout to be final.
    ThisProcess(MemoryRevocations),
}

impl Endings {
    /// [`Shared`](Self::Shared) with this list.
    #[must_use]
    pub fn shared(list: impl RevocationList) -> Self {
        Self::Shared(Arc::new(list))
    }

    /// [`ThisProcess`](Self::ThisProcess) with an empty list.
    #[must_use]
    pub fn this_process() -> Self {
        Self::ThisProcess(MemoryRevocations::new())
    }
}

impl SessionLayer {
    /// A layer that keeps sessions in this process's memory under `keys`, with the default cookies and limits.
    ///
    /// The store is a [`MemoryStore::new`], bounded in sessions and bytes. An owner may have 100 sessions, of which
    /// one more ends the oldest: see [`max_sessions`](Self::max_sessions).
    pub fn new(keys: KeyRing) -> Self {
        Self::of(keys, Backend::Stored(Arc::new(MemoryStore::new())))
    }
}

impl SessionLayer<EmptyFailure, SelfContained> {
    /// A layer of self-contained tokens under `keys`: the session travels in its signed cookie.
    ///
    /// The holder of a token can read what is in it, and can present an older token of the same id with older data
    /// until that expires. Whatever must not be rolled back belongs into a store.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::{Endings, KeyRing, SessionLayer};
    ///
    /// let keys = KeyRing::generate()?;
    /// let sessions = SessionLayer::self_contained(keys, Endings::this_process());
    /// # let _ = sessions;
    /// # Ok::<(), tower_session_guard::ConfigError>(())
    /// ```
    pub fn self_contained(keys: KeyRing, endings: Endings) -> Self {
        let ended = match endings {
            Endings::Shared(list) => EndedTokens::Distributed(list),
            Endings::ThisProcess(list) => EndedTokens::Local(list.0),
        };
        Self::of(keys, Backend::SelfContained(ended))
    }
}

impl<K> SessionLayer<EmptyFailure, K> {
    fn of(keys: KeyRing, backend: Backend) -> Self {
        let shared = Arc::new(Shared::new(Settings::new(keys, backend)));
        Self {
            slot: Slot::of(&shared),
            shared,
            failure: EmptyFailure,
            kind: PhantomData,
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

    /// Lets an owner, a subject in this layer's audience, have at most `count` sessions at a time; guests are not
    /// counted. It is 100, and the oldest ends, unless set.
    ///
    /// Logging in again from a session takes that session's place and is never over the limit. Concurrent logins
    /// may end or refuse one session too many, never one too few.
    ///
    /// # Errors
    ///
    /// If `count` is 0.
    pub fn max_sessions(self, count: usize, at_limit: AtLimit) -> Result<Self, ConfigError> {
        let count = NonZeroUsize::new(count).ok_or(ConfigError::Limit {
            name: "number of sessions",
            reason: "no one could log in: choose at least 1, or call without_session_limit",
        })?;
        Ok(self.with(|settings| settings.limit = Some(SessionLimit { count, at_limit })))
    }

    /// Lets an owner have any number of sessions.
    ///
    /// Every one of them takes room, and takes time when all of them end.
    pub fn without_session_limit(self) -> Self {
        self.with(|settings| settings.limit = None)
    }
}

impl<F, K> SessionLayer<F, K> {
    /// The same layer as one whose backend is known at run time only, where an application chooses it there.
    pub fn into_any(self) -> SessionLayer<F, AnyBackend> {
        SessionLayer {
            shared: self.shared,
            slot: self.slot,
            failure: self.failure,
            kind: PhantomData,
        }
    }

    /// Binds sessions to a key of the user's device, in browsers that can: see [`DeviceBinding`](crate::DeviceBinding).
    ///
    /// A session that is bound opens with its token and its bound cookie together. Without a good bound cookie it is, from a
    /// minute after its binding, as if nobody were logged in: the event [`UnboundUse`](crate::EventKind::UnboundUse)
    /// tells, nothing is removed, and the request writes nothing but a login or a logout. Within that minute the page after the
    /// login may come without the cookie, and [`Session::is_bound`](crate::Session::is_bound) says no.
    ///
    /// Set the cookies first: the bound cookie has the name and the attributes that follow from those of the session's cookie
    /// as they are here.
    ///
    /// Browsers are offered a registration with the answer to a login, and for ten minutes with the answers to requests of the
    /// application's own pages. [`device_endpoints`](Self::device_endpoints) answers them.
    ///
    /// [`DeviceBinding`](crate::DeviceBinding) says what differs with self-contained tokens.
    ///
    /// Requires the feature `dbsc`.
    ///
    /// # Errors
    ///
    /// If the path is none that browsers request as it is written, if the lifetime is shorter than 5 or longer than 15
    /// minutes, or if the layer's cookies are partitioned or have no `Secure`. With self-contained tokens also if
    /// [`refresh_initiators`](crate::DeviceBinding::refresh_initiators) names hosts.
    #[cfg(feature = "dbsc")]
    pub fn with_device_binding(self, binding: crate::DeviceBinding) -> Result<Self, ConfigError> {
        let settings = &self.shared.settings;
        let has_store = matches!(settings.backend, Backend::Stored(_));
        let checked = binding.checked(&settings.cookies, has_store)?;
        Ok(self.with(|settings| settings.devices = Some(Arc::new(checked))))
    }

    /// The layer that answers browsers which register and refresh: put it directly inside this one.
    ///
    /// It follows this layer as a [handle](Self::sessions) does. Requires the feature `dbsc`.
    ///
    /// # Errors
    ///
    /// Without device binding.
    #[cfg(feature = "dbsc")]
    pub fn device_endpoints(&self) -> Result<crate::DeviceEndpoints, ConfigError> {
        if self.shared.devices.is_none() {
            return Err(ConfigError::Setting {
                name: "device_endpoints",
                value: String::new(),
                reason: "call with_device_binding first",
            });
        }
        Ok(crate::DeviceEndpoints::following(Arc::clone(&self.slot)))
    }

    /// Sets how long sessions live and when their tokens are renewed.
    pub fn with_policy(self, policy: SessionPolicy) -> Self {
        self.with(|settings| settings.policy = policy)
    }

    /// Sets the cookies' names and attributes.
    pub fn with_cookies(self, cookies: CookiePolicy) -> Self {
        self.with(|settings| settings.cookies = cookies)
    }

    /// Sets what caches are told of a response that depended on a live session, a guest's too, and whose handler set
    /// no `Cache-Control`: [`Caching::Private`] unless set.
    ///
    /// What a handler sets itself stays. Where it lets shared caches keep a response that depended on a live session
    /// (`public`, `s-maxage`, or a field for one kind of cache such as `CDN-Cache-Control`), the event
    /// [`SharedCacheAllowed`](crate::EventKind::SharedCacheAllowed) tells, at most once a minute for each path.
    ///
    /// # Back after a logout
    ///
    /// A browser may show a page again from its cache, or as it stood from its back/forward cache, after the session
    /// ended: by the Back button, on a shared computer. `private` allows it. Three things cover it:
    ///
    /// - [`Caching::NoStore`] keeps pages out of the browser's cache. Some browsers keep such a page in the
    ///   back/forward cache all the same, and drop it when a cookie of the site changes, as a logout changes it.
    /// - [`CookiePolicyBuilder::clear_site_data_on_logout`](crate::CookiePolicyBuilder::clear_site_data_on_logout)
    ///   empties the cache at the logout, in browsers that support `Clear-Site-Data: "cache"`.
    /// - A script on the page reloads it when it is shown again:
    ///   `addEventListener("pageshow", event => { if (event.persisted) location.reload() })`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::{Caching, KeyRing, SessionLayer};
    ///
    /// let sessions = SessionLayer::new(KeyRing::generate()?).with_caching(Caching::NoStore);
    /// # let _ = sessions;
    /// # Ok::<(), tower_session_guard::ConfigError>(())
    /// ```
    pub fn with_caching(self, caching: Caching) -> Self {
        self.with(|settings| settings.caching = caching)
    }

    /// Loads a session when somebody first looks at it, not before the handler runs.
    ///
    /// A route that never looks costs no call of the store, and is answered while the store is down. With a store, not even
    /// the cookie's MAC is checked for it. It makes no difference where nothing has to be asked: with self-contained
    /// tokens and a list in this process, unless the layer [logs in at arrival](Self::login_at_arrival).
    ///
    /// | to look | do |
    /// |---|---|
    /// | in a handler of axum | take a [`Session`](crate::Session) or an [`AuthenticatedSession`](crate::AuthenticatedSession), also an optional one, or an [`AuthenticatedAt`](crate::AuthenticatedAt): each awaits the load |
    /// | behind a guard | nothing: [`RequireAuthentication`](crate::RequireAuthentication) and [`CsrfLayer`](crate::CsrfLayer) await the load where they have to know |
    /// | in another tower service | await [`Session::load`](crate::Session::load) |
    ///
    /// A mark needs no load: a login or a logout of a `Session` that lies in the request's extensions is carried out
    /// as ever. A `Session` that is read before it is loaded reads as for nobody, and the log says so; an
    /// `AuthenticatedSession` is in the extensions once it is loaded, not before.
    ///
    /// If a load fails, the extractor or the guard refuses with 503, and whatever the handler then answers is replaced by
    /// the layer's [answer to a failure](Self::on_failure), as without lazy loading.
    ///
    /// # Examples
    ///
    /// ```
    /// use axum::{Router, routing::get};
    /// use tower_session_guard::{KeyRing, Session, SessionLayer};
    ///
    /// async fn account(session: Session) -> String {
    ///     format!("{:?}", session.subject())
    /// }
    ///
    /// let app: Router = Router::new()
    ///     .route("/account", get(account))
    ///     .route("/style.css", get(|| async { "body { margin: 0 }" })) // asks nothing
    ///     .layer(SessionLayer::new(KeyRing::generate()?).lazily());
    /// # let _ = app;
    /// # Ok::<(), tower_session_guard::ConfigError>(())
    /// ```
    pub fn lazily(self) -> Self {
        self.with(|settings| settings.lazily = true)
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

    /// Counts an answer as a failure also where `rule` says so: of what its handler marked, only what lowers
    /// privilege takes effect then, and a renewal.
    ///
    /// Without a rule that are answers with 5xx, with 408, which a time limit within the layer gives, and with a
    /// `grpc-status` other than 0 in the response's head. One in the trailers comes too late: see
    /// [`Session`](crate::Session). A rule adds to these.
    ///
    /// # Examples
    ///
    /// An application whose transaction is rolled back at 422:
    ///
    /// ```
    /// # use tower_session_guard::{KeyRing, SessionLayer};
    /// let sessions = SessionLayer::new(KeyRing::generate()?).failed_if(|status, _| status == 422);
    /// # let _ = sessions;
    /// # Ok::<(), tower_session_guard::ConfigError>(())
    /// ```
    pub fn failed_if(
        self,
        rule: impl Fn(StatusCode, &HeaderMap) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.with(|settings| settings.failure = FailureRule::new(rule))
    }

    /// A handle that lists and ends the sessions of this layer, for handlers and background jobs.
    ///
    /// It follows this layer: a setting that the layer is given later holds for the handle too. A clone of the layer
    /// that is given other settings becomes another layer, with handles of its own.
    #[must_use]
    pub fn sessions(&self) -> Sessions<K> {
        Sessions::following(Arc::clone(&self.slot))
    }

    /// Waits until every settlement and ending that goes on alone is done, for as long as `deadline`.
    ///
    /// A logout whose client left before it was carried out goes on without its request, and is lost if the
    /// runtime ends first. Await this at a graceful shutdown, once the server takes no more requests.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime with its timer enabled.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # async fn run(sessions: tower_session_guard::SessionLayer, server: impl Future<Output = ()>) {
    /// server.await; // axum::serve(…).with_graceful_shutdown(…)
    /// let drained = sessions.drain(Duration::from_secs(5)).await;
    /// if !drained.is_complete() {
    ///     eprintln!("{} settlements were left", drained.left);
    /// }
    /// # }
    /// ```
    pub async fn drain(&self, deadline: Duration) -> Drained {
        self.shared.settings.background.drain(deadline).await
    }

    /// Makes the response where the handler's cannot stand with `failure`.
    ///
    /// Without it the response has the error's [status](crate::SessionError::status) and an empty body.
    ///
    /// # Examples
    ///
    /// ```
    /// use axum::response::IntoResponse;
    /// # use tower_session_guard::{KeyRing, SessionLayer};
    /// let sessions = SessionLayer::new(KeyRing::generate()?)
    ///     .on_failure(|error| (error.status(), "please try again").into_response());
    /// # let _ = sessions;
    /// # Ok::<(), tower_session_guard::ConfigError>(())
    /// ```
    pub fn on_failure<C, B>(self, failure: C) -> SessionLayer<C, K>
    where
        C: Fn(&SessionError) -> Response<B>,
    {
        self.on_failure_with(failure)
    }

    /// The same with a type of the application that implements [`FailureResponse`](crate::FailureResponse).
    pub fn on_failure_with<G>(self, failure: G) -> SessionLayer<G, K> {
        SessionLayer {
            shared: self.shared,
            slot: self.slot,
            failure,
            kind: PhantomData,
        }
    }

    pub(super) fn with(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = self.shared.settings.clone();
        change(&mut settings);
        self.shared = Arc::new(Shared::new(settings));
        self.slot.hold(&self.shared);
        self
    }
}

impl<S, F, K> Layer<S> for SessionLayer<F, K>
where
    F: Clone,
{
    type Service = SessionService<S, F>;

    fn layer(&self, inner: S) -> Self::Service {
        SessionService::new(inner, Arc::clone(&self.shared), self.failure.clone())
    }
}

impl<F, K> Clone for SessionLayer<F, K>
where
    F: Clone,
{
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            // What becomes of the clone is nothing to the handles of the original.
            slot: Slot::of(&self.shared),
            failure: self.failure.clone(),
            kind: PhantomData,
        }
    }
}

impl<F, K> fmt::Debug for SessionLayer<F, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionLayer")
            .field("settings", &self.shared.settings)
            .finish_non_exhaustive()
    }
}
