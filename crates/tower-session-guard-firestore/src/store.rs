//! [`FirestoreStore`]: sessions in Firestore.

use std::{fmt, time::Duration};

use googleapis_tonic_google_firestore_v1::google::firestore::v1::{
    BatchGetDocumentsRequest, Document,
    batch_get_documents_response::Result::{Found, Missing},
};
use tonic::Status;
use tower_session_guard::{
    Record, SessionId, SessionStore, Timestamp, VerifiedId,
    store::{
        Counting, Created, Cursor, Cutoff, EndedPage, IndexKey, Page, Removed, Replaced, Revision,
        StoreError, StoreFuture, Stored,
        time_limit::{self, within},
    },
};

use crate::{
    connection::Connection,
    document::Snapshot,
    failure::{failure, resending},
    write::mask,
};

/// Sessions in a Firestore database (native mode).
///
/// The [crate's page](crate) describes the collection, its security rules, what each operation costs and
/// what the guarantees rest on. A clone is another handle to the same connection.
///
/// # Examples
///
/// ```no_run
/// use tower_session_guard::{KeyRing, SessionLayer};
/// use tower_session_guard_firestore::FirestoreStore;
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let store = FirestoreStore::connect("my-project")?;
/// let sessions = SessionLayer::new(KeyRing::from_env("SESSION_KEYS")?).with_store(store);
/// # let _ = sessions;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct FirestoreStore {
    pub(crate) connection: Connection,
    project: String,
    database: String,
    pub(crate) collection: String,
    time_limit: Duration,
}

impl FirestoreStore {
    /// Sessions in this Google Cloud project's default database, with the ordinary credentials: those of
    /// `GOOGLE_APPLICATION_CREDENTIALS`, of `gcloud auth application-default login`, or of the machine.
    ///
    /// If the variable `FIRESTORE_EMULATOR_HOST` is set, sessions are kept in the emulator at that
    /// `host:port` instead, without TLS or credentials. Connects with the first request, and must be called
    /// within a Tokio runtime.
    ///
    /// # Errors
    ///
    /// If there are no credentials, or they are not of a kind that is known.
    pub fn connect(project: impl Into<String>) -> Result<Self, StoreError> {
        let connection = match std::env::var("FIRESTORE_EMULATOR_HOST") {
            Ok(host) if !host.is_empty() => Connection::to_emulator(&host)?,
            _ => Connection::to_google()?,
        };
        Ok(Self::over(connection, project.into()))
    }

    /// Sessions of this project in an emulator at `host`, a `host:port`: no TLS, no credentials.
    ///
    /// # Errors
    ///
    /// If that is not a host and a port.
    pub fn emulator(host: &str, project: impl Into<String>) -> Result<Self, StoreError> {
        Ok(Self::over(Connection::to_emulator(host)?, project.into()))
    }

    fn over(connection: Connection, project: String) -> Self {
        Self {
            connection,
            project,
            database: "(default)".to_owned(),
            collection: "sessions".to_owned(),
            time_limit: time_limit::DEFAULT,
        }
    }

    /// Sets the database: `(default)` unless set.
    #[must_use]
    pub fn with_database(mut self, database: impl Into<String>) -> Self {
        self.database = database.into();
        self
    }

    /// Sets the collection: `sessions` unless set.
    #[must_use]
    pub fn with_collection(mut self, collection: impl Into<String>) -> Self {
        self.collection = collection.into();
        self
    }

    /// Sets how long an operation may take before it fails, also to fetch an access token: two seconds
    /// unless set.
    #[must_use]
    pub const fn with_time_limit(mut self, time_limit: Duration) -> Self {
        self.time_limit = time_limit;
        self
    }

    pub(crate) fn database_name(&self) -> String {
        format!("projects/{}/databases/{}", self.project, self.database)
    }

    pub(crate) fn root(&self) -> String {
        format!("{}/documents", self.database_name())
    }

    pub(crate) fn document_name(&self, id: &SessionId) -> String {
        format!("{}/{}/{id}", self.root(), self.collection)
    }

    async fn find(&self, id: &SessionId, now: Timestamp) -> Result<Option<Stored>, StoreError> {
        let found = self.get(&self.document_name(id), None).await?;
        let live = found.filter(|found| !found.is_expired(now));
        let stored = live.as_ref().map(Snapshot::stored).transpose()?;
        Ok(stored.filter(|stored| !stored.record.is_expired(now)))
    }

    /// A document, or these fields of it, strongly consistent.
    pub(crate) async fn get(
        &self,
        name: &str,
        fields: Option<&[&str]>,
    ) -> Result<Option<Snapshot>, StoreError> {
        let found = resending(|| self.try_get(name, fields)).await?;
        found.map_err(failure)?.map(Snapshot::of).transpose()
    }

    /// Asks for a batch of one: unlike a plain get, its answer tells a document that is not there from a
    /// database that is not.
    async fn try_get(
        &self,
        name: &str,
        fields: Option<&[&str]>,
    ) -> Result<Result<Option<Document>, Status>, StoreError> {
        let database = self.database_name();
        let message = BatchGetDocumentsRequest {
            database: database.clone(),
            documents: vec![name.to_owned()],
            mask: fields.map(mask),
            ..BatchGetDocumentsRequest::default()
        };
        let request = self.connection.request(message, &database).await?;
        let mut answers = match self.connection.client().batch_get_documents(request).await {
            Ok(answers) => answers.into_inner(),
            Err(status) => return Ok(Err(status)),
        };
        loop {
            match answers.message().await {
                Ok(Some(answer)) => match answer.result {
                    Some(Found(document)) if document.name == name => {
                        return Ok(Ok(Some(document)));
                    }
                    Some(Missing(missing)) if missing == name => return Ok(Ok(None)),
                    // An answer may hold nothing but progress.
                    _ => {}
                },
                Ok(None) => return Err(StoreError::unavailable("Firestore did not answer")),
                Err(status) => return Ok(Err(status)),
            }
        }
    }
}

impl fmt::Debug for FirestoreStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FirestoreStore")
            .field("database", &self.database_name())
            .field("collection", &self.collection)
            .field("time_limit", &self.time_limit)
            .finish_non_exhaustive()
    }
}

impl SessionStore for FirestoreStore {
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
        let insert = self.insert(id, record, counting);
        Box::pin(within(self.time_limit, insert))
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
        Box::pin(within(self.time_limit, self.delete(id, listed_under)))
    }

    fn heads<'a>(
        &'a self,
        key: &'a IndexKey,
        after: Option<&'a Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> StoreFuture<'a, Page> {
        let list = self.list(key, after, limit, now);
        Box::pin(within(self.time_limit, list))
    }

    fn end_listed<'a>(
        &'a self,
        key: &'a IndexKey,
        after: Option<&'a Cursor>,
        limit: usize,
        except: Option<&'a SessionId>,
    ) -> StoreFuture<'a, EndedPage> {
        let end = self.end(key, after, limit, except);
        Box::pin(within(self.time_limit, end))
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
