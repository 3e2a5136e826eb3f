//! [`ProviderKeys`]: the keys of an identity provider, fetched by the application and kept here.

mod error;
mod freshness;
mod set;
mod verify;

use std::{
    error::Error,
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Mutex as AsyncMutex, MutexGuard},
    time::timeout,
};
use tower_session_guard::{Clock, Timestamp};

use self::{error::KeySourceError, freshness::Schedule, set::KeySet};
use crate::{
    refusal::{Failure, TARGET},
    token::Checked,
};

pub(crate) use self::set::Judgement;
#[cfg(not(feature = "aws-lc-rs"))]
pub(crate) use self::verify::check_provider;

type Fetched = Pin<Box<dyn Future<Output = Result<KeySet, KeySourceError>> + Send>>;

/// The keys of an identity provider: fetched by a closure of the application, kept, and fetched again in bounds.
///
/// The closure returns the provider's JWK set (`jwks_uri` in its discovery document) as bytes or text. It makes the request with
/// the application's own HTTP client, over HTTPS, and should read no more than the 256 KiB that count.
///
/// It is called when the first token comes, when a token names a key that is not in the set, and when the set is older than
/// [`fresh_for`](Self::fresh_for). Whatever tokens come, there is one call at a time and
/// [at most one in 30 seconds](Self::at_most_every), so that invented key ids cause no flood. A call that takes longer than 10
/// seconds has failed. If a call fails, the keys count that are there until they are [too old](Self::usable_for); without any
/// the answer is 503.
///
/// Of a set only keys for signatures count: RSA of 2048 bits or more, P-256, P-384 and Ed25519, whose `use`, `key_ops` and
/// `alg`, where they are there, say so too. A set with more than 64 keys, or without one that counts, is a failure.
///
/// # Examples
///
/// ```
/// use tower_session_guard_oidc::ProviderKeys;
///
/// # struct Http;
/// # impl Http { async fn get(&self, _: &str) -> Result<Vec<u8>, std::io::Error> { Ok(Vec::new()) } }
/// # let http = std::sync::Arc::new(Http);
/// let keys = ProviderKeys::fetched_by(move || {
///     let http = http.clone();
///     async move { http.get("https://idp.example/jwks").await }
/// });
/// # let _ = keys;
/// ```
#[must_use]
pub struct ProviderKeys {
    fetch: Box<dyn Fn() -> Fetched + Send + Sync>,
    schedule: Schedule,
    /// Held by the one that asks.
    asking: AsyncMutex<()>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    keys: Option<Kept>,
    /// When the provider was last asked, with whatever success.
    last_asked: Option<Timestamp>,
}

#[derive(Clone, Debug)]
struct Kept {
    set: Arc<KeySet>,
    /// When the question was put whose answer this is.
    asked_at: Timestamp,
}

/// What the keys that are there say of a token.
enum Looked {
    /// It was judged by keys that are fresh.
    Fresh(Judgement),
    /// It was judged by keys that should be asked for again.
    Old(Judgement),
    /// No keys are there that could judge it.
    Missing,
}

impl ProviderKeys {
    const FRESH_FOR: Duration = Duration::from_secs(600);
    const USABLE_FOR: Duration = Duration::from_secs(24 * 3600);
    const INTERVAL: Duration = Duration::from_secs(30);
    const TIME_LIMIT: Duration = Duration::from_secs(10);

    /// Keys that `fetch` brings: a JWK set as a JSON document (RFC 7517).
    pub fn fetched_by<F, R, D, E>(fetch: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<D, E>> + Send + 'static,
        D: AsRef<[u8]>,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let fetch = move || -> Fetched {
            let document = fetch();
            Box::pin(async move {
                let document = timeout(Self::TIME_LIMIT, document).await;
                let document = document.map_err(|_| KeySourceError::timeout())?;
                let document = document.map_err(|error| KeySourceError::fetch(error.into()))?;
                Ok(KeySet::parse(document.as_ref())?)
            })
        };
        Self {
            fetch: Box::new(fetch),
            schedule: Schedule {
                fresh_for: Self::FRESH_FOR,
                usable_for: Self::USABLE_FOR,
                interval: Self::INTERVAL,
            },
            asking: AsyncMutex::default(),
            known: Mutex::default(),
        }
    }

