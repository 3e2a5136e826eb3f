//! The database: users and sessions in one SQLite file, through one pool.

use std::{fs, io, path::Path, time::Duration};

use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

/// Opens the file, or makes it, and brings the table of users up to date.
///
/// # Errors
///
/// If the file cannot be opened, or a migration fails.
pub async fn open(file: impl AsRef<Path>) -> Result<SqlitePool, sqlx::Error> {
    create_for_owner(file.as_ref())?;
    let options = SqliteConnectOptions::new()
        .filename(file)
        // Readers wait for no writer, and what was answered survives a power cut: an ended session stays ended.
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(2));
    let pool = SqlitePoolOptions::new().max_connections(4);
    migrated(pool.connect_with(options).await?).await
}

/// Makes the file if it is not there, for its owner only: it holds hashes of passwords. SQLite gives its log the same permissions.
fn create_for_owner(file: &Path) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(file) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// A database that ends with its pool, for tests.
///
/// # Errors
///
/// As [`open`].
pub async fn in_memory() -> Result<SqlitePool, sqlx::Error> {
    // Each connection to `:memory:` is a database of its own, so there is one, which stays.
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None);
    migrated(pool.connect("sqlite::memory:").await?).await
}

async fn migrated(pool: SqlitePool) -> Result<SqlitePool, sqlx::Error> {
    sqlx::migrate!().run(&pool).await?;
    Ok(pool)
}

#[cfg(all(test, unix))]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use test_support::scratch::Scratch;

    use super::open;

    /// Both the file and the log beside it.
    #[tokio::test]
    async fn the_database_is_its_owners_only() {
        let scratch = Scratch::new("accounts");
        let pool = open(scratch.path().join("accounts.db")).await.unwrap();
        for entry in fs::read_dir(scratch.path()).unwrap() {
            let mode = entry.unwrap().metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0);
        }
        pool.close().await;
        // It is opened again as it is.
        open(scratch.path().join("accounts.db")).await.unwrap();
    }
}
