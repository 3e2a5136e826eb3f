//! [`Deferred`]: a session that is loaded when somebody first looks at it.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use http::{HeaderMap, HeaderValue, header, request::Parts};
use tokio::sync::Mutex;

use super::{
    backend::Loaded, failure::SessionError, settings::Shared, settlement::set_cookies::SetCookies,
};
use crate::{
    mistake,
    session::{
        binding::Client,
        came::Came,
        device_notes::DeviceNotes,
        ended::EndCause,
        handle::Session,
        later::{Later, LoadFailed},
        live::Live,
        time::Timestamp,
    },
};

/// A session that is loaded when somebody first looks at it.
pub(crate) struct Deferred {
    shared: Arc<Shared>,
    now: Timestamp,
    loading: Mutex<Loading>,
    /// The session as it was loaded, or none if that failed.
    found: OnceLock<Option<Session>>,
    /// There if somebody may log in at arrival.
    login: OnceLock<Box<std::sync::Mutex<LoginAtArrival>>>,
    told: AtomicBool,
}

/// How far a login at arrival is.
enum LoginAtArrival {
    /// The first look asks for it.
    Waiting(Box<Parts>, Ask),
    Begun,
    /// The answer's head has left.
    TooLate,
}

/// What was loaded: the session, and what goes back to the backend.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) session: Session,
    pub(crate) loaded: Option<Loaded>,
    pub(crate) came: Came,
    /// What a login at arrival writes.
    pub(crate) cookies: Option<SetCookies>,
}

/// A load under way; it owns all that it needs.
pub(crate) type Load = Pin<Box<dyn Future<Output = Result<Found, SessionError>> + Send>>;

/// Begins a load of what was kept.
type Begin = fn(Arc<Shared>, Kept, Timestamp) -> Load;

/// Asks whether somebody logs in at arrival, once it is known what came.
type Ask = fn(Arc<Shared>, Found, Parts) -> Load;

/// What a load needs of its request.
#[derive(Debug)]
pub(crate) struct Kept {
    first: HeaderValue,
    /// HTTP/2 has a field for each cookie.
    more: Vec<HeaderValue>,
    pub(crate) client: Client,
}

/// How far the load is.
enum Loading {
    NotBegun(Kept, Begin),
    /// Whoever waits for it next goes on.
    Begun(Load),
    /// For the settlement to take.
    Done(Result<Found, SessionError>),
    Taken,
}

impl Kept {
    /// The cookies of a request, if it has any.
    #[inline]
    pub(crate) fn of(headers: &HeaderMap, client: Client) -> Option<Self> {
        let mut cookies = headers.get_all(header::COOKIE).iter().cloned();
        Some(Self {
            first: cookies.next()?,
            more: cookies.collect(),
            client,
        })
    }

    /// The cookies, as they came.
    pub(crate) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(1);
        for cookie in std::iter::once(&self.first).chain(&self.more) {
            headers.append(header::COOKIE, cookie.clone());
        }
        headers
    }
}

impl Deferred {
    /// One that reads the cookies of its request once somebody looks.
    // Always, as `new`: it is made where it stays.
    #[inline(always)]
    pub(crate) fn of_request(
        shared: &Arc<Shared>,
        kept: Kept,
        now: Timestamp,
        begin: Begin,
    ) -> Arc<Self> {
        Self::new(shared, now, Loading::NotBegun(kept, begin))
    }

    /// One whose load is ready to begin.
    pub(crate) fn of_load(shared: &Arc<Shared>, load: Load, now: Timestamp) -> Arc<Self> {
        Self::new(shared, now, Loading::Begun(load))
    }

    #[inline(always)]
    fn new(shared: &Arc<Shared>, now: Timestamp, loading: Loading) -> Arc<Self> {
        Arc::new(Self {
            shared: Arc::clone(shared),
            now,
            loading: Mutex::const_new(loading),
            found: OnceLock::new(),
            login: OnceLock::new(),
            told: AtomicBool::new(false),
        })
    }