    /// Sets how old keys get before they are fetched again: 10 minutes unless said otherwise.
    ///
    /// That is also how long a key counts that the provider has withdrawn.
    pub const fn fresh_for(mut self, time: Duration) -> Self {
        self.schedule.fresh_for = time;
        self
    }

    /// Sets how old keys get before they no longer count, if they cannot be fetched again: 24 hours unless said otherwise.
    pub const fn usable_for(mut self, time: Duration) -> Self {
        self.schedule.usable_for = time;
        self
    }

    /// Sets the least time between two calls of the closure: 30 seconds unless said otherwise.
    ///
    /// A token under a key that is not known is answered with 503 meanwhile, and the provider may send it again.
    pub const fn at_most_every(mut self, time: Duration) -> Self {
        self.schedule.interval = time;
        self
    }

    /// Who signed `token`, by keys that are fresh if that can be had.
    pub(crate) async fn judge(
        &self,
        token: &Checked,
        clock: &dyn Clock,
    ) -> Result<Judgement, Failure> {
        let came_at = clock.now();
        match self.look(token, came_at) {
            Looked::Fresh(judgement) => Ok(judgement),
            // Whoever comes while another asks does not wait: these keys count for long.
            Looked::Old(judgement) => match self.asking.try_lock() {
                Err(_) => Ok(judgement),
                Ok(asking) => {
                    self.ask(&asking, clock.now()).await;
                    match self.look(token, clock.now()) {
                        Looked::Fresh(judgement) | Looked::Old(judgement) => Ok(judgement),
                        Looked::Missing => self.missing(came_at, clock.now()),
                    }
                }
            },
            Looked::Missing => {
                let asking = self.asking.lock().await;
                // Another may have asked meanwhile.
                if let Looked::Missing = self.look(token, clock.now()) {
                    self.ask(&asking, clock.now()).await;
                }
                match self.look(token, clock.now()) {
                    Looked::Fresh(judgement) | Looked::Old(judgement) => Ok(judgement),
                    Looked::Missing => self.missing(came_at, clock.now()),
                }
            }
        }
    }

    fn look(&self, token: &Checked, now: Timestamp) -> Looked {
        let kept = self.known(|known| known.keys.clone());
        let kept = kept.filter(|kept| self.schedule.is_usable(kept.asked_at, now));
        match kept.map(|kept| (kept.set.judge(token), kept.asked_at)) {
            None | Some((Judgement::UnknownKey, _)) => Looked::Missing,
            Some((judgement, asked_at)) if self.schedule.is_fresh(asked_at, now) => {
                Looked::Fresh(judgement)
            }
            Some((judgement, _)) => Looked::Old(judgement),
        }
    }

    /// Asks the provider, unless it was asked just now.
    async fn ask(&self, _asking: &MutexGuard<'_, ()>, now: Timestamp) {
        let last = self.known(|known| known.last_asked);
        if self.schedule.wait(last, now).is_some() {
            return;
        }
        // Noted before the answer, so that a call that never comes back counts too.
        self.known(|known| known.last_asked = Some(now));
        match (self.fetch)().await {
            Ok(set) => {
                let kept = Kept {
                    set: Arc::new(set),
                    asked_at: now,
                };
                self.known(|known| known.keys = Some(kept));
            }
            Err(error) => tracing::error!(target: TARGET, kind = "keys_not_fetched",
                %error,
                "the keys of an identity provider could not be fetched"
            ),
        }
    }

    /// What a token means whose key is in no set: that nobody has it, if the provider was asked since the token came.
    fn missing(&self, came_at: Timestamp, now: Timestamp) -> Result<Judgement, Failure> {
        let (asked_at, last) = self.known(|known| {
            let asked_at = known.keys.as_ref().map(|kept| kept.asked_at);
            (asked_at, known.last_asked)
        });
        match (asked_at, self.schedule.wait(last, now)) {
            (Some(asked_at), _) if asked_at >= came_at => Ok(Judgement::UnknownKey),
            // The last call brought these keys, and the next one may bring others.
            (Some(_), Some(left)) if asked_at == last => Err(Failure::KeysAskedJustNow(left)),
            _ => Err(Failure::Keys),
        }
    }

    fn known<T>(&self, with: impl FnOnce(&mut Known) -> T) -> T {
        with(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for ProviderKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderKeys")
            .field("schedule", &self.schedule)
            .field("known", &self.known)
            .finish_non_exhaustive()
    }
}
