//! The ways to a server: a URL, a client, sentinels, or connections that the application has.

use std::{error::Error, future::Future, sync::Arc, time::Duration};

use redis::{
    Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisResult,
    aio::{ConnectionLike, ConnectionManager},
    cluster::ClusterClient,
    cluster_async::ClusterConnection,
    io::tcp::{TcpSettings, socket2::TcpKeepalive},
    sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType},
};
use tower_session_guard::store::{StoreError, StoreErrorKind, time_limit};

use crate::{
    RedisStore,
    dial::{Dialled, Source},
    error::store_error,
    link::{Link, Pool},
};

/// How long a connection may be idle before it is probed: less than a firewall forgets it after.
const PROBED_AFTER: Duration = Duration::from_secs(60);

/// How often a cluster's client looks for the right node before it gives up, within the time limit.
const CLUSTER_RETRIES: u32 = 3;

/// How long it waits before that, in milliseconds.
const CLUSTER_WAITS: (u64, u64) = (20, 300);

impl RedisStore {
    /// Connects to the server, the cluster or the sentinels that a URL names:
    ///
    /// | URL | |
    /// |---|---|
    /// | `redis://[USER:PASSWORD@]HOST[:PORT][/DB]` | one server |
    /// | `unix:///PATH[?db=DB&user=USER&pass=PASSWORD]` | one server on this machine |
    /// | `redis-cluster://[USER:PASSWORD@]HOST:PORT[,HOST:PORT…]` | a cluster |
    /// | `redis-sentinel://HOST:PORT[,HOST:PORT…]/SERVICE[/DB]` | the primary that the sentinels name |
    ///
    /// `rediss`, `rediss-cluster` and `rediss-sentinel` are the same over TLS (feature `tls`), with
    /// the certificates that the operating system trusts. Sentinels themselves are asked over TLS too then.
    /// Other certificates, and passwords behind sentinels, take a client of your own:
    /// [`connect_with`](Self::connect_with), [`connect_through`](Self::connect_through), [`From`].
    ///
    /// It asks the server once, so that a wrong address is found at the start.
    ///
    /// # Errors
    ///
    /// If the URL is not one of these ([`Unsupported`](StoreErrorKind::Unsupported)), or the server
    /// cannot be reached within the time limit.
    pub async fn connect(url: impl AsRef<str>) -> Result<Self, StoreError> {
        let url = url.as_ref();
        let (scheme, rest) = url
            .split_once("://")
            .ok_or_else(|| unsupported(NO_SCHEME))?;
        let (scheme, secure) = match scheme.strip_prefix("rediss") {
            Some(kind) => (format!("redis{kind}"), true),
            None => (scheme.to_owned(), false),
        };
        if secure {
            choose_tls()?;
        }
        match scheme.as_str() {
            "redis-cluster" => Self::connect_cluster(rest, secure).await,
            "redis-sentinel" => Self::connect_through(sentinels(rest, secure)?).await,
            _ => {
                let info = url.into_connection_info().map_err(unsupported)?;
                let info = info.set_tcp_settings(tcp());
                Self::connect_with(Client::open(info).map_err(unsupported)?).await
            }
        }
    }

    /// Connects to one server with a client of your own, for certificates that a URL cannot name.
    ///
    /// # Errors
    ///
    /// If the server cannot be reached within the time limit.
    pub async fn connect_with(client: Client) -> Result<Self, StoreError> {
        Self::over(Link::Dialled(Dialled::new(Source::Client(client))))
            .greeted()
            .await
    }

    /// Connects to the primary that sentinels name, and to the new one after a failover.
    ///
    /// # Errors
    ///
    /// If no sentinel or no primary can be reached within the time limit, or the client is one for
    /// replicas.
    pub async fn connect_through(sentinels: SentinelClient) -> Result<Self, StoreError> {
        let source = Source::Sentinel(tokio::sync::Mutex::new(sentinels));
        Self::over(Link::Dialled(Dialled::new(source)))
            .greeted()
            .await
    }

    async fn connect_cluster(rest: &str, secure: bool) -> Result<Self, StoreError> {
        let scheme = if secure { "rediss" } else { "redis" };
        let (credentials, hosts) = match rest.rsplit_once('@') {
            Some((credentials, hosts)) => (format!("{credentials}@"), hosts),
            None => (String::new(), rest),
        };
        let hosts = hosts.trim_end_matches('/').split(',');
        let nodes = hosts.map(|host| format!("{scheme}://{credentials}{host}"));
        let nodes = nodes.map(IntoConnectionInfo::into_connection_info);
        let nodes = nodes.collect::<RedisResult<Vec<ConnectionInfo>>>();
        let (min_wait, max_wait) = CLUSTER_WAITS;
        let client = ClusterClient::builder(nodes.map_err(unsupported)?)
            .tcp_settings(tcp())
            .connection_timeout(time_limit::DEFAULT / 2)
            .response_timeout(time_limit::DEFAULT)
            .retries(CLUSTER_RETRIES)
            .min_retry_wait(min_wait)
            .max_retry_wait(max_wait)
            .build()
            .map_err(unsupported)?;
        let connecting = async { client.get_async_connection().await.map_err(store_error) };
        let connection = time_limit::within(2 * time_limit::DEFAULT, connecting).await?;
        Ok(Self::from(connection))
    }

