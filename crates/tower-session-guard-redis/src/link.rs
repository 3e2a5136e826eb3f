//! [`Link`]: how commands reach the server that has the primary copy.

use std::{error::Error, fmt, future::Future, io, pin::Pin, sync::Arc};

use redis::{
    Cmd, ConnectionInfo, ErrorKind, RedisError, RedisResult, ServerErrorKind, Value,
    aio::{ConnectionLike, ConnectionManager},
    cluster_async::ClusterConnection,
    cluster_routing::{MultipleNodeRoutingInfo, RoutingInfo},
};

use tower_session_guard::store::StoreError;

use super::{
    address::unsupported,
    dial::{Dialled, Source},
    script::Server,
};

/// A connection, or what makes one.
pub(super) enum Link {
    Dialled(Dialled),
    Managed(ConnectionManager),
    /// A connection, and the servers that it was made with, if the application did not make it.
    Cluster(ClusterConnection, Option<Vec<ConnectionInfo>>),
    Lent(Arc<dyn Lend>),
}

/// Where a connection of its own can be made to.
pub(super) enum Servers<'a> {
    One(&'a Source),
    Cluster(&'a [ConnectionInfo]),
}

impl Server for Link {
    /// Sends a command and waits for its answer.
    ///
    /// A command that met a broken connection is sent once more, on a new one: it may then be carried out
    /// twice, so every command here must be one that does no more the second time.
    async fn run(&self, command: &Cmd) -> RedisResult<Value> {
        match self.attempt(command).await {
            Err(error) if is_worth_another(&error) => self.attempt(command).await,
            result => result,
        }
    }
}

impl Link {
    async fn attempt(&self, command: &Cmd) -> RedisResult<Value> {
        let answer = match self {
            Self::Dialled(dialled) => dialled.run(command).await,
            Self::Managed(manager) => manager.clone().req_packed_command(command).await,
            Self::Cluster(cluster, _) => cluster.clone().req_packed_command(command).await,
            Self::Lent(lender) => lender.run(command).await,
        };
        answer.and_then(Value::extract_error)
    }

    /// Asks the server; on a cluster every primary.
    pub(super) async fn ask_primaries(&self, command: &Cmd) -> RedisResult<Vec<Value>> {
        let Self::Cluster(cluster, _) = self else {
            return Ok(vec![self.run(command).await?]);
        };
        let primaries = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None));
        let mut cluster = cluster.clone();
        let answers = cluster.route_command(command.clone(), primaries).await?;
        match answers.extract_error()? {
            Value::Map(answers) => Ok(answers.into_iter().map(|(_, answer)| answer).collect()),
            answer => Ok(vec![answer]),
        }
    }

    /// Where to make a connection of its own.
    pub(super) fn servers(&self) -> Result<Servers<'_>, StoreError> {
        match self {
            Self::Dialled(dialled) => Ok(Servers::One(&dialled.source)),
            Self::Cluster(_, Some(nodes)) => Ok(Servers::Cluster(nodes)),
            Self::Cluster(_, None) | Self::Managed(_) | Self::Lent(_) => Err(unsupported(BROUGHT)),
        }
    }

    /// Which connection is in use, for [`suspect`](Self::suspect).
    pub(super) fn generation(&self) -> u64 {
        match self {
            Self::Dialled(dialled) => dialled.generation(),
            Self::Managed(_) | Self::Cluster(..) | Self::Lent(_) => 0,
        }
    }

    /// Says that a command got no answer in time: the connection may be dead without anybody knowing.
    pub(super) fn suspect(&self, generation: u64) {
        if let Self::Dialled(dialled) = self {
            dialled.hang_up(generation);
        }
    }
}

const BROUGHT: &str = "a feed takes a connection of its own: make the store by `RedisStore::connect`, \
    `connect_with` or `connect_through`, not from a connection or a pool that is there already";

/// Whether the failure was the connection's, so that another may do better.
fn is_worth_another(error: &RedisError) -> bool {
    error.is_io_error()
        || matches!(
            error.kind(),
            ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown)
        )
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An address may have a password in it.
        f.write_str(match self {
            Self::Dialled(_) => "Dialled",
            Self::Managed(_) => "ConnectionManager",
            Self::Cluster(..) => "ClusterConnection",
            Self::Lent(_) => "Pool",
        })
    }
}

type BoxAnswer<'a> = Pin<Box<dyn Future<Output = RedisResult<Value>> + Send + 'a>>;

/// Lends a connection for one command.
pub(super) trait Lend: Send + Sync {
    fn run<'a>(&'a self, command: &'a Cmd) -> BoxAnswer<'a>;
}

/// What lends connections of a pool.
pub(super) struct Pool<P>(pub(super) P);

impl<P, F, C, E> Lend for Pool<P>
where
    P: Fn() -> F + Send + Sync,
    F: Future<Output = Result<C, E>> + Send,
    C: ConnectionLike + Send,
    E: Error + Send + Sync + 'static,
{
    fn run<'a>(&'a self, command: &'a Cmd) -> BoxAnswer<'a> {
        Box::pin(async move {
            let mut connection = (self.0)().await.map_err(io::Error::other)?;
            connection.req_packed_command(command).await
        })
    }
}
