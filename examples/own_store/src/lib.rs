#![doc = include_str!("../README.md")]

mod cutoffs;
mod disk;
mod files;
mod index;
mod session_file;

use std::{path::Path, sync::Arc, time::Duration};

use tower_session_guard::{
    Record, SessionId, SessionStore, Timestamp, VerifiedId,
    store::{
        Counting, Created, Cursor, Cutoff, EndedPage, IndexKey, Page, Removed, Replaced, Revision,
        StoreError, StoreFuture, Stored, Sweep,
        time_limit::{self, within},
    },
};

use self::files::Files;

/// Sessions in a folder of a local disk, one file for each.
///
/// Several processes may share the folder. A clone is another handle to it.
#[derive(Clone, Debug)]
pub struct FileStore {
    files: Arc<Files>,
    time_limit: Duration,
}

impl FileStore {
    /// Opens the folder, or makes it for its owner only.
    ///
    /// # Errors
    ///
    /// If the folder cannot be made.
    ///
    /// # Examples
    ///
    /// ```
    /// use own_store::FileStore;
    /// use tower_session_guard::{KeyRing, SessionLayer};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = std::env::temp_dir().join(format!("own-store-doc-{}", std::process::id()));
    /// let store = FileStore::open(&folder)?;
    /// let sessions = SessionLayer::new(KeyRing::generate()?).with_store(store);
    /// # std::fs::remove_dir_all(folder)?;
    /// # Ok(()) }
    /// ```
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, StoreError> {
        Ok(Self {
            files: Arc::new(Files::open(folder.as_ref())?),
            time_limit: time_limit::DEFAULT,
        })
    }

    /// Sets how long an operation may take before it fails: two seconds unless set.
    #[must_use]
    pub const fn with_time_limit(mut self, time_limit: Duration) -> Self {
        self.time_limit = time_limit;
        self
    }

    /// Runs blocking work where it blocks no request. Nothing happens before the first poll, and work that
    /// has begun is finished, even if the future is dropped.
    fn run<T>(
        &self,
        work: impl FnOnce(&Files) -> Result<T, StoreError> + Send + 'static,
    ) -> StoreFuture<'_, T>
    where
        T: Send + 'static,
    {
        let files = Arc::clone(&self.files);
        let work = async move {
            let done = tokio::task::spawn_blocking(move || work(&files)).await;
            done.unwrap_or_else(|panicked| Err(StoreError::unavailable(panicked)))
        };
        Box::pin(within(self.time_limit, work))
    }
}

impl Sweep for FileStore {
    fn sweep<'a>(&'a self, now: Timestamp, limit: u32) -> StoreFuture<'a, u64> {
        self.run(move |files| files.sweep(now, limit))
    }
}

impl SessionStore for FileStore {
    fn load<'a>(&'a self, id: VerifiedId<'a>, now: Timestamp) -> StoreFuture<'a, Option<Stored>> {
        let id = *id.get();
        self.run(move |files| files.load(&id, now))
    }

    fn create<'a>(
        &'a self,
        id: &'a SessionId,
        record: &'a Record,
        counting: Counting,
        _now: Timestamp,
    ) -> StoreFuture<'a, Created> {
        let (id, record) = (*id, record.clone());
        self.run(move |files| files.create(&id, &record, counting))
    }

    fn replace<'a>(
        &'a self,
        id: &'a SessionId,
        revision: Revision,
        record: &'a Record,
        now: Timestamp,
    ) -> StoreFuture<'a, Replaced> {
        let (id, record) = (*id, record.clone());
        self.run(move |files| files.replace(&id, revision, &record, now))
    }

    fn remove<'a>(
        &'a self,
        id: &'a SessionId,
        listed_under: Option<&'a IndexKey>,
    ) -> StoreFuture<'a, Removed> {
        let (id, key) = (*id, listed_under.cloned());
        self.run(move |files| files.remove(&id, key.as_ref()))
    }

    fn heads<'a>(
        &'a self,
        key: &'a IndexKey,
        after: Option<&'a Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> StoreFuture<'a, Page> {
        let (key, after) = (key.clone(), after.cloned());
        self.run(move |files| files.heads(&key, after.as_ref(), limit, now))
    }

    fn end_listed<'a>(
        &'a self,
        key: &'a IndexKey,
        after: Option<&'a Cursor>,
        limit: usize,
        except: Option<&'a SessionId>,
    ) -> StoreFuture<'a, EndedPage> {
        let (key, after, except) = (key.clone(), after.cloned(), except.copied());
        self.run(move |files| files.end_listed(&key, after.as_ref(), limit, except.as_ref()))
    }

    fn raise_cutoff<'a>(
        &'a self,
        key: &'a IndexKey,
        cutoff: &'a Cutoff,
        _now: Timestamp,
    ) -> StoreFuture<'a, ()> {
        let (key, cutoff) = (key.clone(), *cutoff);
        self.run(move |files| files.raise_cutoff(&key, &cutoff))
    }

    fn cutoff<'a>(&'a self, key: &'a IndexKey, now: Timestamp) -> StoreFuture<'a, Option<Cutoff>> {
        let key = key.clone();
        self.run(move |files| files.cutoff(&key, now))
    }
}
