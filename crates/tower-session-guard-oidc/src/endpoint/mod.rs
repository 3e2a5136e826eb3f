//! [`BackchannelLogout`]: the endpoint that an identity provider calls when a user logs out there.

mod delivery;
mod form;
mod reply;
mod service;
mod sessions;
mod subjects;

use std::{error::Error, fmt, future::Future, sync::Arc, time::Duration};

use tower_session_guard::{Clock, Sessions, Subject, SystemClock};

pub use self::service::LogoutFuture;
use self::{sessions::EndSessions, subjects::Subjects};
use crate::{
    config_error::ConfigError,
    keys::ProviderKeys,
    replay::{ReplayMemory, SeenTokens},
    token::{Rules, algorithm::SignatureAlgorithm},
};

/// Ends sessions when an identity provider says that they are over: OpenID Connect Back-Channel Logout 1.0.
///
/// It is a [`Service`](tower_service::Service) for one route, such as `/backchannel-logout`, whose URL is registered with the
/// provider as `backchannel_logout_uri`. The provider calls it without a browser, so the route needs no session, no cookie and no
/// CSRF token: put it outside of layers that ask for one. A clone is the same endpoint.
///
/// A login is found by its [tag](crate::session_tag), or by its subject where the provider names a user and no session. The
/// answer comes when the sessions have ended, on every node that shares the store or the list of ended tokens.
///
/// # What is accepted
///
/// A `POST` of `application/x-www-form-urlencoded`, at most 64 KiB long, with one field `logout_token`; other fields mean nothing,
/// and the query is not read. The token is a JWS in compact form, whose JSON has no name twice:
///
/// | part | what it has to be |
/// |---|---|
/// | `typ` | `logout+jwt`, or `application/logout+jwt`, in any case |
/// | `alg` | an asymmetric one, or one of [`with_algorithms`](Self::with_algorithms) |
/// | `kid` | that of a key of the provider; without it, the provider has one key for the algorithm |
/// | `crit` | missing: no extension is understood |
/// | `iss` | the issuer, byte for byte |
/// | `aud` | the client id, as text or as the one entry of a list |
/// | `iat` | at most the [leeway](Self::with_leeway), a minute, ahead |
/// | `exp` | ahead, and at most [five minutes](Self::with_max_lifetime) after `iat` |
/// | `nbf` | missing, or at most the leeway ahead |
/// | `jti` | 1 to 1,024 bytes, and [not carried out before](crate::ReplayMemory) |
/// | `events` | an object, whose member `http://schemas.openid.net/event/backchannel-logout` is an object |
/// | `nonce` | missing |
/// | `sid`, `sub` | one of them or both; `sid` of 1 to 1,024 bytes, `sub` of 1 to 255 |
///
/// With both, `sid` alone counts: a provider's session has one user. Anything else in the token is ignored. An encrypted token is not
/// read.
///
/// # What is answered
///
/// | status | when |
/// |---|---|
/// | 200 | the sessions have ended, or there were none |
/// | 400 | the token is not acceptable; the body is `{"error":"invalid_request"}`, whatever the reason |
/// | 405 | the method is another; `Allow` says `POST` |
/// | 503 | the token is acceptable, or may be, and the store, the keys, the memory of tokens or the application's code failed; `Retry-After` says when to try again |
///
/// Every answer has `Cache-Control: no-store`. The standard knows 400 only, also for a logout that failed (section 2.8), but lets a
/// provider send a token again if it failed for a reason that may pass (section 2.5): 503 says so, and a provider takes any status
/// but 200 and 204 as a failure.
///
/// A `tracing` event says what happened, with the target `tower_session_guard_oidc`: `logged_out` at `INFO`, `refused` at `WARN` and
/// `failed` at `ERROR`, the latter two with a `reason`. None has anything of the token in it. The library's own events tell of the
/// ending, [`TagRevoked`](tower_session_guard::EventKind::TagRevoked) or
/// [`SubjectRevoked`](tower_session_guard::EventKind::SubjectRevoked).
///
/// A session in which somebody acts as another ends with the session that it began from, by `sid`; by `sub` it ends for either of
/// the two.
///
/// # Examples
///
/// ```
/// use axum::{Router, routing::get};
/// use tower_session_guard::{KeyRing, SessionLayer};
/// use tower_session_guard_oidc::{BackchannelLogout, ProviderKeys};
///
/// # async fn jwks() -> Result<Vec<u8>, std::io::Error> { Ok(Vec::new()) }
/// # fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let sessions = SessionLayer::new(KeyRing::generate()?);
/// let keys = ProviderKeys::fetched_by(|| async { jwks().await });
/// let logout = BackchannelLogout::new("https://idp.example", "our-client-id", keys, sessions.sessions())?;
/// let app: Router = Router::new()
///     .route("/", get(|| async { "hello" }))
///     .layer(sessions)
///     .route_service("/backchannel-logout", logout);
/// # let _ = app;
/// # Ok(())
/// # }
/// # run().unwrap();
/// ```
#[derive(Clone)]
#[must_use]
pub struct BackchannelLogout {
    settings: Arc<Settings>,
}

