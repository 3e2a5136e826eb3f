//! The stores on SQLite and PostgreSQL, held to the store contract and to outages (R14, R65, R66, R70,
//! R71, A24, A25, A27, A29).

#![cfg(all(feature = "testing", feature = "axum", unix))]
#![cfg(any(feature = "postgres", feature = "sqlite"))]

#[path = "../common/mod.rs"]
mod common;
#[cfg(feature = "postgres")]
#[path = "../common/outage.rs"]
mod outage;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "postgres")]
mod postgres_server;
#[cfg(feature = "postgres")]
#[path = "../common/process.rs"]
mod process;
#[cfg(feature = "postgres")]
#[path = "../common/proxy.rs"]
mod proxy;
mod scratch;
#[cfg(feature = "sqlite")]
mod sqlite;
