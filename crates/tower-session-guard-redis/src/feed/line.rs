//! [`Line`]: one connection on which a server tells of changes.

use std::{fmt, sync::Arc};

use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, ProtocolVersion, PushInfo, PushKind, RedisError,
    RedisResult, ServerErrorKind, Value,
    aio::{ConnectionLike, MultiplexedConnection},
};
use tower_session_guard::store::{StoreError, StoreErrorKind};

use super::over::Over;
use crate::{address::unsupported, dial::CONNECT_WITHIN, error::store_error, script::Server};

/// What hears the messages of a server. It is called where the connection is read, before any later answer is
/// released, so it returns at once and does not panic.
pub(crate) type Hear = Arc<dyn Fn(PushKind, Vec<Value>) + Send + Sync>;

/// One connection to one server, which is never made anew.
///
/// The messages of the server are heard in the task that reads the connection: of what is written on the server
/// before a command is carried out, everything is heard before the command's answer is there. A connection that
/// relays messages to another task has not that order.
pub(crate) struct Line {
    connection: MultiplexedConnection,
    over: Over,
}

impl Line {
    /// Dials a server and hears its messages until the connection breaks, which ends the feed.
    pub(crate) async fn dial(
        client: &Client,
        hear: &Hear,
        over: &Over,
    ) -> Result<Self, StoreError> {
        let (hear, broken) = (Arc::clone(hear), over.clone());
        let hear = move |PushInfo { kind, data }: PushInfo| {
            if kind == PushKind::Disconnection {
                broken.set();
            } else {
                hear(kind, data);
            }
            Ok::<_, RedisError>(())
        };
        // The answer's time limit is the store's.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_WITHIN))
            .set_response_timeout(None)
            .set_push_sender(hear);
        let info = client.get_connection_info().clone();
        let settings = info.redis_settings().clone();
        let info = info.set_redis_settings(settings.set_protocol(ProtocolVersion::RESP3));
        let client = Client::open(info).map_err(store_error)?;
        let connection = client
            .get_multiplexed_async_connection_with_config(&config)
            .await;
        Ok(Self {
            connection: connection.map_err(|error| refusal(error, NO_RESP3))?,
            over: over.clone(),
        })
    }

    /// Lets the server remember what is read on this connection, and tell of its next change.
    pub(crate) async fn track(&self) -> Result<(), StoreError> {
        let mut tracking = redis::cmd("CLIENT");
        let answer = self.run(tracking.arg("TRACKING").arg("ON")).await;
        answer.map_err(|error| refusal(error, NO_TRACKING))?;
        Ok(())
    }
}

impl Server for Line {
    /// Sends a command, once, and waits for its answer. It fails once the feed has ended.
    async fn run(&self, command: &Cmd) -> RedisResult<Value> {
        let mut connection = self.connection.clone();
        let answer = connection.req_packed_command(command).await;
        let answer = answer.and_then(Value::extract_error);
        if answer.as_ref().is_err_and(ends_a_feed) {
            self.over.set();
        }
        answer
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").finish_non_exhaustive()
    }
}

/// Whether the connection is broken, or its server no longer the one that takes the writes of this key.
fn ends_a_feed(error: &RedisError) -> bool {
    error.is_unrecoverable_error()
        || error.is_io_error()
        || matches!(
            error.kind(),
            ErrorKind::Server(
                ServerErrorKind::Moved
                    | ServerErrorKind::ReadOnly
                    | ServerErrorKind::MasterDown
                    | ServerErrorKind::ClusterDown
            )
        )
}

/// An error with what helps, if it was the server that refused.
pub(crate) fn refusal(error: RedisError, remedy: &str) -> StoreError {
    let is_refused = error.kind() == ErrorKind::RESP3NotSupported
        || matches!(error.code(), Some("NOPERM" | "NOPROTO"))
        || error
            .detail()
            .is_some_and(|detail| detail.starts_with("unknown "));
    if is_refused {
        return unsupported(format!("{remedy} ({error})"));
    }
    store_error(error)
}

/// That a feed has ended.
pub(crate) fn ended() -> StoreError {
    StoreError::with_source(StoreErrorKind::Unavailable, "the feed has ended")
}

const NO_RESP3: &str = "the server tells of no changes: a feed takes Redis 6 or later, or Valkey, \
    without a proxy that speaks RESP2 only, and a user who may say HELLO";

const NO_TRACKING: &str = "the server tells of no changes: \
    the user needs the permission `+client|tracking`";