#[derive(Clone)]
struct Settings {
    rules: Rules,
    algorithms: Arc<[SignatureAlgorithm]>,
    keys: Arc<ProviderKeys>,
    sessions: Arc<dyn EndSessions>,
    subjects: Arc<dyn Subjects>,
    replay: Arc<dyn ReplayMemory>,
    clock: Arc<dyn Clock>,
}

impl BackchannelLogout {
    const LEEWAY: Duration = Duration::from_secs(60);
    const MAX_LIFETIME: Duration = Duration::from_secs(300);

    /// An endpoint for logout tokens that `issuer` makes for this application, its client `client_id`.
    ///
    /// Both are compared byte for byte: write the issuer as the provider's discovery document does.
    ///
    /// # Errors
    ///
    /// If the issuer or the client id is empty.
    ///
    /// # Panics
    ///
    /// Without the feature `aws-lc-rs`, if the application chose no cryptography for `jsonwebtoken`, neither by its features
    /// nor by `CryptoProvider::install_default`.
    pub fn new<K>(
        issuer: impl Into<String>,
        client_id: impl Into<String>,
        keys: ProviderKeys,
        sessions: Sessions<K>,
    ) -> Result<Self, ConfigError>
    where
        K: 'static,
    {
        #[cfg(not(feature = "aws-lc-rs"))]
        crate::keys::check_provider();
        let rules = Rules {
            issuer: issuer.into(),
            client_id: client_id.into(),
            leeway: Self::LEEWAY,
            max_lifetime: Self::MAX_LIFETIME,
        };
        if rules.issuer.is_empty() {
            return Err(ConfigError::NoIssuer);
        }
        if rules.client_id.is_empty() {
            return Err(ConfigError::NoClientId);
        }
        let settings = Settings {
            rules,
            algorithms: SignatureAlgorithm::ALL.into(),
            keys: Arc::new(keys),
            sessions: Arc::new(sessions),
            subjects: Arc::new(subjects::TheSame),
            replay: Arc::new(SeenTokens::new()),
            clock: Arc::new(SystemClock),
        };
        Ok(Self {
            settings: Arc::new(settings),
        })
    }

    /// Accepts these algorithms only: the one that was agreed with the provider as `id_token_signed_response_alg`.
    ///
    /// Without it all of [`SignatureAlgorithm`] are, each with the kind of key that it is for.
    pub fn with_algorithms(self, algorithms: impl IntoIterator<Item = SignatureAlgorithm>) -> Self {
        let algorithms = algorithms.into_iter().collect();
        self.with(|settings| settings.algorithms = algorithms)
    }

    /// Says which subject the application logs in for a `sub` of the provider, where that is not the same text.
    ///
    /// `None` is a user whom the application does not know: there is nothing to end. An error is answered with 503. It is asked
    /// only for a token without `sid`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::Subject;
    /// # use tower_session_guard_oidc::BackchannelLogout;
    /// # struct Accounts;
    /// # impl Accounts { async fn of(&self, _: &str) -> Result<Option<u64>, std::io::Error> { Ok(None) } }
    ///
    /// fn by_account(logout: BackchannelLogout, accounts: std::sync::Arc<Accounts>) -> BackchannelLogout {
    ///     logout.with_subjects(move |sub| {
    ///         let accounts = accounts.clone();
    ///         async move { Ok::<_, std::io::Error>(accounts.of(&sub).await?.map(Subject::from)) }
    ///     })
    /// }
    /// ```
    pub fn with_subjects<F, R, E>(self, subjects: F) -> Self
    where
        F: Fn(String) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Option<Subject>, E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let subjects = subjects::AskedOf(move |sub| {
            let asked = subjects(sub);
            async move { asked.await.map_err(Into::into) }
        });
        self.with(|settings| settings.subjects = Arc::new(subjects))
    }

    /// Remembers in `memory` which tokens were carried out, so that nodes share it. Without it, this endpoint does, in a
    /// [`SeenTokens`].
    pub fn with_replay_memory(self, memory: impl ReplayMemory) -> Self {
        self.with(|settings| settings.replay = Arc::new(memory))
    }

    /// Sets how far the provider's clock may be ahead of this one: a minute unless said otherwise. `exp` has no leeway.
    pub fn with_leeway(self, leeway: Duration) -> Self {
        self.with(|settings| settings.rules.leeway = leeway)
    }

    /// Sets how long after `iat` a token may expire: five minutes unless said otherwise. The standard recommends two at most.
    pub fn with_max_lifetime(self, lifetime: Duration) -> Self {
        self.with(|settings| settings.rules.max_lifetime = lifetime)
    }

    /// Sets the clock, which should be the session layer's: the system's unless said otherwise.
    pub fn with_clock(self, clock: impl Clock) -> Self {
        self.with(|settings| settings.clock = Arc::new(clock))
    }

    fn with(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(Arc::make_mut(&mut self.settings));
        self
    }
}

impl fmt::Debug for BackchannelLogout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackchannelLogout")
            .field("rules", &self.settings.rules)
            .field("algorithms", &self.settings.algorithms)
            .field("keys", &self.settings.keys)
            .field("replay", &self.settings.replay)
            .field("clock", &self.settings.clock)
            .finish_non_exhaustive()
    }
}
