//! [`SqliteStore`]: sessions in a file.

use std::{borrow::Cow, fs, io, path::Path, sync::Arc, time::Duration};

use sqlx::{
    Connection, SqlStr, Sqlite, SqlitePool,
    query::Query,
    sqlite::{
        SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions,
        SqliteSynchronous,
    },
};
use tower_session_guard::{
    Record, SessionId, SessionStore, Timestamp, VerifiedId,
    store::{
        Counting, Created, Cursor, Cutoff, EndedPage, IndexKey, Page, Removed, Replaced, Revision,
        StoreError, StoreErrorKind, StoreFuture, Stored, Sweep,
        time_limit::{self, within},
    },
};

use crate::{
    failure::{attempt, failure},
    migrate::apply,
    operations::{counted, sql_session_store},
    row,
    statements::{MOST_COUNTED, SqliteStatements, Statements},
    table::{InvalidTableName, Table},
    turns::Turns,
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
    table: Table,
    statements: Arc<Statements>,
    own: Arc<SqliteStatements>,
    turns: Turns,
    time_limit: Duration,
}

sql_session_store!(SqliteStore);

impl SqliteStore {
    /// The statements that make the tables, one text for each version of them, for a deployer who runs
    /// migrations with another tool. [`migrations`](Self::migrations) has them for a table with another name.
    pub const MIGRATIONS: &'static [&'static str] = &[
        include_str!("migrations/sqlite_1.sql"),
        include_str!("migrations/sqlite_2.sql"),
    ];

    /// How many connections [`open`](Self::open) makes at most: SQLite writes one by one anyhow.
    const CONNECTIONS: u32 = 4;

    /// The lowest `PRAGMA synchronous` that syncs the log at each commit: `FULL`.
    const FULL: i64 = 2;

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
            .test_before_acquire(false)
            .connect_lazy_with(options);
        let store = Self::of(pool, Table::DEFAULT, Turns::of_file(&path));
        store.migrate().await?;
        Ok(store)
    }

    /// Sessions in the database of this pool, whose tables [`migrate`](Self::migrate) makes.
    ///
    /// Each connection should use a write-ahead log, a busy timeout, and `synchronous = FULL`, without
    /// which a power cut can undo the latest revocations.
    #[must_use]
    pub fn new(pool: SqlitePool) -> Self {
        Self::of(pool, Table::DEFAULT, Turns::default())
    }

    fn of(pool: SqlitePool, table: Table, turns: Turns) -> Self {
        Self {
            statements: Arc::new(Statements::of(&table)),
            own: Arc::new(SqliteStatements::of(&table)),
            turns,
            pool,
            table,
            time_limit: time_limit::DEFAULT,
        }
    }

    /// Sets the name of the table of sessions, with which the names of the others begin: `session_guard` unless
    /// set. The tables of that name must then be [migrated](Self::migrate).
    ///
    /// # Errors
    ///
    /// Unless the name has 1 to 40 characters from `a-z`, `0-9` and `_`, and begins with a letter.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use tower_session_guard_sqlx::SqliteStore;
    /// # async fn run(pool: sqlx::SqlitePool) -> Result<(), Box<dyn std::error::Error>> {
    /// let store = SqliteStore::new(pool).with_table("shop_sessions")?;
    /// store.migrate().await?;
    /// # Ok(()) }
    /// ```
    pub fn with_table(self, name: &str) -> Result<Self, InvalidTableName> {
        let time_limit = self.time_limit;
        let named = Self::of(self.pool, Table::named(name)?, self.turns);
        Ok(named.with_time_limit(time_limit))
    }

    /// Sets how long an operation may take before it fails: two seconds unless set.
    #[must_use]
    pub const fn with_time_limit(mut self, time_limit: Duration) -> Self {
        self.time_limit = time_limit;
        self
    }

    /// [`MIGRATIONS`](Self::MIGRATIONS) for the tables of this store, whatever their name.
    pub fn migrations(&self) -> impl Iterator<Item = Cow<'static, str>> {
        Self::MIGRATIONS.iter().map(|text| self.table.in_text(text))
    }

    /// Makes the tables or brings them up to date; does nothing where they are. Several processes may call it
    /// at once.
    ///
    /// Sessions that an earlier release wrote are kept. Processes of the earlier release fail from then on, until
    /// they are replaced. If the pool's connections do not sync each commit, this is told as a warning of `tracing`.
    ///
    /// # Errors
    ///
    /// If the database cannot be written, or was made by a later release of this crate. Nothing was
    /// changed then.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        let mut connection = self.pool.acquire().await.map_err(failure)?;
        let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous")
            .fetch_one(&mut *connection)
            .await
            .map_err(failure)?;
        if synchronous < Self::FULL {
            tracing::warn!(
                target: "tower_session_guard",
                "SQLite does not sync each commit, so a power cut can bring ended sessions back: \
                 set `synchronous = FULL` on the pool's connections"
            );
        }
        let begun = connection.begin_with("BEGIN IMMEDIATE").await;
        apply!(self, begun.map_err(failure)?)
    }

    /// Deletes up to `limit` sessions that had expired by `now`, the longest expired first, then cut-offs whose time
    /// is over, and says how many rows.
    ///
    /// A [`Sweeper`](tower_session_guard::Sweeper) does so from time to time, once the application has started it. If you
    /// call it yourself, do so again while it deletes as many as it may. Other writers wait meanwhile, so keep `limit`
    /// near a thousand.
    ///
    /// # Errors
    ///
    /// If a statement failed. What an earlier one deleted stays deleted.
    pub async fn sweep(&self, now: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let (sessions, cutoffs) = (&self.own.sweep, &self.own.sweep_cutoffs);
        self.sweep_with(sessions, cutoffs, now, limit).await
    }

    /// Writes of this process wait for each other here, not for SQLite.
    async fn in_turn<T>(&self, write: impl Future<Output = T>) -> T {
        let _turn = self.turns.next().await;
        write.await
    }

    fn with_content<'q>(
        query: Query<'q, Sqlite, SqliteArguments>,
        _record: &Record,
    ) -> Query<'q, Sqlite, SqliteArguments> {
        query
    }

    /// No process answers from copies: a row costs about as much to read as to find out whether it changed.
    #[expect(clippy::unused_self, reason = "PostgreSQL asks")]
    const fn wait_for_copies(&self) -> Option<StoreFuture<'_, ()>> {
        None
    }

    async fn insert(
        &self,
        id: &SessionId,
        record: &Record,
        counting: Counting,
    ) -> Result<Created, StoreError> {
        let bytes = record.encode();
        let (head, rest) = row::pieces(&bytes);
        let index_keys = record.index_keys();
        let keys = row::Keys::of(&index_keys);
        // Dropped half-way, it is rolled back.
        let begun = self.pool.begin_with("BEGIN IMMEDIATE").await;
        let mut transaction = begun.map_err(failure)?;
        let made = sqlx::query(self.own.create.clone())
            .bind(&id.as_bytes()[..])
            .bind(keys.owner.as_deref())
            .bind(keys.others.as_deref())
            .bind(row::millis(record.expires_at()))
            .bind(head)
            .bind(rest)
            .execute(&mut *transaction)
            .await
            .map_err(failure)?;
        if made.rows_affected() == 0 {
            return Ok(Created::Occupied);
        }
        for key in &index_keys {
            sqlx::query(self.own.enlist.clone())
                .bind(key.as_bytes())
                .bind(&id.as_bytes()[..])
                .bind(counting == Counting::Counted)
                .execute(&mut *transaction)
                .await
                .map_err(failure)?;
        }
        let mut sessions = 0;
        if let Some(owner) = index_keys.first() {
            let (found, entries) = sqlx::query_as(self.statements.count.clone())
                .bind(owner.as_bytes())
                .bind(MOST_COUNTED + 1)
                .fetch_one(&mut *transaction)
                .await
                .map_err(failure)?;
            sessions = counted(found, entries);
        }
        transaction.commit().await.map_err(failure)?;
        let revision = Revision::new(1);
        Ok(Created::Created { revision, sessions })
    }

    /// Entries that come between the two statements are of logins at the same time: they may end as well.
    async fn end_page(
        &self,
        key: &IndexKey,
        after: Option<&Cursor>,
        limit: usize,
        except: Option<&SessionId>,
    ) -> Result<EndedPage, StoreError> {
        let (after, limit) = (row::place(after)?, row::limit(limit));
        let page: Vec<Vec<u8>> = sqlx::query_scalar(self.own.page.clone())
            .bind(key.as_bytes())
            .bind(after)
            .bind(limit)
            .fetch_all(&self.pool)
            .await
            .map_err(failure)?;
        let Some(last) = page.last() else {
            return Ok(EndedPage::new(0, None));
        };
        let ended = sqlx::query(self.own.end_page.clone())
            .bind(key.as_bytes())
            .bind(after)
            .bind(&last[..])
            .bind(except.map(|id| &id.as_bytes()[..]))
            .execute(&self.pool)
            .await
            .map_err(failure)?;
        let ended = usize::try_from(ended.rows_affected()).unwrap_or(usize::MAX);
        let next = row::next(page.len(), limit, Some(row::id(last)?));
        Ok(EndedPage::new(ended, next))
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

#[cfg(test)]
mod tests {
    use sqlx::{
        SqlitePool,
        sqlite::{SqliteConnectOptions, SqliteSynchronous},
    };
    use test_support::scratch::Scratch;

    use super::SqliteStore;
    use crate::told::Told;

    /// What `migrate` warns of on a pool whose connections sync so.
    async fn warnings(synchronous: SqliteSynchronous) -> String {
        let scratch = Scratch::new("sqlite");
        let options = SqliteConnectOptions::new()
            .filename(scratch.path().join("sessions.db"))
            .create_if_missing(true)
            .synchronous(synchronous);
        let (told, _guard) = Told::listen();
        let store = SqliteStore::new(SqlitePool::connect_lazy_with(options));
        store.migrate().await.unwrap();
        told.text()
    }

    /// Whoever was told that a session has ended may cut the power: every connection syncs each commit.
    #[tokio::test]
    async fn each_connection_to_a_file_syncs_every_commit() {
        let scratch = Scratch::new("sqlite");
        let file = scratch.path().join("sessions.db");
        let store = SqliteStore::open(&file).await.unwrap();
        let mut connections = Vec::new();
        for _ in 0..SqliteStore::CONNECTIONS {
            let mut connection = store.pool.acquire().await.unwrap();
            for (pragma, expected) in [("synchronous", "2"), ("journal_mode", "wal")] {
                let ask = sqlx::AssertSqlSafe(format!(
                    "SELECT cast(\"{pragma}\" AS text) FROM pragma_{pragma}"
                ));
                let found: String = sqlx::query_scalar(ask)
                    .fetch_one(&mut *connection)
                    .await
                    .unwrap();
                assert_eq!(found, expected, "{pragma}");
            }
            connections.push(connection);
        }
    }

    #[tokio::test]
    async fn a_pool_that_does_not_sync_each_commit_is_told_of() {
        let told = warnings(SqliteSynchronous::Normal).await;
        assert!(told.contains("synchronous = FULL"), "{told}");
        assert_eq!(warnings(SqliteSynchronous::Full).await, "");
    }
}