    /// Lets the first look ask whether somebody logs in at arrival.
    pub(crate) fn ask_first(&self, request: Parts, ask: Ask) {
        let waiting = LoginAtArrival::Waiting(Box::new(request), ask);
        let _: Result<(), _> = self.login.set(Box::new(waiting.into()));
    }

    /// Lets no look ask any more, since the answer's head leaves. It says whether one has asked.
    pub(crate) fn ask_no_more(&self) -> bool {
        let Some(mut login) = self.login() else {
            return false;
        };
        if let LoginAtArrival::Waiting(..) = *login {
            *login = LoginAtArrival::TooLate;
        }
        matches!(*login, LoginAtArrival::Begun)
    }

    /// What asks, once.
    fn take_ask(&self) -> Option<(Parts, Ask)> {
        let mut login = self.login()?;
        match std::mem::replace(&mut *login, LoginAtArrival::Begun) {
            LoginAtArrival::Waiting(request, ask) => Some((*request, ask)),
            other => {
                *login = other;
                None
            }
        }
    }

    fn login(&self) -> Option<std::sync::MutexGuard<'_, LoginAtArrival>> {
        let login = self.login.get()?;
        // Nothing under the lock panics half way.
        Some(login.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What was loaded, once, if the load is done.
    pub(crate) fn take(&self) -> Option<Result<Found, SessionError>> {
        self.found.get()?;
        let mut loading = self.loading.try_lock().ok()?;
        match std::mem::replace(&mut *loading, Loading::Taken) {
            Loading::Done(found) => Some(found),
            other => {
                *loading = other;
                None
            }
        }
    }

    /// Loads, unless that is done, and takes what was loaded.
    pub(crate) async fn load_and_take(&self) -> Option<Result<Found, SessionError>> {
        let mut loading = self.load_under_lock().await;
        match std::mem::replace(&mut *loading, Loading::Taken) {
            Loading::Done(found) => Some(found),
            _ => None,
        }
    }

    async fn load_under_lock(&self) -> tokio::sync::MutexGuard<'_, Loading> {
        let mut loading = self.loading.lock().await;
        *loading = match std::mem::replace(&mut *loading, Loading::Taken) {
            Loading::NotBegun(kept, begin) => {
                Loading::Begun(begin(Arc::clone(&self.shared), kept, self.now))
            }
            other => other,
        };
        while let Loading::Begun(load) = &mut *loading {
            let found = load.as_mut().await;
            let found = match found.map(|found| (found, self.take_ask())) {
                Ok((found, Some((request, ask)))) => {
                    *loading = Loading::Begun(ask(Arc::clone(&self.shared), found, request));
                    continue;
                }
                Ok((found, None)) => Ok(found),
                Err(error) => Err(error),
            };
            let session = found.as_ref().ok().map(|found| found.session.clone());
            let _: Result<(), _> = self.found.set(session);
            *loading = Loading::Done(found);
        }
        loading
    }
}

impl Later for Deferred {
    fn found(&self) -> Option<Option<&Live>> {
        let found = self.found.get()?;
        Some(found.as_ref().and_then(Session::live))
    }

    fn load(&self) -> Pin<Box<dyn Future<Output = Result<(), LoadFailed>> + Send + '_>> {
        Box::pin(async {
            if self.found.get().is_none() {
                drop(self.load_under_lock().await);
            }
            match self.found.get() {
                Some(Some(_)) => Ok(()),
                _ => Err(LoadFailed),
            }
        })
    }

    fn why_ended(&self) -> Option<EndCause> {
        self.found.get()?.as_ref()?.why_ended()
    }

    fn take_device_notes(&self) -> Option<Box<DeviceNotes>> {
        self.found.get()?.as_ref()?.take_device_notes()
    }

    fn tell_unloaded(&self) {
        if !self.told.swap(true, Relaxed) {
            mistake::tell(&UNLOADED);
        }
    }
}

/// What to write instead of a look at a session that is not loaded.
const UNLOADED: &str = "the session was read before it was loaded, so it read as for nobody: the layer loads lazily, so take \
    the session with an extractor of this crate, or await `Session::load(&mut request)` first; without `lazily()` it is \
    loaded before the handler runs";

impl std::fmt::Debug for Deferred {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deferred").finish_non_exhaustive()
    }
}
