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

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use redis::{Cmd, FromRedisValue, RedisResult, Value};
use tokio::time::Instant;
use tower_session_guard::{
    Record, SessionId, SessionStore, Timestamp, VerifiedId,
    store::{
        Counting, Created, Cursor, Cutoff, EndedPage, IndexKey, Page, Removed, Replaced, Revision,
        StoreError, StoreErrorKind, StoreFuture, Stored, time_limit,
    },
};

use crate::{
    envelope::{Envelope, KeyDigest, Listing, moment, open},
    error::store_error,
    index::Taken,
    link::Link,
    script::{CREATE, RAISE_CUTOFF, REPLACE, Server},
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

    pub(crate) fn index_key(&self, key: &KeyDigest) -> String {
        format!("{}of:{{{}}}", self.namespace, in_text(key))
    }

    /// In the slot of the key's index.
    fn cutoff_key(&self, key: &IndexKey) -> String {
        format!("{}cut:{{{}}}", self.namespace, in_text(&key.digest()))
    }

    fn next_revision(&self) -> Revision {
        Revision::new(self.revisions.fetch_add(1, Relaxed))
    }

    pub(crate) const fn time_limit(&self) -> Duration {
        self.time_limit
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
        counting: Counting,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        let revision = self.next_revision();
        let mut envelope = Envelope::of(record, revision, counting);
        // The entries first: a crash in between leaves entries without a record.
        let (listing, sessions) = self.enlist(&envelope, id, record, now).await?;
        envelope.listing = listing;
        let call = CREATE
            .on(self.record_key(id))
            .arg(envelope.seal(record)?)
            .arg(moment(now))
            .arg(envelope.expires_at)
            .arg(listing.at)
            .arg(listing.until);
        match parse(call.run(&*self.link).await)? {
            1 => Ok(Created::Created { revision, sessions }),
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
        // Whether the session counts stays as it is.
        let mut envelope = Envelope::of(record, revision, Counting::Counted);
        let value = envelope.seal(record)?;
        let mut listing: Option<Listing> = None;
        loop {
            let call = REPLACE
                .on(self.record_key(id))
                .arg(&expected.get().to_be_bytes())
                .arg(&value)
                .arg(moment(now))
                .arg(envelope.expires_at)
                .arg(listing.map_or(vec![], |listing| listing.to_bytes().to_vec()));
            let counting = match parse(call.run(&*self.link).await)? {
                1 => return Ok(Replaced::Replaced(revision)),
                0 => return Ok(Replaced::Conflict),
                -1 => return Ok(Replaced::Gone),
                -3 => {
                    return Err(StoreError::with_source(
                        StoreErrorKind::Unsupported,
                        OTHER_KEYS,
                    ));
                }
                -4 if listing.is_none() => Counting::Counted,
                -5 if listing.is_none() => Counting::LeftOut,
                _ => return Err(StoreError::new(StoreErrorKind::Corrupt)),
            };
            envelope.counting = counting;
            let (listed, _) = self.enlist(&envelope, id, record, now).await?;
            listing = Some(listed);
        }
    }

    /// Removes a record, and then, if there is time, its entries in the indexes: without them the session is
    /// dead all the same.
    async fn take_away(
        &self,
        id: &SessionId,
        listed_under: Option<&IndexKey>,
    ) -> Result<Removed, StoreError> {
        let began = Instant::now();
        let key = listed_under.map(IndexKey::digest);
        let taken = self.timed(self.take(id, key.as_ref(), false)).await?;
        let Taken::Away(envelope) = taken else {
            return Ok(Removed::Absent);
        };
        if let Some(envelope) = envelope {
            let left = self.time_limit.saturating_sub(began.elapsed());
            let _left_to_heal = time_limit::within(left, self.strike(&envelope, id, None)).await;
        }
        Ok(Removed::Removed)
    }

    async fn write_cutoff(
        &self,
        key: &IndexKey,
        cutoff: &Cutoff,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let call = RAISE_CUTOFF.on(self.cutoff_key(key));
        let call = call.arg(&cutoff.to_bytes()).arg(moment(now));
        let _written: u8 = parse(call.arg(moment(cutoff.until)).run(&*self.link).await)?;
        Ok(())
    }

    async fn read_cutoff(
        &self,
        key: &IndexKey,
        now: Timestamp,
    ) -> Result<Option<Cutoff>, StoreError> {
        // As for a record: no replica answers.
        let mut command = redis::cmd("GETEX");
        let held: Option<Vec<u8>> = self.command(command.arg(self.cutoff_key(key))).await?;
        let Some(held) = held else {
            return Ok(None);
        };
        let cutoff = Cutoff::from_bytes(&held).ok_or(StoreError::new(StoreErrorKind::Corrupt))?;
        // A clock set back by less than the slack sees it again.
        Ok((now < cutoff.until.after(Cutoff::SLACK)).then_some(cutoff))
    }
}

const OTHER_KEYS: &str =
    "a record keeps its owners and tags: a login or another act for somebody makes a new session";

/// A digest in the name of a key.
pub(crate) fn in_text(digest: &KeyDigest) -> String {
    URL_SAFE_NO_PAD.encode(digest)
}

pub(crate) fn parse<T>(answer: RedisResult<Value>) -> Result<T, StoreError>
where
    T: FromRedisValue,
{
    let answer = answer.map_err(store_error)?;
    T::from_redis_value(answer).map_err(|error| store_error(error.into()))
}

impl SessionStore for RedisStore {
    fn load<'a>(&'a self, id: VerifiedId<'a>, now: Timestamp) -> StoreFuture<'a, Option<Stored>> {
        Box::pin(self.timed(self.read(id.get(), now)))
    }

    fn create<'a>(
        &'a self,
        id: &'a SessionId,
        record: &'a Record,
        counting: Counting,
        now: Timestamp,
    ) -> StoreFuture<'a, Created> {
        Box::pin(self.timed(self.write_new(id, record, counting, now)))
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

    fn remove<'a>(
        &'a self,
        id: &'a SessionId,
        listed_under: Option<&'a IndexKey>,
    ) -> StoreFuture<'a, Removed> {
        Box::pin(self.take_away(id, listed_under))
    }

    fn heads<'a>(
        &'a self,
        key: &'a IndexKey,
        after: Option<&'a Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> StoreFuture<'a, Page> {
        Box::pin(self.timed(self.page(key, after, limit, now)))
    }

    fn end_listed<'a>(
        &'a self,
        key: &'a IndexKey,
        after: Option<&'a Cursor>,
        limit: usize,
        except: Option<&'a SessionId>,
    ) -> StoreFuture<'a, EndedPage> {
        Box::pin(self.timed(self.end_page(key, after, limit, except)))
    }

    fn raise_cutoff<'a>(
        &'a self,
        key: &'a IndexKey,
        cutoff: &'a Cutoff,
        now: Timestamp,
    ) -> StoreFuture<'a, ()> {
        Box::pin(self.timed(self.write_cutoff(key, cutoff, now)))
    }

    fn cutoff<'a>(&'a self, key: &'a IndexKey, now: Timestamp) -> StoreFuture<'a, Option<Cutoff>> {
        Box::pin(self.timed(self.read_cutoff(key, now)))
    }

    fn endings_hold(&self) -> Option<StoreFuture<'_, ()>> {
        Some(Box::pin(self.until_endings_hold(self.leases())))
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
