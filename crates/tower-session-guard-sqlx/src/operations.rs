//! The operations, written once for both engines.

/// Implements [`SessionStore`](tower_session_guard::SessionStore) for a store with a `pool` and a `time_limit`.
///
/// A macro, since the bounds that would make it one generic function outweigh it.
macro_rules! sql_session_store {
    ($store:ident) => {
        impl $store {
            async fn find(
                &self,
                id: &SessionId,
                now: Timestamp,
            ) -> Result<Option<Stored>, StoreError> {
                let row: Option<(Vec<u8>, i64, Option<Vec<u8>>)> = attempt(|| {
                    sqlx::query_as(statements::LOAD)
                        .bind(&id.as_bytes()[..])
                        .bind(row::millis(now))
                        .fetch_optional(&self.pool)
                })
                .await?;
                match row {
                    Some((record, revision, owner)) => {
                        row::stored(&record, revision, owner.as_deref(), now)
                    }
                    None => Ok(None),
                }
            }

            async fn insert(&self, id: &SessionId, record: &Record) -> Result<Created, StoreError> {
                let bytes = record.encode();
                let inserted = attempt(|| {
                    sqlx::query(statements::CREATE)
                        .bind(&id.as_bytes()[..])
                        .bind(row::subject(record))
                        .bind(row::millis(record.expires_at()))
                        .bind(&bytes[..])
                        .execute(&self.pool)
                })
                .await?;
                Ok(match inserted.rows_affected() {
                    0 => Created::Occupied,
                    _ => Created::Created(Revision::new(1)),
                })
            }

            async fn update(
                &self,
                id: &SessionId,
                revision: Revision,
                record: &Record,
                now: Timestamp,
            ) -> Result<Replaced, StoreError> {
                let bytes = record.encode();
                let updated = attempt(|| {
                    sqlx::query(statements::REPLACE)
                        .bind(&id.as_bytes()[..])
                        .bind(row::number(revision))
                        .bind(row::millis(now))
                        .bind(row::subject(record))
                        .bind(row::millis(record.expires_at()))
                        .bind(&bytes[..])
                        .execute(&self.pool)
                })
                .await?;
                if updated.rows_affected() != 0 {
                    let next = revision.get().saturating_add(1);
                    return Ok(Replaced::Replaced(Revision::new(next)));
                }
                // Revisions only grow, so a record that is live now has another revision than was given.
                let live = attempt(|| {
                    sqlx::query(statements::IS_LIVE)
                        .bind(&id.as_bytes()[..])
                        .bind(row::millis(now))
                        .fetch_optional(&self.pool)
                })
                .await?;
                Ok(match live {
                    Some(_) => Replaced::Conflict,
                    None => Replaced::Gone,
                })
            }

            async fn delete(&self, id: &SessionId) -> Result<Removed, StoreError> {
                let deleted = attempt(|| {
                    sqlx::query(statements::REMOVE)
                        .bind(&id.as_bytes()[..])
                        .execute(&self.pool)
                })
                .await?;
                Ok(match deleted.rows_affected() {
                    0 => Removed::Absent,
                    _ => Removed::Removed,
                })
            }

            async fn list(
                &self,
                subject: &Subject,
                now: Timestamp,
            ) -> Result<Vec<(SessionId, Record)>, StoreError> {
                let rows: Vec<(Vec<u8>, Vec<u8>)> = attempt(|| {
                    sqlx::query_as(statements::SESSIONS_OF)
                        .bind(subject.as_str().as_bytes())
                        .bind(row::millis(now))
                        .fetch_all(&self.pool)
                })
                .await?;
                let sessions = rows
                    .iter()
                    .map(|(id, record)| row::session_of(subject, id, record));
                sessions.collect()
            }

            async fn delete_all_of(
                &self,
                subject: &Subject,
                except: Option<&SessionId>,
            ) -> Result<usize, StoreError> {
                let deleted = attempt(|| {
                    sqlx::query(statements::REMOVE_ALL_OF)
                        .bind(subject.as_str().as_bytes())
                        .bind(except.map(|id| &id.as_bytes()[..]))
                        .execute(&self.pool)
                })
                .await?;
                Ok(usize::try_from(deleted.rows_affected()).unwrap_or(usize::MAX))
            }

            async fn count(&self, now: Timestamp) -> Result<Option<u64>, StoreError> {
                let count: i64 = attempt(|| {
                    sqlx::query_scalar(statements::LIVE_RECORDS)
                        .bind(row::millis(now))
                        .fetch_one(&self.pool)
                })
                .await?;
                Ok(u64::try_from(count).ok())
            }
        }

        impl SessionStore for $store {
            fn load<'a>(
                &'a self,
                claim: &'a Claim,
                now: Timestamp,
            ) -> StoreFuture<'a, Option<Stored>> {
                Box::pin(within(self.time_limit, self.find(claim.id(), now)))
            }

            fn create<'a>(
                &'a self,
                id: &'a SessionId,
                record: &'a Record,
                _now: Timestamp,
            ) -> StoreFuture<'a, Created> {
                Box::pin(within(self.time_limit, self.insert(id, record)))
            }

            fn replace<'a>(
                &'a self,
                id: &'a SessionId,
                revision: Revision,
                record: &'a Record,
                now: Timestamp,
            ) -> StoreFuture<'a, Replaced> {
                Box::pin(within(
                    self.time_limit,
                    self.update(id, revision, record, now),
                ))
            }

            fn remove<'a>(&'a self, id: &'a SessionId) -> StoreFuture<'a, Removed> {
                Box::pin(within(self.time_limit, self.delete(id)))
            }

            fn sessions_of<'a>(
                &'a self,
                subject: &'a Subject,
                now: Timestamp,
            ) -> StoreFuture<'a, Vec<(SessionId, Record)>> {
                Box::pin(within(self.time_limit, self.list(subject, now)))
            }

            fn remove_all_of<'a>(
                &'a self,
                subject: &'a Subject,
                except: Option<&'a SessionId>,
            ) -> StoreFuture<'a, usize> {
                Box::pin(within(self.time_limit, self.delete_all_of(subject, except)))
            }

            fn live_records<'a>(&'a self, now: Timestamp) -> StoreFuture<'a, Option<u64>> {
                Box::pin(within(self.time_limit, self.count(now)))
            }
        }
    };
}

pub(super) use sql_session_store;
