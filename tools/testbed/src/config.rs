//! What the environment variables of the testbed say.

use std::{env, error::Error, sync::Arc, time::Duration};

use tower_session_guard::{
    AnyBackend, Clock, CookiePolicy, DeviceBinding, DeviceEndpoints, EmptyFailure, Endings,
    KeyRing, MemoryStore, RequireOrigin, SessionLayer, SessionPolicy, SessionStore, Sessions,
    SystemClock,
    store::Lease,
    testing::{FaultyStore, ManualClock},
};

use crate::{
    backchannel::Provider,
    events::EventLog,
    gates::Gates,
    kept::{Faults, Kept},
};

pub(crate) type Failure = Box<dyn Error + Send + Sync>;

pub(crate) struct Testbed {
    pub(crate) sessions: SessionLayer<EmptyFailure, AnyBackend>,
    /// What answers devices, if sessions are bound to them.
    pub(crate) endpoints: Option<DeviceEndpoints>,
    pub(crate) control: Sessions<AnyBackend>,
    pub(crate) cookies: CookiePolicy,
    /// Who may end sessions over the back channel, if anybody.
    pub(crate) provider: Option<Provider>,
    /// Where the pages are from that may open streams; anywhere, if it is not set.
    pub(crate) origin: Option<RequireOrigin>,
    pub(crate) events: EventLog,
    pub(crate) gates: Gates,
    pub(crate) store: Option<Arc<dyn Faults>>,
    pub(crate) manual_clock: Option<ManualClock>,
    pub(crate) clock: Arc<dyn Clock>,
}

pub(crate) async fn from_env() -> Result<Testbed, Failure> {
    let keys = match env::var_os("SESSION_KEYS") {
        Some(_) => KeyRing::from_env("SESSION_KEYS")?,
        None => KeyRing::generate()?,
    };
    let cookies = match env::var("TESTBED_COOKIE") {
        Ok(name) => CookiePolicy::builder().whole_name(name).build()?,
        Err(_) => CookiePolicy::default(),
    };
    let origin = setting("TESTBED_ORIGIN")?;
    let binding = binding(origin.as_deref())?;
    let origin = origin.map(RequireOrigin::new).transpose()?;
    let events = EventLog::default();
    let name = setting("TESTBED_STORE")?;
    let name = name.as_deref().unwrap_or("memory");
    let lease = setting("TESTBED_LEASE")?;
    let lease = lease.as_deref().map(lease_of).transpose()?;
    let Kept { sessions, store } = match (name, lease) {
        ("cookie", lease) => Kept::in_cookies(keys, endings(lease).await?),
        (name, None) => Kept::in_store(keys, FaultyStore::new(store(name).await?)),
        (name, Some(lease)) => with_copies(keys, name, lease).await?,
    };
    let mut sessions = sessions
        .with_cookies(cookies.clone())
        .with_policy(policy()?)
        .with_observer(events.clone());
    let mut endpoints = None;
    if let Some(binding) = binding {
        sessions = sessions.with_device_binding(binding)?;
        endpoints = Some(sessions.device_endpoints()?);
    }
    match setting("TESTBED_LAZY")?.as_deref() {
        None => {}
        Some("1") => sessions = sessions.lazily(),
        Some(other) => return Err(format!("TESTBED_LAZY={other}: write 1 or leave it out").into()),
    }

    let mut clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let mut manual_clock = None;
    match setting("TESTBED_CLOCK")?.as_deref() {
        None => {}
        Some("manual") => {
            let manual = ManualClock::starting_at(clock.now());
            sessions = sessions.with_clock(manual.clone());
            clock = Arc::new(manual.clone());
            manual_clock = Some(manual);
        }
        Some(other) => {
            return Err(format!("TESTBED_CLOCK={other}: write manual or leave it out").into());
        }
    }

    let control = sessions.sessions();
    let provider = match &manual_clock {
        Some(manual) => Provider::from_env(control.clone(), manual.clone())?,
        None => Provider::from_env(control.clone(), SystemClock)?,
    };
    Ok(Testbed {
        control,
        sessions,
        provider,
        endpoints,
        cookies,
        origin,
        events,
        gates: Gates::default(),
        store,
        manual_clock,
        clock,
    })
}

