//! Sessions in tables: PostgreSQL and SQLite through `sqlx`, one statement a conditional write.

mod failure;
mod migrate;
mod operations;
#[cfg(feature = "postgres")]
mod postgres;
mod row;
#[cfg(feature = "sqlite")]
mod sqlite;
mod statements;

#[cfg(feature = "postgres")]
pub use self::postgres::PostgresStore;
#[cfg(feature = "sqlite")]
pub use self::sqlite::SqliteStore;
