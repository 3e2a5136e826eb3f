//! The ways to a server: a URL, a client, sentinels, or connections that the application has.

use std::{error::Error, future::Future, sync::Arc};

use redis::{
    Client, ConnectionInfo, IntoConnectionInfo,
    aio::{ConnectionLike, ConnectionManager},
    cluster::ClusterClient,
    cluster_async::ClusterConnection,
    sentinel::SentinelClient,
};
use tower_session_guard::store::{StoreError, time_limit};

use crate::{
    RedisStore,
    address::{choose_tls, nodes, sentinels, tcp, unsupported, warn_of_clear_text},
    dial::{Dialled, Source},
    error::store_error,
    link::{Link, Pool},
};

/// How often a cluster's client looks for the right node before it gives up, within the time limit.
const CLUSTER_RETRIES: u32 = 3;

/// How long it waits before that, in milliseconds.
const CLUSTER_WAITS: (u64, u64) = (20, 300);

/// How to connect to a server, where [`RedisStore::connect`] is too strict.
///
/// # Examples
///
/// ```no_run
/// use tower_session_guard_redis::ConnectOptions;
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// // A server for tests, which another program configures.
/// let options = ConnectOptions::new().allow_eviction();
/// let store = options.connect("redis://127.0.0.1:6379/0").await?;
/// # let _ = store;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub struct ConnectOptions {
    allow_eviction: bool,
}

impl ConnectOptions {
    /// The options of [`RedisStore::connect`].
    pub const fn new() -> Self {
        Self {
            allow_eviction: false,
        }
    }

    /// Takes a server that may evict keys when its memory is full, or that does not say whether it may.
    ///
    /// **An evicted key is a lost logout or a lost index entry**: an evicted cut-off or an evicted entry of
    /// [`RedisRevocations`](crate::RedisRevocations) makes what ended valid again, and a revocation misses a
    /// session whose index was evicted.
    pub const fn allow_eviction(mut self) -> Self {
        self.allow_eviction = true;
        self
    }

    /// As [`RedisStore::connect`], which says what URLs there are.
    ///
    /// # Errors
    ///
    /// As [`RedisStore::connect`].
    pub async fn connect(self, url: impl AsRef<str>) -> Result<RedisStore, StoreError> {
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
            "redis-cluster" => self.connect_cluster(rest, secure).await,
            "redis-sentinel" => {
                let (sentinels, addresses) = sentinels(rest, secure)?;
                warn_of_clear_text(&addresses);
                self.connect_through(sentinels).await
            }
            _ => {
                let info = url.into_connection_info().map_err(unsupported)?;
                let info = info.set_tcp_settings(tcp());
                self.connect_with(Client::open(info).map_err(unsupported)?)
                    .await
            }
        }
    }

    /// As [`RedisStore::connect_with`].
    ///
    /// # Errors
    ///
    /// As [`RedisStore::connect_with`].
    pub async fn connect_with(self, client: Client) -> Result<RedisStore, StoreError> {
        warn_of_clear_text([client.get_connection_info().addr()]);
        let dialled = Dialled::new(Source::Client(client));
        self.greet(RedisStore::over(Link::Dialled(dialled))).await
    }

    /// As [`RedisStore::connect_through`].
    ///
    /// # Errors
    ///
    /// As [`RedisStore::connect_through`].
    pub async fn connect_through(
        self,
        sentinels: SentinelClient,
    ) -> Result<RedisStore, StoreError> {
        let source = Source::Sentinel(tokio::sync::Mutex::new(sentinels));
        self.greet(RedisStore::over(Link::Dialled(Dialled::new(source))))
            .await
    }

    async fn connect_cluster(self, rest: &str, secure: bool) -> Result<RedisStore, StoreError> {
        let nodes = nodes(rest, secure)?;
        warn_of_clear_text(nodes.iter().map(ConnectionInfo::addr));
        let (min_wait, max_wait) = CLUSTER_WAITS;
        let client = ClusterClient::builder(nodes.clone())
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
        let link = Link::Cluster(connection, Some(nodes));
        self.greet(RedisStore::over(link)).await
    }

    /// Asks the server once, so that a wrong address is found at the start, and whether it may evict.
    async fn greet(self, store: RedisStore) -> Result<RedisStore, StoreError> {
        let ping = redis::cmd("PING");
        let _pong = store.timed(store.command::<String>(&ping)).await?;
        if self.allow_eviction {
            return Ok(store);
        }
        store.refuse_eviction().await
    }
}

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
    /// It also asks whether the server may evict keys, on a cluster every primary: see
    /// [`refuse_eviction`](Self::refuse_eviction). [`ConnectOptions::allow_eviction`] leaves that out.
    /// A connection in clear text to another machine is told by a `tracing` event of the level `WARN`.
    ///
    /// # Errors
    ///
    /// If the URL is not one of these, or the server may evict keys
    /// ([`Unsupported`](tower_session_guard::store::StoreErrorKind::Unsupported)), or the server cannot be reached within the time limit.
    pub async fn connect(url: impl AsRef<str>) -> Result<Self, StoreError> {
        ConnectOptions::new().connect(url).await
    }

    /// Connects to one server with a client of your own, for certificates that a URL cannot name.
    ///
    /// # Errors
    ///
    /// If the server cannot be reached within the time limit, or may evict keys.
    pub async fn connect_with(client: Client) -> Result<Self, StoreError> {
        ConnectOptions::new().connect_with(client).await
    }

    /// Connects to the primary that sentinels name, and to the new one after a failover.
    ///
    /// The client does not tell where its servers are, so nothing is told about clear text.
    ///
    /// # Errors
    ///
    /// If no sentinel or no primary can be reached within the time limit, the client is one for replicas, or the
    /// primary may evict keys.
    pub async fn connect_through(sentinels: SentinelClient) -> Result<Self, StoreError> {
        ConnectOptions::new().connect_through(sentinels).await
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
        Self::over(Link::Cluster(cluster, None))
    }
}

const NO_SCHEME: &str =
    "a Redis URL begins with redis://, rediss://, unix://, redis-cluster:// or redis-sentinel://";
