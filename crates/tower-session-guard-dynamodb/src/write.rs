//! Creating and removing a session.
//!
//! The client repeats a request whose answer was lost. A write that was carried out the first time is
//! then refused by its own condition; it knows its work by the revision, which only that write has drawn.

use aws_sdk_dynamodb::{
    error::SdkError,
    operation::{
        delete_item::DeleteItemError, put_item::PutItemError,
        transact_write_items::TransactWriteItemsError,
    },
    primitives::Blob,
    types::{
        AttributeValue::B, Put, ReturnValue, ReturnValuesOnConditionCheckFailure::AllOld,
        TransactWriteItem,
    },
};
use rand::{TryRng, rngs::SysRng};
use tokio::time::Instant;
use tower_session_guard::{
    Record, SessionId,
    store::{
        Counting, Created, IndexKey, Removed, Revision, StoreError, StoreErrorKind,
        time_limit::within,
    },
};

use crate::{
    DynamoDbStore,
    failure::{attempt, failure},
    item::{self, Item},
};

const IS_NEW: &str = "attribute_not_exists(pk)";

/// What became of a conditional write.
pub(super) enum Written {
    Done,
    /// The condition did not hold of what was there.
    Refused(Option<Item>),
}

impl DynamoDbStore {
    /// Writes a guest session in one request; another together with its index entries in one
    /// transaction, so that none is ever there without the others. Then counts, so that of creations at the
    /// same time none misses another.
    pub(super) async fn put(
        &self,
        id: &SessionId,
        record: &Record,
        counting: Counting,
    ) -> Result<Created, StoreError> {
        let revision = draw()?;
        let session = item::session(id, record, counting, revision);
        let keys = item::digests(record);
        let entries = item::entries(id, counting, &keys, item::lasts_until(record));
        let written = if entries.is_empty() {
            self.put_alone(&session).await?
        } else {
            self.put_with_entries(session, entries).await?
        };
        match written {
            Written::Done => {}
            Written::Refused(Some(there)) if item::revision(&there) == Some(revision) => {}
            Written::Refused(_) => return Ok(Created::Occupied),
        }
        let sessions = match record.owner() {
            Some(owner) => self.counted(&owner.digest()).await?,
            None => 0,
        };
        Ok(Created::Created { revision, sessions })
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

    async fn put_with_entries(
        &self,
        session: Item,
        entries: Vec<Item>,
    ) -> Result<Written, StoreError> {
        let put = |item| Put::builder().table_name(&*self.table).set_item(Some(item));
        let session = put(session)
            .condition_expression(IS_NEW)
            .return_values_on_condition_check_failure(AllOld);
        let puts = std::iter::once(session).chain(entries.into_iter().map(put));
        let mut writes = Vec::new();
        for put in puts {
            let put = put.build().map_err(unsupported)?;
            writes.push(TransactWriteItem::builder().put(put).build());
        }
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

    /// Removes a session, and then its index entries if there is time: without one nothing is believed, so
    /// that a failure there does not count.
    pub(super) async fn delete(
        &self,
        id: &SessionId,
        listed_under: Option<&IndexKey>,
    ) -> Result<Removed, StoreError> {
        let began = Instant::now();
        let delete = self.delete_session(id, listed_under);
        let Some(item) = within(self.time_limit, delete).await? else {
            return Ok(Removed::Absent);
        };
        let entries = item::entry_keys(&item, id);
        let left = self.time_limit.saturating_sub(began.elapsed());
        let _done = within(left, self.delete_entries(entries)).await;
        Ok(Removed::Removed)
    }

    /// What was there, as bytes that nobody decodes.
    async fn delete_session(
        &self,
        id: &SessionId,
        listed_under: Option<&IndexKey>,
    ) -> Result<Option<Item>, StoreError> {
        let delete = || {
            let mut delete = self
                .client
                .delete_item()
                .table_name(&*self.table)
                .set_key(Some(item::session_key(id)))
                .return_values(ReturnValue::AllOld);
            if let Some(key) = listed_under {
                delete = delete
                    .condition_expression("contains(#keys, :key)")
                    .expression_attribute_names("#keys", item::KEYS)
                    .expression_attribute_values(":key", B(Blob::new(key.digest())));
            }
            delete.send()
        };
        match attempt(delete).await {
            Ok(deleted) => Ok(deleted.attributes),
            Err(error) => match error.as_service_error() {
                Some(DeleteItemError::ConditionalCheckFailedException(_)) => Ok(None),
                _ => Err(failure(error)),
            },
        }
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

/// A request that cannot be put together.
pub(super) fn unsupported(error: aws_sdk_dynamodb::error::BuildError) -> StoreError {
    StoreError::with_source(StoreErrorKind::Unsupported, error)
}

/// A revision that no other write has.
pub(super) fn draw() -> Result<Revision, StoreError> {
    let number = SysRng.try_next_u64().map_err(StoreError::unavailable)?;
    Ok(Revision::new(number))
}
