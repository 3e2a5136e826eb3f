//! The feed of changed sessions: `LISTEN` on a connection of its own, and the leases of the nodes that hold copies.

use std::{convert::Infallible, fmt, sync::Arc, time::Duration};

use sqlx::{
    PgPool,
    postgres::{PgListener, PgNotification, PgPoolOptions},
};
use tower_session_guard::{
    SessionId, SessionStore, Timestamp, VerifiedId,
    store::{
        Lease, StoreError, StoreErrorKind, StoreFuture, Stored,
        feed::{Copies, Feed, FeedReader, FeedStore, OpenFeed},
        time_limit::within,
    },
};

use crate::{PostgresStore, failure::failure};

/// For how many seconds a lease counts, once it is held: ten times what the longest takes.
const COUNTS: f64 = 60.0;

/// A fence holds its lease again once it counts for fewer seconds than this.
const HOLD_AGAIN: f64 = 40.0;

/// The channel, which begins with the name of the table.
const CHANNEL: &str = "session_guard_changed";

/// What begins the payload of a probe. An id begins otherwise.
const PROBE: &str = "probe ";

const POOLED: &str = "a notification does not arrive, so a pooler gives each transaction another connection: \
    give the store a direct connection for its feed with `with_feed_options`";

/// The connection that listens.
struct Listening {
    listener: PgListener,
    /// Closed with the connection: it has this one.
    pool: PgPool,
    pid: i32,
    copies: Arc<dyn Copies>,
    store: PostgresStore,
    lease: Lease,
}

/// Loads from the same tables: a record that was read before a change is told of after it.
#[derive(Debug)]
struct Reader(PostgresStore);

impl FeedStore for PostgresStore {
    fn open_feed<'a>(&'a self, copies: Arc<dyn Copies>, lease: Lease) -> StoreFuture<'a, OpenFeed> {
        Box::pin(within(self.time_limit, async move {
            let feed = Listening::open(self.clone(), copies, lease).await?;
            let reader = Arc::new(Reader(self.clone()));
            Ok(OpenFeed::new(feed, reader))
        }))
    }
}

impl PostgresStore {
    /// Waits for the longest lease that any node holds, if any is exact.
    ///
    /// The nodes count from when they sent a fence, and this one from the answer to a question that came after what it
    /// ended.
    pub(crate) fn wait_for_copies(&self) -> Option<StoreFuture<'_, ()>> {
        Some(Box::pin(async {
            let held = within(self.time_limit, async {
                let held: Vec<(bool, i64)> = sqlx::query_as(self.own.held_leases.clone())
                    .fetch_all(&self.pool)
                    .await
                    .map_err(failure)?;
                Ok(held)
            });
            let held = held.await?;
            if let Some(wait) = Lease::ending_wait(held.into_iter().map(lease)) {
                tokio::time::sleep(wait).await;
            }
            Ok(())
        }))
    }

    /// Holds a lease in the namespace, so that every ending from now on tells of itself and waits.
    ///
    /// The lock waits for the writes that looked for leases before.
    async fn hold(&self, lease: Lease) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin().await.map_err(failure)?;
        for statement in [&self.own.lock_leases, &self.own.forget_leases] {
            sqlx::query(statement.clone())
                .execute(&mut *transaction)
                .await
                .map_err(failure)?;
        }
        sqlx::query(self.own.hold_lease.clone())
            .bind(lease.is_exact())
            .bind(millis(lease))
            .bind(COUNTS)
            .execute(&mut *transaction)
            .await
            .map_err(failure)?;
        transaction.commit().await.map_err(failure)
    }

    fn channel(&self) -> std::borrow::Cow<'static, str> {
        self.table.in_text(CHANNEL)
    }
}

fn millis(lease: Lease) -> i64 {
    i64::try_from(lease.as_millis()).unwrap_or(i64::MAX)
}

/// A lease as it is in the table, unless this release cannot read it.
fn lease((is_exact, millis): (bool, i64)) -> Option<Lease> {
    let time = Duration::from_millis(u64::try_from(millis).ok()?);
    let lease = if is_exact {
        Lease::exact(time)
    } else {
        Lease::bounded(time)
    };
    lease.ok()
}

impl Listening {
    async fn open(
        store: PostgresStore,
        copies: Arc<dyn Copies>,
        lease: Lease,
    ) -> Result<Self, StoreError> {
        let options = store.feed_options.clone();
        let options = options.unwrap_or_else(|| store.pool.connect_options());
        let pool = PgPoolOptions::new().max_connections(1);
        let pool = pool.idle_timeout(None).max_lifetime(None);
        let pool = pool.connect_lazy_with((*options).clone());
        let listener = PgListener::connect_with(&pool).await.map_err(failure)?;
        let mut listening = Self {
            listener,
            pool,
            pid: 0,
            copies,
            store,
            lease,
        };
        listening.begin().await?;
        Ok(listening)
    }