    /// Takes a connection from `lend` for each command: from a pool of any make whose connections are
    /// [`ConnectionLike`].
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard_redis::{RedisStore, redis};
    ///
    /// # fn run() -> redis::RedisResult<()> {
    /// let client = redis::Client::open("redis://127.0.0.1/")?;
    /// let store = RedisStore::from_pool(move || {
    ///     let client = client.clone();
    ///     async move { client.get_multiplexed_async_connection().await }
    /// });
    /// # let _ = store;
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_pool<P, F, C, E>(lend: P) -> Self
    where
        P: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Result<C, E>> + Send + 'static,
        C: ConnectionLike + Send + 'static,
        E: Error + Send + Sync + 'static,
    {
        Self::over(Link::Lent(Arc::new(Pool(lend))))
    }

    async fn greeted(self) -> Result<Self, StoreError> {
        let ping = redis::cmd("PING");
        let greeting = self.command::<String>(&ping);
        let _pong = self.timed(greeting).await?;
        Ok(self)
    }
}

impl From<ConnectionManager> for RedisStore {
    /// Uses a connection that the application has. Its own time limits hold too.
    fn from(manager: ConnectionManager) -> Self {
        Self::over(Link::Managed(manager))
    }
}

impl From<ClusterConnection> for RedisStore {
    /// Uses a cluster connection that the application has. Its own time limits and retries hold too.
    ///
    /// Reads go to primaries, whatever the connection does otherwise.
    fn from(cluster: ClusterConnection) -> Self {
        Self::over(Link::Cluster(cluster))
    }
}

const NO_SCHEME: &str =
    "a Redis URL begins with redis://, rediss://, unix://, redis-cluster:// or redis-sentinel://";

fn tcp() -> TcpSettings {
    TcpSettings::default()
        .set_nodelay(true)
        .set_keepalive(TcpKeepalive::new().with_time(PROBED_AFTER))
}

fn sentinels(rest: &str, secure: bool) -> Result<SentinelClient, StoreError> {
    let mut parts = rest.split('/');
    let hosts = parts.next().unwrap_or_default();
    let service = parts.next().filter(|service| !service.is_empty());
    let service =
        service.ok_or_else(|| unsupported("the service's name comes after the sentinels"))?;
    if hosts.contains('@') {
        return Err(unsupported(
            "passwords behind sentinels take RedisStore::connect_through",
        ));
    }
    let scheme = if secure { "rediss" } else { "redis" };
    let addresses = hosts.split(',').map(|host| {
        let info = format!("{scheme}://{host}").into_connection_info()?;
        Ok(info.addr().clone())
    });
    let addresses = addresses.collect::<RedisResult<Vec<ConnectionAddr>>>();
    let builder = SentinelClientBuilder::new(
        addresses.map_err(unsupported)?,
        service,
        SentinelServerType::Master,
    );
    let mut builder = builder
        .map_err(unsupported)?
        .set_client_to_redis_tcp_settings(tcp())
        .set_client_to_sentinel_tcp_settings(tcp());
    if secure {
        builder = builder
            .set_client_to_redis_tls_mode(redis::TlsMode::Secure)
            .set_client_to_sentinel_tls_mode(redis::TlsMode::Secure);
    }
    if let Some(db) = parts.next().filter(|db| !db.is_empty()) {
        let db = db
            .parse()
            .map_err(|_| unsupported("the database is a number"))?;
        builder = builder.set_client_to_redis_db(db);
    }
    builder.build().map_err(unsupported)
}

/// Makes sure that rustls has a provider: the application's, or ring.
#[cfg(feature = "tls")]
fn choose_tls() -> Result<(), StoreError> {
    // An error says that another thread was faster.
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
    Ok(())
}

#[cfg(not(feature = "tls"))]
fn choose_tls() -> Result<(), StoreError> {
    Err(unsupported("Redis over TLS takes the feature `tls`"))
}

fn unsupported(why: impl Into<Box<dyn Error + Send + Sync>>) -> StoreError {
    StoreError::with_source(StoreErrorKind::Unsupported, why)
}
