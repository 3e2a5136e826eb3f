//! The operations, written once for both engines.
//!
//! `insert`, `end_page`, `in_turn`, in which writes run, `with_content` and `wait_for_copies` are the engines' own.

/// Implements [`SessionStore`](tower_session_guard::SessionStore) and [`Sweep`](tower_session_guard::store::Sweep) for a
/// store with a `pool`, `statements` and a `time_limit`.
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
                let row: Option<row::LoadedRow> = attempt(|| {
                    sqlx::query_as(self.statements.load.clone())
                        .bind(&id.as_bytes()[..])
                        .bind(row::millis(now))
                        .fetch_optional(&self.pool)
                })
                .await?;
                row.map_or(Ok(None), |row| row::stored(row, now))
            }

            async fn update(
                &self,
                id: &SessionId,
                revision: Revision,
                record: &Record,
                now: Timestamp,
            ) -> Result<Replaced, StoreError> {
                let bytes = record.encode();
                let (head, rest) = row::pieces(&bytes);
                let keys = row::Keys::of(&record.index_keys());
                let updated = attempt(|| {
                    let query = sqlx::query(self.own.replace.clone())
                        .bind(&id.as_bytes()[..])
                        .bind(row::number(revision))
                        .bind(row::millis(now))
                        .bind(row::millis(record.expires_at()))
                        .bind(head)
                        .bind(rest)
                        .bind(keys.owner.as_deref())
                        .bind(keys.others.as_deref());
                    Self::with_content(query, record).execute(&self.pool)
                })
                .await?;
                if updated.rows_affected() != 0 {
                    let next = revision.get().saturating_add(1);
                    return Ok(Replaced::Replaced(Revision::new(next)));
                }
                let present: Option<(i64, bool)> = attempt(|| {
                    sqlx::query_as(self.statements.present.clone())
                        .bind(&id.as_bytes()[..])
                        .bind(row::millis(now))
                        .bind(keys.owner.as_deref())
                        .bind(keys.others.as_deref())
                        .fetch_optional(&self.pool)
                })
                .await?;
                match present {
                    None => Ok(Replaced::Gone),
                    // The index would no longer lead to the record, so it could outlive a revocation (S29).
                    Some((at, false)) if at == row::number(revision) => {
                        Err(StoreError::with_source(
                            StoreErrorKind::Unsupported,
                            "a record keeps its owners and tags: a login makes a new session",
                        ))
                    }
                    // Revisions only grow, so that this record was at another one.
                    Some(_) => Ok(Replaced::Conflict),
                }
            }

            async fn delete(
                &self,
                id: &SessionId,
                listed_under: Option<&IndexKey>,
            ) -> Result<Removed, StoreError> {
                let deleted = attempt(|| {
                    let statement = match listed_under {
                        Some(_) => &self.statements.remove_listed,
                        None => &self.statements.remove,
                    };
                    let query = sqlx::query(statement.clone()).bind(&id.as_bytes()[..]);
                    match listed_under {
                        Some(key) => query.bind(key.as_bytes()),
                        None => query,
                    }
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
                key: &IndexKey,
                after: Option<&Cursor>,
                limit: usize,
                now: Timestamp,
            ) -> Result<Page, StoreError> {
                let (after, limit) = (row::place(after)?, row::limit(limit));
                let rows: Vec<row::HeadRow> = attempt(|| {
                    sqlx::query_as(self.statements.heads.clone())
                        .bind(key.as_bytes())
                        .bind(after)
                        .bind(limit)
                        .bind(row::millis(now))
                        .fetch_all(&self.pool)
                })
                .await?;
                row::page(key, limit, rows)
            }

            async fn raise(&self, key: &IndexKey, cutoff: &Cutoff) -> Result<(), StoreError> {
                attempt(|| {
                    sqlx::query(self.statements.raise_cutoff.clone())
                        .bind(key.as_bytes())
                        .bind(row::millis(cutoff.at))
                        .bind(row::millis(cutoff.until))
                        .bind(&cutoff.mark[..])
                        .execute(&self.pool)
                })
                .await?;
                Ok(())
            }

            async fn cutoff_of(
                &self,
                key: &IndexKey,
                now: Timestamp,
            ) -> Result<Option<Cutoff>, StoreError> {
                let row: Option<(i64, i64, Vec<u8>)> = attempt(|| {
                    sqlx::query_as(self.statements.cutoff.clone())
                        .bind(key.as_bytes())
                        .fetch_optional(&self.pool)
                })
                .await?;
                row.map_or(Ok(None), |row| row::cutoff(row, now))
            }

            async fn live(&self, now: Timestamp) -> Result<Option<u64>, StoreError> {
                let count: i64 = attempt(|| {
                    sqlx::query_scalar(self.statements.live_records.clone())
                        .bind(row::millis(now))
                        .fetch_one(&self.pool)
                })
                .await?;
                Ok(u64::try_from(count).ok())
            }

            /// Deletes what is over, with these two statements: sessions first.
            async fn sweep_with(
                &self,
                sessions: &SqlStr,
                cutoffs: &SqlStr,
                now: Timestamp,
                limit: u32,
            ) -> Result<u64, StoreError> {
                let sweep = async |statement: &SqlStr, until: i64, limit: u64| {
                    let swept = attempt(|| {
                        sqlx::query(statement.clone())
                            .bind(until)
                            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
                            .execute(&self.pool)
                    });
                    within(self.time_limit, self.in_turn(swept)).await
                };
                let limit = u64::from(limit);
                let swept = sweep(sessions, row::millis(now), limit).await?;
                let swept = swept.rows_affected();
                let left = limit.saturating_sub(swept);
                if left == 0 {
                    return Ok(swept);
                }
                let forgotten = sweep(cutoffs, row::forgettable(now), left).await?;
                Ok(swept + forgotten.rows_affected())
            }
        }

        impl Sweep for $store {
            fn sweep<'a>(&'a self, now: Timestamp, limit: u32) -> StoreFuture<'a, u64> {
                Box::pin(<$store>::sweep(self, now, limit))
            }
        }

        impl SessionStore for $store {
            fn load<'a>(
                &'a self,
                id: VerifiedId<'a>,
                now: Timestamp,
            ) -> StoreFuture<'a, Option<Stored>> {
                Box::pin(within(self.time_limit, self.find(id.get(), now)))
            }

            fn create<'a>(
                &'a self,
                id: &'a SessionId,
                record: &'a Record,
                counting: Counting,
                _now: Timestamp,
            ) -> StoreFuture<'a, Created> {
                let insert = self.insert(id, record, counting);
                Box::pin(within(self.time_limit, self.in_turn(insert)))
            }

            fn replace<'a>(
                &'a self,
                id: &'a SessionId,
                revision: Revision,
                record: &'a Record,
                now: Timestamp,
            ) -> StoreFuture<'a, Replaced> {
                let update = self.update(id, revision, record, now);
                Box::pin(within(self.time_limit, self.in_turn(update)))
            }

            fn remove<'a>(
                &'a self,
                id: &'a SessionId,
                listed_under: Option<&'a IndexKey>,
            ) -> StoreFuture<'a, Removed> {
                let delete = self.delete(id, listed_under);
                Box::pin(within(self.time_limit, self.in_turn(delete)))
            }

            fn heads<'a>(
                &'a self,
                key: &'a IndexKey,
                after: Option<&'a Cursor>,
                limit: usize,
                now: Timestamp,
            ) -> StoreFuture<'a, Page> {
                Box::pin(within(self.time_limit, self.list(key, after, limit, now)))
            }

            fn end_listed<'a>(
                &'a self,
                key: &'a IndexKey,
                after: Option<&'a Cursor>,
                limit: usize,
                except: Option<&'a SessionId>,
            ) -> StoreFuture<'a, EndedPage> {
                let end = self.end_page(key, after, limit, except);
                Box::pin(within(self.time_limit, self.in_turn(end)))
            }

            fn raise_cutoff<'a>(
                &'a self,
                key: &'a IndexKey,
                cutoff: &'a Cutoff,
                _now: Timestamp,
            ) -> StoreFuture<'a, ()> {
                let raise = self.raise(key, cutoff);
                Box::pin(within(self.time_limit, self.in_turn(raise)))
            }

            fn cutoff<'a>(
                &'a self,
                key: &'a IndexKey,
                now: Timestamp,
            ) -> StoreFuture<'a, Option<Cutoff>> {
                Box::pin(within(self.time_limit, self.cutoff_of(key, now)))
            }

            fn endings_hold(&self) -> Option<StoreFuture<'_, ()>> {
                self.wait_for_copies()
            }

            fn live_records<'a>(&'a self, now: Timestamp) -> StoreFuture<'a, Option<u64>> {
                Box::pin(within(self.time_limit, self.live(now)))
            }
        }
    };
}

pub(super) use sql_session_store;

/// How many sessions count, of entries of which so many were looked at.
///
/// Where there are more entries than are looked at, the answer is the most there may be: the layer then counts them
/// itself, page by page, if there is a limit.
pub(super) fn counted(counted: i64, entries: i64) -> usize {
    if entries > crate::statements::MOST_COUNTED {
        return usize::MAX;
    }
    usize::try_from(counted).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn an_owner_of_more_entries_than_are_looked_at_has_more_than_any_limit() {
        for (found, entries, expected) in [
            (0, 0, 0),
            (3, 4, 3),
            (1000, 1000, 1000),
            (1001, 1001, usize::MAX),
            (0, 1001, usize::MAX),
        ] {
            assert_eq!(counted(found, entries), expected, "{found} of {entries}");
        }
    }
}
