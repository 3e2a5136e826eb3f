//! [`DynamoDbStore`]: sessions in a DynamoDB table.

use std::{fmt, sync::Arc, time::Duration};

use aws_sdk_dynamodb::Client;
use tower_session_guard::{
    Record, SessionId, SessionStore, Timestamp, VerifiedId,
    store::{
        Counting, Created, Cursor, Cutoff, EndedPage, IndexKey, Page, Removed, Replaced, Revision,
        StoreError, StoreFuture, Stored,
        time_limit::{self, within},
    },
};

use crate::{failure::failure, item};

/// Sessions in a DynamoDB table, through the application's `aws_sdk_dynamodb::Client`.
///
/// The [crate's page](crate) describes the table, the permissions, what each operation costs and what the
/// guarantees rest on. A clone is another handle to the same client.
///
/// # Examples
///
/// ```no_run
/// use tower_session_guard::{KeyRing, SessionLayer};
/// use tower_session_guard_dynamodb::DynamoDbStore;
///
/// # async fn run(client: aws_sdk_dynamodb::Client) -> Result<(), Box<dyn std::error::Error>> {
/// // let client = aws_sdk_dynamodb::Client::new(&aws_config::load_from_env().await);
/// let store = DynamoDbStore::new(client, "sessions");
/// let sessions = SessionLayer::new(KeyRing::from_env("SESSION_KEYS")?).with_store(store);
/// # let _ = sessions;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct DynamoDbStore {
    pub(crate) client: Client,
    pub(crate) table: Arc<str>,
    pub(crate) time_limit: Duration,
}

impl DynamoDbStore {
    /// Sessions in this table, which [`create_table`](Self::create_table) or your own tooling makes.
    ///
    /// Credentials, region, retries and TLS are the client's.
    #[must_use]
    pub fn new(client: Client, table: impl Into<Arc<str>>) -> Self {
        Self {
            client,
            table: table.into(),
            time_limit: time_limit::DEFAULT,
        }
    }

    /// Sets how long an operation may take before it fails, the client's own retries included: two
    /// seconds unless set.
    #[must_use]
    pub const fn with_time_limit(mut self, time_limit: Duration) -> Self {
        self.time_limit = time_limit;
        self
    }

    async fn find(&self, id: &SessionId, now: Timestamp) -> Result<Option<Stored>, StoreError> {
        let found = self
            .client
            .get_item()
            .table_name(&*self.table)
            .set_key(Some(item::session_key(id)))
            .consistent_read(true)
            .send()
            .await
            .map_err(failure)?;
        let live = found.item.filter(|item| !item::is_expired(item, now));
        let stored = live.as_ref().map(item::stored).transpose()?;
        Ok(stored.filter(|stored| !stored.record.is_expired(now)))
    }
}

impl fmt::Debug for DynamoDbStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynamoDbStore")
            .field("table", &self.table)
            .field("time_limit", &self.time_limit)
            .finish_non_exhaustive()
    }
}

impl SessionStore for DynamoDbStore {
    fn load<'a>(&'a self, id: VerifiedId<'a>, now: Timestamp) -> StoreFuture<'a, Option<Stored>> {
        Box::pin(within(self.time_limit, self.find(id.get(), now)))
    }

    fn create<'a>(
        &'a self,
        id: &'a SessionId,
        record: &'a Record,
        counting: Counting,
        _now: Timestamp,
    ) -> StoreFuture<'a, Created> {
        Box::pin(within(self.time_limit, self.put(id, record, counting)))
    }

    fn replace<'a>(
        &'a self,
        id: &'a SessionId,
        revision: Revision,
        record: &'a Record,
        now: Timestamp,
    ) -> StoreFuture<'a, Replaced> {
        let update = self.update(id, revision, record, now);
        Box::pin(within(self.time_limit, update))
    }

    fn remove<'a>(
        &'a self,
        id: &'a SessionId,
        listed_under: Option<&'a IndexKey>,
    ) -> StoreFuture<'a, Removed> {
        Box::pin(self.delete(id, listed_under))
    }

    fn heads<'a>(
        &'a self,
        key: &'a IndexKey,
        after: Option<&'a Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> StoreFuture<'a, Page> {
        Box::pin(self.list(key, after, limit, now))
    }

    fn end_listed<'a>(
        &'a self,
        key: &'a IndexKey,
        after: Option<&'a Cursor>,
        limit: usize,
        except: Option<&'a SessionId>,
    ) -> StoreFuture<'a, EndedPage> {
        Box::pin(self.end(key, after, limit, except))
    }

    fn raise_cutoff<'a>(
        &'a self,
        key: &'a IndexKey,
        cutoff: &'a Cutoff,
        _now: Timestamp,
    ) -> StoreFuture<'a, ()> {
        Box::pin(within(self.time_limit, self.raise(key, cutoff)))
    }

    fn cutoff<'a>(&'a self, key: &'a IndexKey, now: Timestamp) -> StoreFuture<'a, Option<Cutoff>> {
        Box::pin(within(self.time_limit, self.find_cutoff(key, now)))
    }
}
