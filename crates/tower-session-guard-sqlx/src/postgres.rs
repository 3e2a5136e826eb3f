//! [`PostgresStore`]: sessions in PostgreSQL.

use std::time::Duration;

use sqlx::PgPool;
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

/// Sessions in a PostgreSQL table, through the application's `sqlx` pool.
///
/// The [crate's page](crate) describes the table, what each operation costs and what the guarantees rest on.
///
/// # Examples
///
/// ```no_run
/// use sqlx::postgres::PgPoolOptions;
/// use tower_session_guard::{KeyRing, SessionLayer};
/// use tower_session_guard_sqlx::PostgresStore;
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = PgPoolOptions::new().connect("postgres://app@127.0.0.1/app").await?;
/// let store = PostgresStore::new(pool);
/// store.migrate().await?; // when you deploy
/// let sessions = SessionLayer::new(KeyRing::from_env("SESSION_KEYS")?).with_store(store);
/// # let _ = sessions;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct PostgresStore {
    pool: PgPool,
    time_limit: Duration,
}

sql_session_store!(PostgresStore);

impl PostgresStore {
    /// The statements that make the table, one text for each version of it, for a deployer who runs
    /// migrations with a tool of their own.
    pub const MIGRATIONS: &'static [&'static str] = &[include_str!("migrations/postgres_1.sql")];

    /// The advisory lock that keeps processes from migrating at the same time: the bytes `sessguar`.
    const MIGRATION_LOCK: i64 = 0x7365_7373_6775_6172;

    /// Sessions in the database of this pool, whose table [`migrate`](Self::migrate) makes.
    ///
    /// The pool must reach the primary server: a replica that lags may not answer for sessions.
    #[must_use]
    pub const fn new(pool: PgPool) -> Self {
        Self {
            pool,
            time_limit: time_limit::DEFAULT,
        }
    }

    /// Sets how long an operation may take before it fails, the wait for a connection included: two
    /// seconds unless set.
    #[must_use]
    pub const fn with_time_limit(mut self, time_limit: Duration) -> Self {
        self.time_limit = time_limit;
        self
    }

    /// Makes the table or brings it up to date; does nothing where it is. Several processes may call it
    /// at once.
    ///
    /// It works in the first schema of the connection's `search_path`, and takes as long as the server
    /// takes: the [time limit](Self::with_time_limit) is not for it.
    ///
    /// # Errors
    ///
    /// If the role may not make tables, the server cannot be reached, or the tables were made by a later
    /// release of this crate. Nothing was changed then.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin().await.map_err(failure)?;
        sqlx::query("SELECT pg_advisory_xact_lock($1)")
            .bind(Self::MIGRATION_LOCK)
            .execute(&mut *transaction)
            .await
            .map_err(failure)?;
        apply!(transaction, Self::MIGRATIONS)
    }

    /// Deletes up to `limit` sessions that had expired by `now`, the longest expired first, and says how
    /// many.
    ///
    /// Nothing does so by itself. Call it from time to time, and again while it deletes as many as it may.
    /// It waits for nobody: what another transaction is writing stays.
    ///
    /// # Errors
    ///
    /// If the statement failed; then nothing was deleted, unless it ran out of time.
    pub async fn sweep(&self, now: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let sweep = attempt(|| {
            sqlx::query(statements::SWEEP_POSTGRES)
                .bind(row::millis(now))
                .bind(i64::from(limit))
                .execute(&self.pool)
        });
        let swept = within(self.time_limit, sweep).await?;
        Ok(swept.rows_affected())
    }
}