/// How sessions are bound to devices, if `TESTBED_DBSC` says for how long a bound cookie lives.
fn binding(origin: Option<&str>) -> Result<Option<DeviceBinding>, Failure> {
    let Some(lifetime) = seconds("TESTBED_DBSC")? else {
        return Ok(None);
    };
    let binding = DeviceBinding::new("/dbsc").lifetime_for_tests(lifetime);
    // Devices are bound over HTTPS only: with another origin the request's `Host` counts.
    Ok(Some(match origin {
        Some(origin) if origin.starts_with("https://") => binding.origin(origin),
        _ => binding,
    }))
}

/// `exact:MS` or `bounded:MS`.
fn lease_of(text: &str) -> Result<Lease, Failure> {
    let parts = text.split_once(':');
    let parts =
        parts.and_then(|(kind, millis)| Some((kind, Duration::from_millis(millis.parse().ok()?))));
    match parts {
        Some(("exact", time)) => Ok(Lease::exact(time)?),
        Some(("bounded", time)) => Ok(Lease::bounded(time)?),
        _ => Err(format!("TESTBED_LEASE={text}: write exact:MS or bounded:MS").into()),
    }
}

/// The store that `TESTBED_STORE` names, with copies in this process.
async fn with_copies(keys: KeyRing, name: &str, lease: Lease) -> Result<Kept, Failure> {
    match name {
        #[cfg(feature = "redis")]
        url if url.starts_with("redis://") || url.starts_with("redis-cluster://") => {
            use tower_session_guard_redis::RedisStore;
            let store = FaultyStore::new(RedisStore::connect(url).await?);
            Ok(Kept::with_copies(keys, store, lease))
        }
        #[cfg(feature = "postgres")]
        url if url.starts_with("postgres://") => {
            let store = FaultyStore::new(postgres(url).await?);
            Ok(Kept::with_copies(keys, store, lease))
        }
        name => {
            // Says what is wrong with the name, if anything is.
            let (_, _store) = ((keys, lease), store(name).await?);
            let hint =
                "it takes a store that tells of changes, redis://HOST:PORT/DB or postgres://…";
            Err(format!("TESTBED_LEASE with TESTBED_STORE={name}: {hint}").into())
        }
    }
}

/// The store that `TESTBED_STORE` names.
async fn store(name: &str) -> Result<Arc<dyn SessionStore>, Failure> {
    Ok(match name {
        "memory" => Arc::new(MemoryStore::new()),
        #[cfg(feature = "redis")]
        url if url.starts_with("redis://") || url.starts_with("redis-cluster://") => {
            use tower_session_guard_redis::RedisStore;
            Arc::new(RedisStore::connect(url).await?)
        }
        #[cfg(feature = "sqlite")]
        name if name.starts_with("sqlite:") => {
            use tower_session_guard_sqlx::SqliteStore;
            let path = name.trim_start_matches("sqlite:");
            Arc::new(SqliteStore::open(path).await?)
        }
        #[cfg(feature = "postgres")]
        url if url.starts_with("postgres://") => Arc::new(postgres(url).await?),
        #[cfg(feature = "dynamodb")]
        url if url.starts_with("dynamodb://") => Arc::new(dynamodb(url).await?),
        #[cfg(feature = "firestore")]
        url if url.starts_with("firestore://") => {
            use tower_session_guard_firestore::FirestoreStore;
            let (host, project) = host_and_name(url)?;
            Arc::new(FirestoreStore::emulator(host, project)?)
        }
        other => {
            let kind = other.split(':').next().unwrap_or_default();
            let feature = match kind {
                "redis" | "redis-cluster" => "redis",
                "dynamodb" | "firestore" | "postgres" | "sqlite" => kind,
                _ => return Err(format!("TESTBED_STORE={other}: there is no such store").into()),
            };
            let hint = format!("build the testbed with --features {feature}");
            return Err(format!("TESTBED_STORE={other}: {hint}").into());
        }
    })
}

