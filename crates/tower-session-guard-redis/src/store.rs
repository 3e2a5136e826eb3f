//! [`RedisStore`]: sessions in Redis or Valkey.

use std::{
    fmt,
    future::Future,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use redis::{Cmd, FromRedisValue, RedisResult, Value};
use tokio::time::Instant;
use tower_session_guard::{
    Claim, Record, SessionId, SessionStore, Subject, Timestamp,
    store::{
        Created, Removed, Replaced, Revision, StoreError, StoreErrorKind, StoreFuture, Stored,
        time_limit,
    },
};

use crate::{
    envelope::{Envelope, Listing, Owner, moment, open},
    error::store_error,
    link::Link,
    script::{CREATE, REPLACE},
};

/// Sessions in Redis 6.2 or later, or in Valkey: on one server, on a cluster, or behind sentinels.
///
/// The [crate's page](crate) says how to run the server, what each operation costs and what the guarantees
/// rest on. A clone is another handle to the same connection.
///
/// # Examples
///
/// ```no_run
/// use tower_session_guard::{KeyRing, SessionLayer};
/// use tower_session_guard_redis::RedisStore;
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let store = RedisStore::connect("redis://127.0.0.1:6379/0").await?;
/// let sessions = SessionLayer::new(KeyRing::from_env("SESSION_KEYS")?).with_store(store);
/// # let _ = sessions;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RedisStore {
    pub(crate) link: Arc<Link>,
    pub(crate) namespace: Arc<str>,
    time_limit: Duration,
    /// The next revision: counted from a random number, so that no two handles ever write the same one.
    revisions: Arc<AtomicU64>,
}

impl RedisStore {
    /// What the names of all keys begin with, unless [`with_namespace`](Self::with_namespace) says
    /// otherwise.
    pub const DEFAULT_NAMESPACE: &str = "session:";

    pub(crate) fn over(link: Link) -> Self {
        Self {
            link: Arc::new(link),
            namespace: Arc::from(Self::DEFAULT_NAMESPACE),
            time_limit: time_limit::DEFAULT,
            revisions: Arc::new(AtomicU64::new(RandomState::new().hash_one(()))),
        }
    }

    /// Begins the names of all keys with `namespace`, so that several applications may share a database.
    #[must_use]
    pub fn with_namespace(mut self, namespace: impl AsRef<str>) -> Self {
        self.namespace = Arc::from(namespace.as_ref());
        self
    }

    /// Gives every operation this time, a second attempt and a new connection included. It is two seconds
    /// unless set.
    #[must_use]
    pub fn with_time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    pub(crate) fn record_key(&self, id: &SessionId) -> String {
        format!("{}{{{id}}}", self.namespace)
    }

    pub(crate) fn index_key(&self, owner: &Owner) -> String {
        format!("{}of:{{{}}}", self.namespace, owner.to_text())
    }

    fn next_revision(&self) -> Revision {
        Revision::new(self.revisions.fetch_add(1, Relaxed))
    }

    /// Runs an operation within the time limit.
    pub(crate) async fn timed<T>(
        &self,
        operation: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let generation = self.link.generation();
        let result = time_limit::within(self.time_limit, operation).await;
        if let Err(error) = &result
            && error.kind() == StoreErrorKind::Timeout
        {
            self.link.suspect(generation);
        }
        result
    }

    pub(crate) async fn command<T>(&self, command: &Cmd) -> Result<T, StoreError>
    where
        T: FromRedisValue,
    {
        parse(self.link.run(command).await)
    }

    /// Reads a value. GETEX does so as a write command, so that no replica ever answers: neither one
    /// that a cluster client was told to prefer, nor a primary that became one.
    pub(crate) async fn fetch(&self, id: &SessionId) -> Result<Option<Vec<u8>>, StoreError> {
        self.command(redis::cmd("GETEX").arg(self.record_key(id)))
            .await
    }

    async fn read(&self, id: &SessionId, now: Timestamp) -> Result<Option<Stored>, StoreError> {
        let value = self.fetch(id).await?;
        value.map_or(Ok(None), |value| open(&value, now))
    }

