//! Batches: many items in one request, of which DynamoDB may leave some for another.

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::types::{DeleteRequest, KeysAndAttributes, PutRequest, WriteRequest};
use tower_session_guard::{
    SessionId,
    store::{StoreError, StoreErrorKind},
};

use crate::{
    DynamoDbStore,
    failure::failure,
    item::{self, Item},
    write::unsupported,
};

/// The most that DynamoDB reads, and writes, in one batch.
const READ_BATCH: usize = 100;
const WRITE_BATCH: usize = 25;

/// How often the rest of a batch is asked for that came back without progress.
const ATTEMPTS: u32 = 5;

impl DynamoDbStore {
    /// The items of these sessions without their data, strongly consistent; those that are there.
    pub(super) async fn read_heads(
        &self,
        ids: &[SessionId],
    ) -> Result<HashMap<SessionId, Item>, StoreError> {
        let mut found = HashMap::with_capacity(ids.len());
        for ids in ids.chunks(READ_BATCH) {
            self.read_batch(ids, &mut found).await?;
        }
        Ok(found)
    }

    async fn read_batch(
        &self,
        ids: &[SessionId],
        found: &mut HashMap<SessionId, Item>,
    ) -> Result<(), StoreError> {
        let keys = KeysAndAttributes::builder()
            .set_keys(Some(ids.iter().map(item::session_key).collect()))
            .consistent_read(true)
            .projection_expression("#pk, #head, #expires_at, #keys")
            .expression_attribute_names("#pk", item::PARTITION)
            .expression_attribute_names("#head", item::HEAD)
            .expression_attribute_names("#expires_at", item::EXPIRES_AT)
            .expression_attribute_names("#keys", item::KEYS)
            .build()
            .map_err(unsupported)?;
        let mut left = HashMap::from([((*self.table).to_owned(), keys)]);
        let mut fruitless = 0;
        while !left.is_empty() {
            pause(fruitless).await?;
            let batch = self.client.batch_get_item().set_request_items(Some(left));
            let read = batch.send().await.map_err(failure)?;
            let items: Vec<_> = read.responses.into_iter().flatten().collect();
            let items: Vec<_> = items.into_iter().flat_map(|(_, items)| items).collect();
            fruitless = if items.is_empty() { fruitless + 1 } else { 0 };
            for item in items {
                found.insert(item::id_in(&item)?, item);
            }
            left = read.unprocessed_keys.unwrap_or_default();
        }
        Ok(())
    }

    /// Removes the index entries under these keys.
    pub(super) async fn delete_entries(&self, keys: Vec<Item>) -> Result<(), StoreError> {
        let mut writes = Vec::with_capacity(keys.len());
        for key in keys {
            let delete = DeleteRequest::builder().set_key(Some(key)).build();
            let delete = delete.map_err(unsupported)?;
            writes.push(WriteRequest::builder().delete_request(delete).build());
        }
        self.write(&writes).await
    }

    /// Writes these index entries, whether they are there or not.
    pub(super) async fn put_entries(&self, entries: Vec<Item>) -> Result<(), StoreError> {
        let mut writes = Vec::with_capacity(entries.len());
        for entry in entries {
            let put = PutRequest::builder().set_item(Some(entry)).build();
            let put = put.map_err(unsupported)?;
            writes.push(WriteRequest::builder().put_request(put).build());
        }
        self.write(&writes).await
    }

    async fn write(&self, writes: &[WriteRequest]) -> Result<(), StoreError> {
        for writes in writes.chunks(WRITE_BATCH) {
            let mut left = HashMap::from([((*self.table).to_owned(), writes.to_vec())]);
            let mut fruitless = 0;
            while !left.is_empty() {
                pause(fruitless).await?;
                let before = count(&left);
                let batch = self.client.batch_write_item().set_request_items(Some(left));
                let written = batch.send().await.map_err(failure)?;
                left = written.unprocessed_items.unwrap_or_default();
                fruitless = if count(&left) < before {
                    0
                } else {
                    fruitless + 1
                };
            }
        }
        Ok(())
    }
}

fn count(left: &HashMap<String, Vec<WriteRequest>>) -> usize {
    left.values().map(Vec::len).sum()
}

/// Waits longer after each answer without progress, and gives up at last.
async fn pause(fruitless: u32) -> Result<(), StoreError> {
    match fruitless {
        0 => Ok(()),
        ATTEMPTS.. => Err(StoreError::with_source(
            StoreErrorKind::Unavailable,
            "DynamoDB is too busy for a batch",
        )),
        _ => {
            tokio::time::sleep(Duration::from_millis(20) * fruitless).await;
            Ok(())
        }
    }
}
