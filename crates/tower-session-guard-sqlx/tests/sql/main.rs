//! The stores on SQLite and PostgreSQL, held to the store contract and to outages (R14, R65, R66, R70,
//! R71, A24, A25, A27, A29).

#![cfg(unix)]

mod common;
mod old_layout;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "postgres")]
mod postgres_feed;
#[cfg(feature = "postgres")]
mod postgres_server;
#[cfg(feature = "postgres")]
mod postgres_upkeep;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(feature = "sqlite")]
mod sqlite_processes;
#[cfg(feature = "sqlite")]
mod sqlite_upkeep;