    async fn begin(&mut self) -> Result<(), StoreError> {
        self.listener.eager_reconnect(false);
        let channel = self.store.channel();
        self.listener.listen(&channel).await.map_err(failure)?;
        self.pid = sqlx::query_scalar("SELECT pg_backend_pid()")
            .fetch_one(&mut self.listener)
            .await
            .map_err(failure)?;
        self.probe().await?;
        self.store.hold(self.lease).await?;
        self.prove().await
    }

    /// Finds out whether what another connection notifies of arrives.
    async fn probe(&mut self) -> Result<(), StoreError> {
        let probe = format!("{PROBE}{}", self.pid);
        sqlx::query(self.store.own.listen_probe.clone())
            .bind(&probe)
            .execute(&self.store.pool)
            .await
            .map_err(failure)?;
        let arrives = async {
            loop {
                match self.listener.try_recv().await.map_err(failure)? {
                    Some(told) if told.payload() == probe => return Ok(()),
                    Some(_) => {}
                    None => return Err(lost()),
                }
            }
        };
        let patience = self.store.time_limit / 2;
        let arrived = within(patience, arrives).await;
        arrived.map_err(|error| match error.kind() {
            StoreErrorKind::Timeout => StoreError::with_source(StoreErrorKind::Unsupported, POOLED),
            _ => error,
        })
    }

    /// One question on the listening connection. Its server process hands over what it was notified of before it says
    /// that it is ready for the next.
    async fn prove(&mut self) -> Result<(), StoreError> {
        let proof: (i32, bool, bool) = sqlx::query_as(self.store.own.fence.clone())
            .bind(self.lease.is_exact())
            .bind(millis(self.lease))
            .bind(COUNTS)
            .bind(HOLD_AGAIN)
            .fetch_one(&mut self.listener)
            .await
            .map_err(failure)?;
        while let Some(told) = self.listener.next_buffered() {
            self.apply(&told);
        }
        match proof {
            (pid, false, true) if pid == self.pid => Ok(()),
            (_, true, _) => Err(StoreError::unavailable("the server takes no writes")),
            (_, _, false) => Err(StoreError::unavailable("the lease was not held in time")),
            _ => Err(lost()),
        }
    }

    fn apply(&self, told: &PgNotification) {
        let payload = told.payload();
        if payload.starts_with(PROBE) {
            return;
        }
        match id_of(payload) {
            Some(id) => self.copies.forget(&id),
            None => self.copies.forget_all(),
        }
    }
}

impl Feed for Listening {
    fn listen(&mut self) -> StoreFuture<'_, Infallible> {
        Box::pin(async {
            while let Some(told) = self.listener.try_recv().await.map_err(failure)? {
                self.apply(&told);
            }
            Err(lost())
        })
    }

    fn fence(&mut self) -> StoreFuture<'_, ()> {
        let limit = self.store.time_limit;
        Box::pin(within(limit, self.prove()))
    }
}

impl FeedReader for Reader {
    fn load<'a>(&'a self, id: VerifiedId<'a>, now: Timestamp) -> StoreFuture<'a, Option<Stored>> {
        self.0.load(id, now)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // The connection goes with its pool: a listener that returned one would have it wait for `UNLISTEN`.
        let pool = self.pool.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { pool.close().await });
        }
    }
}

impl fmt::Debug for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listening")
            .field("pid", &self.pid)
            .field("lease", &self.lease)
            .finish_non_exhaustive()
    }
}

fn lost() -> StoreError {
    StoreError::unavailable("the connection that listens is lost")
}

/// The id in a payload: its bytes in hexadecimal digits.
fn id_of(payload: &str) -> Option<SessionId> {
    let digits = payload.as_bytes();
    if digits.len() != 2 * SessionId::LEN {
        return None;
    }
    let mut bytes = [0; SessionId::LEN];
    for (byte, digits) in bytes.iter_mut().zip(digits.chunks(2)) {
        let digits = str::from_utf8(digits).ok()?;
        *byte = u8::from_str_radix(digits, 16).ok()?;
    }
    Some(SessionId::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tower_session_guard::{SessionId, store::Lease};

    use super::{id_of, lease, millis};

    #[test]
    fn a_lease_is_read_as_it_is_written_or_not_at_all() {
        let time = Duration::from_micros(250_001);
        let exact = Lease::exact(time).unwrap();
        assert_eq!(millis(exact), 251);
        let read = lease((true, millis(exact))).unwrap();
        assert!(read.is_exact() && read.time() >= time);
        assert_eq!(lease((false, 5000)), Lease::bounded(Lease::MAX).ok());
        for unknown in [(true, -1), (true, 0), (false, 5001)] {
            assert_eq!(lease(unknown), None, "{unknown:?}");
        }
    }

    #[test]
    fn an_id_is_read_from_a_payload_and_nothing_else_is_one() {
        let id = SessionId::from_bytes([0xAB; 16]);
        assert_eq!(id_of(&"ab".repeat(16)), Some(id));
        for other in [
            "",
            "ab",
            &"ab".repeat(15),
            &"zz".repeat(16),
            &"ab".repeat(17),
        ] {
            assert_eq!(id_of(other), None, "{other}");
        }
    }
}
