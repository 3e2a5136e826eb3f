//! The stores on SQLite and PostgreSQL, held to the store contract and to outages (R14, R65, R66, R70,
//! R71, A24, A25, A27, A29).

#![cfg(unix)]

#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "postgres")]
mod postgres_server;
#[cfg(feature = "sqlite")]
mod sqlite;