/// What remembers the self-contained tokens that ended: the list that `TESTBED_REVOCATIONS` names, or this
/// process.
async fn endings(lease: Option<Lease>) -> Result<Endings, Failure> {
    let Some(url) = setting("TESTBED_REVOCATIONS")? else {
        if lease.is_some() {
            let hint = "it takes a list that processes share: set TESTBED_REVOCATIONS";
            return Err(format!("TESTBED_LEASE with TESTBED_STORE=cookie: {hint}").into());
        }
        return Ok(Endings::this_process());
    };
    match url {
        #[cfg(feature = "redis")]
        url if url.starts_with("redis://") || url.starts_with("redis-cluster://") => {
            use tower_session_guard_cache::CachedRevocations;
            use tower_session_guard_redis::{RedisRevocations, RedisStore};
            let list = RedisRevocations::over(RedisStore::connect(&url).await?);
            Ok(match lease {
                Some(lease) => Endings::shared(CachedRevocations::start(list, lease)),
                None => Endings::shared(list),
            })
        }
        other => {
            let hint = "write redis://HOST:PORT/DB, and build the testbed with --features redis";
            Err(format!("TESTBED_REVOCATIONS={other}: {hint}").into())
        }
    }
}

/// The tables of a server, made if need be.
#[cfg(feature = "postgres")]
async fn postgres(url: &str) -> Result<tower_session_guard_sqlx::PostgresStore, Failure> {
    use tower_session_guard_sqlx::PostgresStore;
    let store = PostgresStore::new(sqlx::PgPool::connect_lazy(url)?);
    store.migrate().await?;
    Ok(store)
}

/// A table of the emulator at `dynamodb://HOST:PORT/TABLE`, made if need be.
#[cfg(feature = "dynamodb")]
async fn dynamodb(url: &str) -> Result<tower_session_guard_dynamodb::DynamoDbStore, Failure> {
    use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
    use tower_session_guard_dynamodb::DynamoDbStore;

    let (host, table) = host_and_name(url)?;
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "testbed"))
        .endpoint_url(format!("http://{host}"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    let client = aws_sdk_dynamodb::Client::from_conf(config);
    let store = DynamoDbStore::new(client, table);
    store.create_table().await?;
    Ok(store)
}

/// The parts of `KIND://HOST:PORT/NAME`.
#[cfg(any(feature = "dynamodb", feature = "firestore"))]
fn host_and_name(url: &str) -> Result<(&str, &str), Failure> {
    let after = url.split_once("://").map(|(_, after)| after);
    let parts = after.and_then(|after| after.split_once('/'));
    let parts = parts.filter(|(host, name)| !host.is_empty() && !name.is_empty());
    parts.ok_or_else(|| format!("TESTBED_STORE={url}: write KIND://HOST:PORT/NAME").into())
}

fn policy() -> Result<SessionPolicy, Failure> {
    let mut policy = SessionPolicy::default();
    if let Some(time) = seconds("TESTBED_IDLE")? {
        policy = policy.idle(time)?;
    }
    if let Some(time) = seconds("TESTBED_ABSOLUTE")? {
        policy = policy.absolute(time)?;
    }
    if let Some(time) = seconds("TESTBED_GRACE")? {
        policy = policy.grace(time)?;
    }
    match seconds("TESTBED_RENEW")? {
        None => {}
        Some(Duration::ZERO) => policy = policy.without_renewal(),
        Some(time) => policy = policy.renew_every(time)?,
    }
    Ok(policy)
}

fn seconds(name: &str) -> Result<Option<Duration>, Failure> {
    let Some(text) = setting(name)? else {
        return Ok(None);
    };
    match text.parse() {
        Ok(seconds) => Ok(Some(Duration::from_secs(seconds))),
        Err(_) => Err(format!("{name}={text}: write a number of seconds").into()),
    }
}

pub(crate) fn setting(name: &str) -> Result<Option<String>, Failure> {
    match env::var(name) {
        Ok(text) if text.is_empty() => Ok(None),
        Ok(text) => Ok(Some(text)),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(error) => Err(format!("{name}: {error}").into()),
    }
}