    async fn write_new(
        &self,
        id: &SessionId,
        record: &Record,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        let revision = self.next_revision();
        let mut envelope = Envelope::of(record, revision);
        if let Some(owner) = envelope.listed_owner() {
            // The entry first: a crash in between leaves an entry without a record.
            envelope.listing = self.enlist(&owner, id, record, now).await?;
        }
        let call = CREATE
            .on(self.record_key(id))
            .arg(envelope.seal(record))
            .arg(moment(now))
            .arg(envelope.expires_at)
            .arg(envelope.listing.at)
            .arg(envelope.listing.until);
        match parse(call.run(&self.link).await)? {
            1 => Ok(Created::Created(revision)),
            0 => Ok(Created::Occupied),
            _ => Err(StoreError::new(StoreErrorKind::Timeout)),
        }
    }

    async fn overwrite(
        &self,
        id: &SessionId,
        expected: Revision,
        record: &Record,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        let revision = self.next_revision();
        let envelope = Envelope::of(record, revision);
        let value = envelope.seal(record);
        let mut listing = Vec::new();
        loop {
            let call = REPLACE
                .on(self.record_key(id))
                .arg(&expected.get().to_be_bytes())
                .arg(&value)
                .arg(moment(now))
                .arg(envelope.expires_at)
                .arg(&listing);
            return match (parse(call.run(&self.link).await)?, envelope.listed_owner()) {
                (1, _) => Ok(Replaced::Replaced(revision)),
                (0, _) => Ok(Replaced::Conflict),
                (-1, _) => Ok(Replaced::Gone),
                (-3, _) => Err(StoreError::with_source(
                    StoreErrorKind::Unsupported,
                    "a record keeps its subject: a login makes a new session",
                )),
                (-4, Some(owner)) if listing.is_empty() => {
                    let Listing { at, until } = self.enlist(&owner, id, record, now).await?;
                    listing.extend_from_slice(&at.to_be_bytes());
                    listing.extend_from_slice(&until.to_be_bytes());
                    continue;
                }
                _ => Err(StoreError::new(StoreErrorKind::Corrupt)),
            };
        }
    }

    /// Removes a record, and then, if there is time, its entry in the index: without it the session is
    /// dead all the same.
    async fn take_away(&self, id: &SessionId) -> Result<Removed, StoreError> {
        let began = Instant::now();
        let key = self.record_key(id);
        let mut command = redis::cmd("GETDEL");
        let removal = self.command::<Option<Vec<u8>>>(command.arg(key));
        let Some(value) = self.timed(removal).await? else {
            return Ok(Removed::Absent);
        };
        if let Ok((envelope, _)) = Envelope::of_value(&value)
            && let Some(owner) = envelope.listed_owner()
        {
            let left = self.time_limit.saturating_sub(began.elapsed());
            let _left_to_heal =
                time_limit::within(left, self.strike(&owner, id, envelope.listing)).await;
        }
        Ok(Removed::Removed)
    }
}

pub(crate) fn parse<T>(answer: RedisResult<Value>) -> Result<T, StoreError>
where
    T: FromRedisValue,
{
    let answer = answer.map_err(store_error)?;
    T::from_redis_value(answer).map_err(|error| store_error(error.into()))
}

impl SessionStore for RedisStore {
    fn load<'a>(&'a self, claim: &'a Claim, now: Timestamp) -> StoreFuture<'a, Option<Stored>> {
        Box::pin(self.timed(self.read(claim.id(), now)))
    }

    fn create<'a>(
        &'a self,
        id: &'a SessionId,
        record: &'a Record,
        now: Timestamp,
    ) -> StoreFuture<'a, Created> {
        Box::pin(self.timed(self.write_new(id, record, now)))
    }

    fn replace<'a>(
        &'a self,
        id: &'a SessionId,
        revision: Revision,
        record: &'a Record,
        now: Timestamp,
    ) -> StoreFuture<'a, Replaced> {
        Box::pin(self.timed(self.overwrite(id, revision, record, now)))
    }

    fn remove<'a>(&'a self, id: &'a SessionId) -> StoreFuture<'a, Removed> {
        Box::pin(self.take_away(id))
    }

    fn sessions_of<'a>(
        &'a self,
        subject: &'a Subject,
        now: Timestamp,
    ) -> StoreFuture<'a, Vec<(SessionId, Record)>> {
        Box::pin(self.timed(self.list(subject, now)))
    }

    fn remove_all_of<'a>(
        &'a self,
        subject: &'a Subject,
        except: Option<&'a SessionId>,
    ) -> StoreFuture<'a, usize> {
        Box::pin(self.timed(self.revoke(subject, except)))
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("link", &self.link)
            .field("namespace", &self.namespace)
            .field("time_limit", &self.time_limit)
            .finish()
    }
}
