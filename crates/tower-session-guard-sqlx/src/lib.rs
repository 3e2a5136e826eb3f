// The page's examples need both databases.
#![cfg_attr(
    all(feature = "postgres", feature = "sqlite"),
    doc = include_str!("../README.md")
)]
#![cfg_attr(
    not(all(feature = "postgres", feature = "sqlite")),
    doc = "Sessions of tower-session-guard in PostgreSQL or SQLite: see the README."
)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(clippy::expect_used, clippy::panic, clippy::unwrap_used)]
// Without a database there is nothing that uses these.
#![cfg_attr(
    not(any(feature = "postgres", feature = "sqlite")),
    allow(dead_code, unused_imports, unused_macros)
)]

#[cfg(feature = "postgres")]
mod clear_text;
mod failure;
#[cfg(feature = "postgres")]
mod feed;
mod migrate;
mod operations;
#[cfg(feature = "postgres")]
mod postgres;
mod row;
#[cfg(feature = "sqlite")]
mod sqlite;
mod statements;
mod table;
#[cfg(test)]
mod told;
#[cfg(feature = "sqlite")]
mod turns;

#[cfg(feature = "postgres")]
pub use self::postgres::PostgresStore;
#[cfg(feature = "sqlite")]
pub use self::sqlite::SqliteStore;
pub use self::table::InvalidTableName;
