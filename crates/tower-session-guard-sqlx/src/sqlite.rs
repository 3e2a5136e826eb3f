//! [`SqliteStore`]: sessions in a file.

use std::{fs, io, path::Path, time::Duration};

use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tower_session_guard::{
    Claim, Record, SessionId, SessionStore, Subject, Timestamp,
    store::{
        Created, Removed, Replaced, Revision, StoreError, StoreFuture, Stored,
        time_limit::{self, within},
    },
};

use crate::{
    failure::{attempt, failure},
    migrate::apply,
    operations::sql_session_store,
    row, statements,
};

/// Sessions in an SQLite file: the durable store for an application on one machine.
///
/// The sessions survive a restart and a killed process; several processes may share the file. The
/// [crate's page](crate) describes the table, what each operation costs and what the guarantees rest on.
///
/// # Examples
///
/// ```
/// use tower_session_guard::{KeyRing, SessionLayer};
/// use tower_session_guard_sqlx::SqliteStore;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let path = std::env::temp_dir().join(format!("session-guard-doc-{}.db", std::process::id()));
/// let store = SqliteStore::open(&path).await?;
/// let sessions = SessionLayer::new(KeyRing::generate()?).with_store(store);
/// # std::fs::remove_file(path)?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct SqliteStore {
    pool: SqlitePool,
    time_limit: Duration,
}

sql_session_store!(SqliteStore);

impl SqliteStore {
    /// The statements that make the table, one text for each version of it, for a deployer who runs
    /// migrations with a tool of their own.
    pub const MIGRATIONS: &'static [&'static str] = &[include_str!("migrations/sqlite_1.sql")];

    /// How many connections [`open`](Self::open) makes at most: SQLite writes one by one anyhow.
    const CONNECTIONS: u32 = 4;

    /// Opens the file, or makes it, and [migrates](Self::migrate) it.
    ///
    /// A file that is made can be read by its owner only (on Unix). The connections use a write-ahead
    /// log, wait up to two seconds for another writer, and sync each commit to the disk.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened or is not a database, or on disk trouble.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        // Absolute, so that no path is taken for one of SQLite's special names, such as `:memory:`.
        let path = std::path::absolute(path).map_err(StoreError::unavailable)?;
        create_for_owner(&path).map_err(StoreError::unavailable)?;
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(time_limit::DEFAULT);
        let pool = SqlitePoolOptions::new()
            .max_connections(Self::CONNECTIONS)
            .acquire_timeout(time_limit::DEFAULT)
            .test_before_acquire(false)
            .connect_lazy_with(options);
        let store = Self::new(pool);
        store.migrate().await?;
        Ok(store)
    }

    /// Sessions in the database of this pool, whose table [`migrate`](Self::migrate) makes.
    ///
    /// Each connection should use a write-ahead log, a busy timeout, and `synchronous = FULL`, without
    /// which a power cut can undo the latest revocations.
    #[must_use]
    pub const fn new(pool: SqlitePool) -> Self {
        Self {
            pool,
            time_limit: time_limit::DEFAULT,
        }
    }

    /// Sets how long an operation may take before it fails: two seconds unless set.
    #[must_use]
    pub const fn with_time_limit(mut self, time_limit: Duration) -> Self {
        self.time_limit = time_limit;
        self
    }

    /// Makes the table or brings it up to date; does nothing where it is. Several processes may call it
    /// at once.
    ///
    /// # Errors
    ///
    /// If the database cannot be written, or was made by a later release of this crate. Nothing was
    /// changed then.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        let begun = self.pool.begin_with("BEGIN IMMEDIATE").await;
        apply!(begun.map_err(failure)?, Self::MIGRATIONS)
    }

    /// Deletes up to `limit` sessions that had expired by `now`, the longest expired first, and says how
    /// many.
    ///
    /// Nothing does so by itself. Call it from time to time, and again while it deletes as many as it may;
    /// other writers wait meanwhile, so keep `limit` near a thousand.
    ///
    /// # Errors
    ///
    /// If the statement failed; then nothing was deleted, unless it ran out of time.
    pub async fn sweep(&self, now: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let sweep = attempt(|| {
            sqlx::query(statements::SWEEP_SQLITE)
                .bind(row::millis(now))
                .bind(i64::from(limit))
                .execute(&self.pool)
        });
        let swept = within(self.time_limit, sweep).await?;
        Ok(swept.rows_affected())
    }
}

/// Makes the file if it is not there, for its owner only. SQLite gives its log the same permissions.
fn create_for_owner(path: &Path) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}
