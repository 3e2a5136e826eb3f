//! Replacing a session's record.

use aws_sdk_dynamodb::{
    operation::update_item::UpdateItemError,
    types::{AttributeValue::B, ReturnValuesOnConditionCheckFailure::AllOld},
};
use tower_session_guard::{
    Record, SessionId, Timestamp,
    store::{Replaced, Revision, StoreError, StoreErrorKind},
};

use crate::{
    DynamoDbStore,
    failure::attempt,
    item::{self, KeyDigest},
    write::{Written, draw, refused},
};

/// A record that is to take the place of another.
struct Update<'a> {
    id: &'a SessionId,
    read: Revision,
    record: &'a Record,
    keys: Vec<KeyDigest>,
    /// What the record will be at.
    revision: Revision,
    now: Timestamp,
}

impl DynamoDbStore {
    pub(super) async fn update(
        &self,
        id: &SessionId,
        read: Revision,
        record: &Record,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        let revision = draw()?;
        let keys = item::digests(record);
        let update = Update {
            id,
            read,
            record,
            keys,
            revision,
            now,
        };
        let mut lengthens = false;
        loop {
            let there = match self.update_if(&update, lengthens).await? {
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
            if !item::is_listed_as(&there, &update.keys) {
                let why = "a record keeps its owners and tags: a login makes a new session";
                return Err(StoreError::with_source(StoreErrorKind::Unsupported, why));
            }
            if lengthens {
                return Err(item::corrupt("the item has no expiry"));
            }
            // Only the index entries are in the way: they would go before the session may. Those whose session
            // is gone meanwhile are passed over by whoever reads them.
            let (counting, until) = (item::counting(&there), item::lasts_until(record));
            let entries = item::entries(id, counting, &update.keys, until);
            self.put_entries(entries).await?;
            lengthens = true;
        }
    }

    /// One conditional update. It is refused as well if the session's index entries would end before it,
    /// unless `lengthens` says that this has been seen to.
    async fn update_if(&self, update: &Update<'_>, lengthens: bool) -> Result<Written, StoreError> {
        let record = update.record;
        let is_listed = !update.keys.is_empty();
        let (head, data) = item::halves(record);
        let mut change = "SET #head = :head, #revision = :revision, #expires_at = :expires_at, \
             #ttl = :ttl"
            .to_owned();
        if lengthens && is_listed {
            change.push_str(", #indexed_until = :until");
        }
        change.push_str(match data {
            Some(_) => ", #data = :data",
            None => " REMOVE #data",
        });
        let mut condition = "#revision = :read AND #expires_at > :now AND ".to_owned();
        condition.push_str(match (is_listed, lengthens) {
            (false, _) => "attribute_not_exists(#keys)",
            (true, false) => "#keys = :keys AND #indexed_until >= :until",
            (true, true) => "#keys = :keys",
        });
        let send = || {
            let mut request = self
                .client
                .update_item()
                .table_name(&*self.table)
                .set_key(Some(item::session_key(update.id)))
                .update_expression(&change)
                .condition_expression(&condition)
                .return_values_on_condition_check_failure(AllOld)
                .expression_attribute_names("#head", item::HEAD)
                .expression_attribute_names("#data", item::DATA)
                .expression_attribute_names("#revision", item::REVISION)
                .expression_attribute_names("#expires_at", item::EXPIRES_AT)
                .expression_attribute_names("#ttl", item::TTL)
                .expression_attribute_names("#keys", item::KEYS)
                .expression_attribute_values(":head", B(head.clone()))
                .expression_attribute_values(":read", item::number(update.read.get()))
                .expression_attribute_values(":revision", item::number(update.revision.get()))
                .expression_attribute_values(":now", item::millis(update.now))
                .expression_attribute_values(":expires_at", item::millis(record.expires_at()))
                .expression_attribute_values(":ttl", item::seconds(record.expires_at()));
            if let Some(data) = &data {
                request = request.expression_attribute_values(":data", B(data.clone()));
            }
            if is_listed {
                let until = item::millis(item::lasts_until(record));
                request = request
                    .expression_attribute_names("#indexed_until", item::INDEXED_UNTIL)
                    .expression_attribute_values(":keys", item::digest_set(&update.keys))
                    .expression_attribute_values(":until", until);
            }
            request.send()
        };
        match attempt(send).await {
            Ok(_) => Ok(Written::Done),
            Err(error) => refused(error, |error| match error {
                UpdateItemError::ConditionalCheckFailedException(failed) => {
                    Some(failed.item().cloned())
                }
                _ => None,
            }),
        }
    }
}
