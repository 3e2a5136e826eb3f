//! [`Dialled`]: one connection for all commands, made anew when it breaks.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, RedisError, RedisResult, ServerErrorKind, Value,
    aio::{ConnectionLike, MultiplexedConnection},
    sentinel::SentinelClient,
};

/// How long a connection may take until it is ready, within the time limit of the operation.
pub(super) const CONNECT_WITHIN: Duration = Duration::from_secs(1);

/// One connection that all commands share.
///
/// Nothing runs in the background: whoever finds it broken or silent hangs up, and the next command dials.
pub(super) struct Dialled {
    pub(super) source: Source,
    current: Mutex<Option<(u64, MultiplexedConnection)>>,
    /// Held by the one who dials; the others wait for the result.
    dialling: tokio::sync::Mutex<()>,
    generations: AtomicU64,
}

/// Who knows where the primary is.
pub(super) enum Source {
    Client(Client),
    Sentinel(tokio::sync::Mutex<SentinelClient>),
}

impl Dialled {
    pub(super) const fn new(source: Source) -> Self {
        Self {
            source,
            current: Mutex::new(None),
            dialling: tokio::sync::Mutex::const_new(()),
            generations: AtomicU64::new(0),
        }
    }

    pub(super) async fn run(&self, command: &Cmd) -> RedisResult<Value> {
        let (generation, mut connection) = self.connection().await?;
        let answer = connection.req_packed_command(command).await;
        let answer = answer.and_then(Value::extract_error);
        if let Err(error) = &answer
            && is_of_the_connection(error)
        {
            self.hang_up(generation);
        }
        answer
    }

    pub(super) fn generation(&self) -> u64 {
        self.generations.load(Relaxed)
    }

    /// Takes this connection out of use; commands that wait on it may still be answered.
    pub(super) fn hang_up(&self, generation: u64) {
        let mut current = self.current();
        if current
            .as_ref()
            .is_some_and(|(made, _)| *made <= generation)
        {
            *current = None;
        }
    }

    async fn connection(&self) -> RedisResult<(u64, MultiplexedConnection)> {
        if let Some(ready) = self.current().clone() {
            return Ok(ready);
        }
        let _one_at_a_time = self.dialling.lock().await;
        if let Some(ready) = self.current().clone() {
            return Ok(ready);
        }
        let connection = self.source.dial().await?;
        let generation = self.generations.fetch_add(1, Relaxed) + 1;
        *self.current() = Some((generation, connection.clone()));
        Ok((generation, connection))
    }

    fn current(&self) -> MutexGuard<'_, Option<(u64, MultiplexedConnection)>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Source {
    async fn dial(&self) -> RedisResult<MultiplexedConnection> {
        // The answer's time limit is the store's.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_WITHIN))
            .set_response_timeout(None);
        let client = self.client().await?;
        client
            .get_multiplexed_async_connection_with_config(&config)
            .await
    }

    /// The way to the primary.
    pub(super) async fn client(&self) -> RedisResult<Client> {
        match self {
            Self::Client(client) => Ok(client.clone()),
            Self::Sentinel(client) => {
                let mut client = client.lock().await;
                // Boxed, since the compiler limits how deep futures may be within each other.
                Box::pin(client.async_get_client()).await
            }
        }
    }
}

/// Whether the connection is of no more use: it broke, or leads to a server that is a replica by now.
fn is_of_the_connection(error: &RedisError) -> bool {
    error.is_unrecoverable_error()
        || error.is_io_error()
        || matches!(
            error.kind(),
            ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown)
        )
}
