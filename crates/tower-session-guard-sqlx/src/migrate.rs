//! Brings a schema up to date.

use tower_session_guard::store::{StoreError, StoreErrorKind};

/// Runs the migrations that are missing in a transaction that keeps others out, and commits it.
macro_rules! apply {
    ($store:expr, $transaction:expr) => {{
        let (store, mut transaction) = ($store, $transaction);
        let statements = &store.statements;
        sqlx::raw_sql(statements.create_schema.clone())
            .execute(&mut *transaction)
            .await
            .map_err(failure)?;
        let reached: i64 = sqlx::query_scalar(statements.schema_version.clone())
            .fetch_one(&mut *transaction)
            .await
            .map_err(failure)?;
        for (version, migration) in crate::migrate::missing(Self::MIGRATIONS, reached)? {
            sqlx::raw_sql(store.table.in_statement(migration))
                .execute(&mut *transaction)
                .await
                .map_err(failure)?;
            sqlx::query(statements.schema_reached.clone())
                .bind(version)
                .execute(&mut *transaction)
                .await
                .map_err(failure)?;
        }
        transaction.commit().await.map_err(failure)
    }};
}

pub(super) use apply;

/// The migrations after version `reached`, with the versions that they lead to.
pub(super) fn missing(
    migrations: &'static [&'static str],
    reached: i64,
) -> Result<impl Iterator<Item = (i64, &'static str)>, StoreError> {
    let done = usize::try_from(reached).ok();
    let missing = done.and_then(|done| migrations.get(done..));
    let Some(missing) = missing else {
        let why = format!("the tables have version {reached}, which this release does not know");
        return Err(StoreError::with_source(StoreErrorKind::Unsupported, why));
    };
    Ok((reached + 1..).zip(missing.iter().copied()))
}

#[cfg(test)]
mod tests {
    use super::missing;

    #[test]
    fn only_missing_migrations_run_and_an_unknown_version_is_refused() {
        let migrations = &["a", "b"];
        let after = |reached| missing(migrations, reached).map(Iterator::collect::<Vec<_>>);
        assert_eq!(after(0).unwrap(), [(1, "a"), (2, "b")]);
        assert_eq!(after(1).unwrap(), [(2, "b")]);
        assert_eq!(after(2).unwrap(), []);
        assert!(after(3).is_err());
        assert!(after(-1).is_err());
    }
}
