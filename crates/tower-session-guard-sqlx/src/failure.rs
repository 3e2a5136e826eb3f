//! What an engine's error means to a store.

use std::{error, fmt, time::Duration};

use sqlx::{Error, error::DatabaseError};
use tokio::time::sleep;
use tower_session_guard::store::{StoreError, StoreErrorKind};

/// How often a statement is tried that the engine gave up in favour of another one. The time limit bounds it too.
const ATTEMPTS: usize = 20;

/// How long a statement waits before it is tried again; twice as long each time, up to 32 milliseconds: of those that undo each
/// other, all would fail again at once.
const PAUSE: Duration = Duration::from_micros(500);

/// Runs `statement`, and again if the engine says that it undid it for the sake of another transaction:
/// a deadlock, or a serialization failure where the database's default isolation is above
/// `READ COMMITTED`. Nothing was written then, so trying again is safe.
pub(super) async fn attempt<T, F>(statement: impl Fn() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, Error>>,
{
    let mut attempts = 1;
    loop {
        match statement().await {
            Ok(done) => return Ok(done),
            Err(error) if attempts < ATTEMPTS && was_undone(&error) => {
                sleep(PAUSE * (1 << attempts.min(6))).await;
                attempts += 1;
            }
            Err(error) => return Err(failure(error)),
        }
    }
}

fn was_undone(error: &Error) -> bool {
    let code = error.as_database_error().and_then(DatabaseError::code);
    matches!(code.as_deref(), Some("40001" | "40P01"))
}

pub(super) fn failure(error: Error) -> StoreError {
    let kind = match &error {
        Error::Database(database) => {
            let code = database.code().unwrap_or_default();
            if is_of_another_layout(&code) {
                return StoreError::with_source(StoreErrorKind::Unsupported, NotMigrated(error));
            }
            kind_of(&code)
        }
        Error::PoolTimedOut => StoreErrorKind::Timeout,
        Error::ColumnDecode { .. } | Error::Decode(_) => StoreErrorKind::Corrupt,
        _ => StoreErrorKind::Unavailable,
    };
    StoreError::with_source(kind, error)
}

/// Whether a table or a column is missing: undefined_table, undefined_column, or SQLITE_ERROR, which means that for
/// fixed statements.
fn is_of_another_layout(code: &str) -> bool {
    matches!(code, "42P01" | "42703" | "1")
}

/// The tables are not those of this release.
#[derive(Debug)]
struct NotMigrated(Error);

impl fmt::Display for NotMigrated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the session tables are missing or of another release: call `migrate` when you deploy",
        )
    }
}

impl error::Error for NotMigrated {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        Some(&self.0)
    }
}

/// By an SQLSTATE of PostgreSQL or a result code of SQLite, which never look alike.
fn kind_of(code: &str) -> StoreErrorKind {
    if let Ok(result_code) = code.parse::<u32>()
        && code.len() < 5
    {
        // The low byte of an extended result code is the primary one.
        return match result_code & 0xFF {
            // SQLITE_BUSY, SQLITE_LOCKED
            5 | 6 => StoreErrorKind::Timeout,
            // SQLITE_READONLY
            8 => StoreErrorKind::Unsupported,
            // SQLITE_CORRUPT, SQLITE_NOTADB
            11 | 26 => StoreErrorKind::Corrupt,
            _ => StoreErrorKind::Unavailable,
        };
    }
    match code {
        // read_only_sql_transaction, insufficient_privilege
        "25006" | "42501" => StoreErrorKind::Unsupported,
        // query_canceled, lock_not_available
        "57014" | "55P03" => StoreErrorKind::Timeout,
        _ => StoreErrorKind::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use tower_session_guard::store::StoreErrorKind::{Corrupt, Timeout, Unavailable, Unsupported};

    use super::{is_of_another_layout, kind_of};

    #[test]
    fn codes_of_both_engines_are_told_apart() {
        for (code, kind) in [
            ("5", Timeout),
            ("517", Timeout),
            ("8", Unsupported),
            ("26", Corrupt),
            ("13", Unavailable),
            ("25006", Unsupported),
            ("57014", Timeout),
            ("53300", Unavailable),
            ("08006", Unavailable),
            ("", Unavailable),
        ] {
            assert_eq!(kind_of(code), kind, "{code}");
            assert!(!is_of_another_layout(code), "{code}");
        }
        for code in ["1", "42P01", "42703"] {
            assert!(is_of_another_layout(code), "{code}");
        }
    }
}
