//! Replacing a session's record.

use aws_sdk_dynamodb::{
    operation::update_item::UpdateItemError,
    primitives::Blob,
    types::{
        AttributeValue::{B, S},
        ReturnValuesOnConditionCheckFailure::AllOld,
    },
};
use tower_session_guard::{
    Record, SessionId, Subject, Timestamp,
    store::{Replaced, Revision, StoreError, StoreErrorKind},
};

use crate::{
    DynamoDbStore,
    failure::{attempt, failure},
    item,
    write::{Written, draw, refused},
};

impl DynamoDbStore {
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
}
