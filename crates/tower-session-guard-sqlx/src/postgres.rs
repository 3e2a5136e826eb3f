//! [`PostgresStore`]: sessions in PostgreSQL.

use std::{borrow::Cow, sync::Arc, time::Duration};

use sqlx::{
    PgPool, Postgres, SqlStr,
    postgres::{PgArguments, PgConnectOptions},
    query::Query,
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
    clear_text,
    failure::{attempt, failure},
    migrate::apply,
    operations::{counted, sql_session_store},
    row,
    statements::{MOST_COUNTED, PostgresStatements, Statements},
    table::{InvalidTableName, Table},
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
    pub(super) pool: PgPool,
    /// How a feed connects, if not as the pool does.
    pub(super) feed_options: Option<Arc<PgConnectOptions>>,
    pub(super) table: Table,
    statements: Arc<Statements>,
    pub(super) own: Arc<PostgresStatements>,
    pub(super) time_limit: Duration,
}

sql_session_store!(PostgresStore);

impl PostgresStore {
    /// The statements that make the tables, one text for each version of them, for a deployer who runs
    /// migrations with another tool. [`migrations`](Self::migrations) has them for a table with another name.
    pub const MIGRATIONS: &'static [&'static str] = &[
        include_str!("migrations/postgres_1.sql"),
        include_str!("migrations/postgres_2.sql"),
        include_str!("migrations/postgres_3.sql"),
    ];

    /// The advisory lock that keeps processes from migrating at the same time: the bytes `sessguar`.
    const MIGRATION_LOCK: i64 = 0x7365_7373_6775_6172;

    /// Sessions in the database of this pool, whose tables [`migrate`](Self::migrate) makes.
    ///
    /// The pool must reach the primary server: a replica that lags may not answer for sessions.
    ///
    /// If the pool's options let a connection to another machine go in clear text, this is told as a warning of
    /// `tracing`: whoever reads such a connection reads subjects and data, and whoever writes on it logs in as anybody.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        clear_text::warn_of(&pool.connect_options());
        Self::of(pool, Table::DEFAULT)
    }

    fn of(pool: PgPool, table: Table) -> Self {
        Self {
            statements: Arc::new(Statements::of(&table)),
            own: Arc::new(PostgresStatements::of(&table)),
            pool,
            feed_options: None,
            table,
            time_limit: time_limit::DEFAULT,
        }
    }

    /// Sets the name of the table of sessions, with which the names of the others begin: `session_guard` unless
    /// set. Applications that share a database can so keep their sessions apart.
    ///
    /// # Errors
    ///
    /// Unless the name has 1 to 40 characters from `a-z`, `0-9` and `_`, and begins with a letter.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use tower_session_guard_sqlx::PostgresStore;
    /// # async fn run(pool: sqlx::PgPool) -> Result<(), Box<dyn std::error::Error>> {
    /// let store = PostgresStore::new(pool).with_table("shop_sessions")?;
    /// store.migrate().await?; // when you deploy
    /// # Ok(()) }
    /// ```
    pub fn with_table(self, name: &str) -> Result<Self, InvalidTableName> {
        Ok(Self {
            feed_options: self.feed_options,
            time_limit: self.time_limit,
            ..Self::of(self.pool, Table::named(name)?)
        })
    }

    /// Lets [feeds](tower_session_guard::store::feed) connect with `options`, where the pool goes through a pooler that gives
    /// each transaction another connection, such as PgBouncer in transaction mode: a feed needs one for itself.
    #[must_use]
    pub fn with_feed_options(mut self, options: PgConnectOptions) -> Self {
        clear_text::warn_of(&options);
        self.feed_options = Some(Arc::new(options));
        self
    }

    /// Sets how long an operation may take before it fails, the wait for a connection included: two
    /// seconds unless set.
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
    /// It works in the first schema of the connection's `search_path`, and takes as long as the server
    /// takes: the [time limit](Self::with_time_limit) is not for it. Sessions that an earlier release wrote are kept.
    /// Processes of the earlier release fail from then on, until they are replaced.
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
        apply!(self, transaction)
    }

    /// Deletes up to `limit` sessions that had expired by `now`, the longest expired first, then cut-offs whose time
    /// is over, and says how many rows.
    ///
    /// A [`Sweeper`](tower_session_guard::Sweeper) does so from time to time, once the application has started it. If you
    /// call it yourself, do so again while it deletes as many as it may. It waits for no other transaction: what one is
    /// writing stays.
    ///
    /// # Errors
    ///
    /// If a statement failed. What an earlier one deleted stays deleted.
    pub async fn sweep(&self, now: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let (sessions, cutoffs) = (&self.own.sweep, &self.own.sweep_cutoffs);
        self.sweep_with(sessions, cutoffs, now, limit).await
    }

    fn with_content<'q>(
        query: Query<'q, Postgres, PgArguments>,
        record: &Record,
    ) -> Query<'q, Postgres, PgArguments> {
        query.bind(record.content_digest().to_vec())
    }

    /// PostgreSQL takes writes as they come.
    async fn in_turn<T>(&self, write: impl Future<Output = T>) -> T {
        write.await
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
        let content = record.content_digest();
        let listed: Vec<&[u8]> = index_keys.iter().map(IndexKey::as_bytes).collect();
        let made: i64 = attempt(|| {
            sqlx::query_scalar(self.own.create.clone())
                .bind(&id.as_bytes()[..])
                .bind(keys.owner.as_deref())
                .bind(keys.others.as_deref())
                .bind(row::millis(record.expires_at()))
                .bind(head)
                .bind(rest)
                .bind(counting == Counting::Counted)
                .bind(&listed)
                .bind(&content[..])
                .fetch_one(&self.pool)
        })
        .await?;
        if made == 0 {
            return Ok(Created::Occupied);
        }
        let mut sessions = 0;
        if let Some(owner) = listed.first() {
            // After the commit, so that of creations at the same time the last one sees them all.
            let (found, entries) = attempt(|| {
                sqlx::query_as(self.statements.count.clone())
                    .bind(*owner)
                    .bind(MOST_COUNTED + 1)
                    .fetch_one(&self.pool)
            })
            .await?;
            sessions = counted(found, entries);
        }
        let revision = Revision::new(1);
        Ok(Created::Created { revision, sessions })
    }

    async fn end_page(
        &self,
        key: &IndexKey,
        after: Option<&Cursor>,
        limit: usize,
        except: Option<&SessionId>,
    ) -> Result<EndedPage, StoreError> {
        let (after, limit) = (row::place(after)?, row::limit(limit));
        let (ended, entries, last): (i64, i64, Option<Vec<u8>>) = attempt(|| {
            sqlx::query_as(self.own.end_listed.clone())
                .bind(key.as_bytes())
                .bind(after)
                .bind(limit)
                .bind(except.map(|id| &id.as_bytes()[..]))
                .fetch_one(&self.pool)
        })
        .await?;
        let last = last.as_deref().map(row::id).transpose()?;
        let entries = usize::try_from(entries).unwrap_or_default();
        let next = row::next(entries, limit, last);
        Ok(EndedPage::new(
            usize::try_from(ended).unwrap_or_default(),
            next,
        ))
    }
}
