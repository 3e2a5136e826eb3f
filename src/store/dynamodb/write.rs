//! Conditional writes of one session.
//!
//! The client repeats a request whose answer was lost. A write that was carried out the first time is
//! then refused by its own condition; it knows its work by the revision, which only that write has drawn.

use tokio::time::Instant;

use aws_sdk_dynamodb::{
    error::SdkError,
    operation::{
        put_item::PutItemError, transact_write_items::TransactWriteItemsError,
        update_item::UpdateItemError,
    },
    primitives::Blob,
    types::{
        AttributeValue::{B, S},
        Put, ReturnValue,
        ReturnValuesOnConditionCheckFailure::AllOld,
        TransactWriteItem,
    },
};
use rand::{TryRng, rngs::SysRng};

use super::{
    DynamoDbStore,
    failure::{attempt, failure},
    item::{self, Item},
};
use crate::{
    session::{authentication::Subject, id::SessionId, record::Record, time::Timestamp},
    store::{Created, Removed, Replaced, Revision, StoreError, StoreErrorKind, time_limit::within},
};

const IS_NEW: &str = "attribute_not_exists(pk)";

/// What became of a conditional write.
enum Written {
    Done,
    /// The condition did not hold of what was there.
    Refused(Option<Item>),
}

impl DynamoDbStore {
    /// Writes a visitor's session in one request; a subject's together with its index entry in one
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

    pub(super) async fn update(
        &self,
        id: &SessionId,
        read: Revision,
        record: &Record,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        let revision = draw()?;
        let mut lengthens = false;
        loop {
            let update = self.update_if(id, read, record, now, revision, lengthens);
            let there = match update.await? {
                Written::Done => return Ok(Replaced::Replaced(revision)),
                Written::Refused(there) => there,
            };
            let Some(there) = there else {
                return Ok(Replaced::Gone);
            };
            if item::revision(&there) == Some(revision) {
                return Ok(Replaced::Replaced(revision));
            }
            if item::is_expired(&there, now) {
                return Ok(Replaced::Gone);
            }
            if item::revision(&there) != Some(read) {
                return Ok(Replaced::Conflict);
            }
            let subject = record.subject().map(Subject::as_str);
            if lengthens || subject != item::subject(&there) {
                let why = "a session keeps its subject for as long as it lives";
                return Err(StoreError::with_source(StoreErrorKind::Unsupported, why));
            }
            // Only the index entry is in the way: it would go before the session may.
            self.lengthen_entry(id, record).await?;
            lengthens = true;
        }
    }

    /// One conditional update. It is refused as well if the session's index entry would end before it,
    /// unless `lengthens` says that this has been seen to.
    async fn update_if(
        &self,
        id: &SessionId,
        read: Revision,
        record: &Record,
        now: Timestamp,
        revision: Revision,
        lengthens: bool,
    ) -> Result<Written, StoreError> {
        let mut set = "SET #record = :record, #revision = :revision, #expires_at = :expires_at, \
             #ttl = :ttl"
            .to_owned();
        let mut condition = "#revision = :read AND #expires_at > :now AND ".to_owned();
        condition.push_str(match (record.subject(), lengthens) {
            (None, _) => "attribute_not_exists(#subject)",
            (Some(_), false) => "#subject = :subject AND #indexed_until >= :until",
            (Some(_), true) => "#subject = :subject",
        });
        if lengthens {
            set.push_str(", #indexed_until = :until");
        }
        let bytes = Blob::new(record.encode());
        let update = || {
            let mut update = self
                .client
                .update_item()
                .table_name(&*self.table)
                .set_key(Some(item::session_key(id)))
                .update_expression(&set)
                .condition_expression(&condition)
                .return_values_on_condition_check_failure(AllOld)
                .expression_attribute_names("#record", item::RECORD)
                .expression_attribute_names("#revision", item::REVISION)
                .expression_attribute_names("#expires_at", item::EXPIRES_AT)
                .expression_attribute_names("#ttl", item::TTL)
                .expression_attribute_names("#subject", item::SUBJECT)
                .expression_attribute_values(":record", B(bytes.clone()))
                .expression_attribute_values(":read", item::number(read.get()))
                .expression_attribute_values(":revision", item::number(revision.get()))
                .expression_attribute_values(":now", item::millis(now))
                .expression_attribute_values(":expires_at", item::millis(record.expires_at()))
                .expression_attribute_values(":ttl", item::seconds(record.expires_at()));
            if let Some(subject) = record.subject() {
                let subject = S(subject.as_str().to_owned());
                let until = item::millis(item::lasts_until(record));
                update = update
                    .expression_attribute_names("#indexed_until", item::INDEXED_UNTIL)
                    .expression_attribute_values(":subject", subject)
                    .expression_attribute_values(":until", until);
            }
            update.send()
        };
        match attempt(update).await {
            Ok(_) => Ok(Written::Done),
            Err(error) => refused(error, |error| match error {
                UpdateItemError::ConditionalCheckFailedException(failed) => {
                    Some(failed.item().cloned())
                }
                _ => None,
            }),
        }
    }

    /// Makes the index entry last as long as `record` may. An entry whose session is gone meanwhile is
    /// passed over by whoever reads it.
    async fn lengthen_entry(&self, id: &SessionId, record: &Record) -> Result<(), StoreError> {
        let Some(subject) = record.subject() else {
            return Ok(());
        };
        let entry = item::entry(subject, id, item::lasts_until(record));
        let put = || {
            self.client
                .put_item()
                .table_name(&*self.table)
                .set_item(Some(entry.clone()))
                .send()
        };
        attempt(put).await.map(drop).map_err(failure)
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
fn refused<E>(
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
fn draw() -> Result<Revision, StoreError> {
    let number = SysRng.try_next_u64().map_err(StoreError::unavailable)?;
    Ok(Revision::new(number))
}
