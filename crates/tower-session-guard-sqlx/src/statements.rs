//! The statements, in the words that both engines understand.
//!
//! Expiry is compared with a parameter, never with the server's clock. No statement upserts.

pub(super) const LOAD: &str =
    "SELECT record, revision, subject FROM session_guard WHERE id = $1 AND expires_at > $2";

pub(super) const CREATE: &str = "INSERT INTO session_guard \
     (id, subject, expires_at, revision, record) VALUES ($1, $2, $3, 1, $4) \
     ON CONFLICT (id) DO NOTHING";

pub(super) const REPLACE: &str = "UPDATE session_guard \
     SET subject = $4, expires_at = $5, revision = revision + 1, record = $6 \
     WHERE id = $1 AND revision = $2 AND expires_at > $3";

/// Asked after a [`REPLACE`] that changed nothing, for the reason.
pub(super) const IS_LIVE: &str = "SELECT 1 FROM session_guard WHERE id = $1 AND expires_at > $2";

pub(super) const REMOVE: &str = "DELETE FROM session_guard WHERE id = $1";

pub(super) const SESSIONS_OF: &str =
    "SELECT id, record FROM session_guard WHERE subject = $1 AND expires_at > $2";

pub(super) const REMOVE_ALL_OF: &str =
    "DELETE FROM session_guard WHERE subject = $1 AND ($2 IS NULL OR id <> $2)";

pub(super) const LIVE_RECORDS: &str = "SELECT count(*) FROM session_guard WHERE expires_at > $1";

/// Deletes a bounded number of expired rows.
#[cfg(feature = "sqlite")]
pub(super) const SWEEP_SQLITE: &str = "DELETE FROM session_guard WHERE id IN \
     (SELECT id FROM session_guard WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)";

/// Passes over rows that somebody is writing, which are in use or will be there the next time.
#[cfg(feature = "postgres")]
pub(super) const SWEEP_POSTGRES: &str = "DELETE FROM session_guard WHERE id IN \
     (SELECT id FROM session_guard WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 \
     FOR UPDATE SKIP LOCKED)";

pub(super) const CREATE_SCHEMA: &str =
    "CREATE TABLE IF NOT EXISTS session_guard_schema (version bigint NOT NULL PRIMARY KEY)";

pub(super) const SCHEMA_VERSION: &str =
    "SELECT coalesce(max(version), 0) FROM session_guard_schema";

pub(super) const SCHEMA_REACHED: &str = "INSERT INTO session_guard_schema (version) VALUES ($1)";
