//! Creating and removing a session.
//!
//! The client repeats a request whose answer was lost. A write that was carried out the first time is
//! then refused by its own condition; it knows its work by the revision, which only that write has drawn.

use aws_sdk_dynamodb::{
    error::SdkError,
    operation::{put_item::PutItemError, transact_write_items::TransactWriteItemsError},
    types::{Put, ReturnValue, ReturnValuesOnConditionCheckFailure::AllOld, TransactWriteItem},
};
use rand::{TryRng, rngs::SysRng};
use tokio::time::Instant;

use super::{
    DynamoDbStore,
    failure::{attempt, failure},
    item::{self, Item},
};
use crate::{
    session::{authentication::Subject, id::SessionId, record::Record},
    store::{Created, Removed, Revision, StoreError, StoreErrorKind, time_limit::within},
};

const IS_NEW: &str = "attribute_not_exists(pk)";

/// What became of a conditional write.
pub(super) enum Written {
    Done,
    /// The condition did not hold of what was there.
    Refused(Option<Item>),
}

impl DynamoDbStore {
    /// Writes a guest session in one request; a subject's together with its index entry in one
    /// transaction, so that neither is ever there without the other.
    pub(super) async fn put(&self, id: &SessionId, record: &Record) -> Result<Created, StoreError> {
        let revision = draw()?;
        let session = item::session(id, record, revision);
        let written = match record.subject() {
            None => self.put_alone(&session).await?,
            Some(subject) => {
                let entry = item::entry(subject, id, item::lasts_until(record));
                self.put_with_entry(&session, &entry).await?
            }
        };
        Ok(match written {
            Written::Refused(Some(there)) if item::revision(&there) == Some(revision) => {
                Created::Created(revision)
            }
            Written::Refused(_) => Created::Occupied,
            Written::Done => Created::Created(revision),
        })
    }

    async fn put_alone(&self, session: &Item) -> Result<Written, StoreError> {
        let put = || {
            self.client
                .put_item()
                .table_name(&*self.table)
                .set_item(Some(session.clone()))
                .condition_expression(IS_NEW)
                .return_values_on_condition_check_failure(AllOld)
                .send()
        };
        match attempt(put).await {
            Ok(_) => Ok(Written::Done),
            Err(error) => refused(error, |error| match error {
                PutItemError::ConditionalCheckFailedException(failed) => {
                    Some(failed.item().cloned())
                }
                _ => None,
            }),
        }
    }

    async fn put_with_entry(&self, session: &Item, entry: &Item) -> Result<Written, StoreError> {
        let put = |item: &Item| {
            Put::builder()
                .table_name(&*self.table)
                .set_item(Some(item.clone()))
        };
        let session = put(session)
            .condition_expression(IS_NEW)
            .return_values_on_condition_check_failure(AllOld);
        let build = |put: aws_sdk_dynamodb::types::builders::PutBuilder| {
            let put = put.build();
            put.map(|put| TransactWriteItem::builder().put(put).build())
                .map_err(|error| StoreError::with_source(StoreErrorKind::Unsupported, error))
        };
        let writes = vec![build(session)?, build(put(entry))?];
        let transact = || {
            let writes = Some(writes.clone());
            let transact = self.client.transact_write_items();
            transact.set_transact_items(writes).send()
        };
        match attempt(transact).await {
            Ok(_) => Ok(Written::Done),
            Err(error) => refused(error, |error| {
                let TransactWriteItemsError::TransactionCanceledException(canceled) = error else {
                    return None;
                };
                let of_session = canceled.cancellation_reasons().first()?;
                (of_session.code() == Some("ConditionalCheckFailed"))
                    .then(|| of_session.item().cloned())
            }),
        }
    }

    /// Removes a session, and then its index entry if there is time: without one nothing is believed, so
    /// that a failure there does not count.
    pub(super) async fn delete(&self, id: &SessionId) -> Result<Removed, StoreError> {
        let began = Instant::now();
        let Some(item) = within(self.time_limit, self.delete_session(id)).await? else {
            return Ok(Removed::Absent);
        };
        if let Some(subject) = item::subject(&item) {
            let entry = self
                .client
                .delete_item()
                .table_name(&*self.table)
                .set_key(Some(item::entry_key(&Subject::from(subject), id)))
                .send();
            let left = self.time_limit.saturating_sub(began.elapsed());
            let _done = within(left, async { entry.await.map_err(failure) }).await;
        }
        Ok(Removed::Removed)
    }

    async fn delete_session(&self, id: &SessionId) -> Result<Option<Item>, StoreError> {
        let delete = || {
            self.client
                .delete_item()
                .table_name(&*self.table)
                .set_key(Some(item::session_key(id)))
                .return_values(ReturnValue::AllOld)
                .send()
        };
        let deleted = attempt(delete).await.map_err(failure)?;
        Ok(deleted.attributes)
    }
}

/// The refusal that `there` finds in an error: what the item was; any other error fails the operation.
pub(super) fn refused<E>(
    error: SdkError<E>,
    there: impl FnOnce(&E) -> Option<Option<Item>>,
) -> Result<Written, StoreError>
where
    E: aws_sdk_dynamodb::error::ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    match error.as_service_error().and_then(there) {
        Some(there) => Ok(Written::Refused(there)),
        None => Err(failure(error)),
    }
}

/// A revision that no other write has.
pub(super) fn draw() -> Result<Revision, StoreError> {
    let number = SysRng.try_next_u64().map_err(StoreError::unavailable)?;
    Ok(Revision::new(number))
}
