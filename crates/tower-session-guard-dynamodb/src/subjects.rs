//! A subject's sessions, through the item collection of their index entries, read consistently.

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::{
    operation::delete_item::DeleteItemError,
    types::{AttributeValue::S, DeleteRequest, KeysAndAttributes, WriteRequest},
};
use tokio::{task::JoinSet, time::Instant};
use tower_session_guard::{
    Record, SessionId, Subject, Timestamp,
    store::{StoreError, StoreErrorKind, time_limit::within},
};

use crate::{
    DynamoDbStore,
    failure::{attempt, failure},
    item,
};

/// The most that DynamoDB reads, and writes, in one batch.
const READ_BATCH: usize = 100;
const WRITE_BATCH: usize = 25;

/// How many sessions are removed at the same time.
const AT_ONCE: usize = 16;

/// How often the rest of a batch is asked for that came back without progress.
const ATTEMPTS: u32 = 5;

impl DynamoDbStore {
    pub(super) async fn list(
        &self,
        subject: &Subject,
        now: Timestamp,
    ) -> Result<Vec<(SessionId, Record)>, StoreError> {
        let ids = self.ids_of(subject).await?;
        let mut sessions = Vec::with_capacity(ids.len());
        for ids in ids.chunks(READ_BATCH) {
            self.read_batch(ids, &mut sessions).await?;
        }
        sessions.retain(|(_, record)| record.subject() == Some(subject) && !record.is_expired(now));
        Ok(sessions)
    }

    async fn ids_of(&self, subject: &Subject) -> Result<Vec<SessionId>, StoreError> {
        let mut pages = self
            .client
            .query()
            .table_name(&*self.table)
            .consistent_read(true)
            .key_condition_expression("#pk = :subject")
            .projection_expression("#pk, #sk")
            .expression_attribute_names("#pk", item::PARTITION)
            .expression_attribute_names("#sk", item::SORT)
            .expression_attribute_values(":subject", item::collection(subject))
            .into_paginator()
            .send();
        let mut ids = Vec::new();
        while let Some(page) = pages.next().await {
            for item in page.map_err(failure)?.items() {
                ids.push(item::id_in(item)?);
            }
        }
        Ok(ids)
    }

    async fn read_batch(
        &self,
        ids: &[SessionId],
        sessions: &mut Vec<(SessionId, Record)>,
    ) -> Result<(), StoreError> {
        let keys = KeysAndAttributes::builder()
            .set_keys(Some(ids.iter().map(item::session_key).collect()))
            .consistent_read(true)
            .build()
            .map_err(|error| StoreError::with_source(StoreErrorKind::Unsupported, error))?;
        let mut left = HashMap::from([((*self.table).to_owned(), keys)]);
        let mut fruitless = 0;
        while !left.is_empty() {
            let batch = self.client.batch_get_item().set_request_items(Some(left));
            let read = batch.send().await.map_err(failure)?;
            let items: Vec<_> = read.responses.into_iter().flatten().collect();
            let items: Vec<_> = items.into_iter().flat_map(|(_, items)| items).collect();
            fruitless = if items.is_empty() { fruitless + 1 } else { 0 };
            for item in &items {
                sessions.push((item::id_in(item)?, item::stored(item)?.record));
            }
            left = read.unprocessed_keys.unwrap_or_default();
            if !left.is_empty() && fruitless > 0 {
                if fruitless == ATTEMPTS {
                    return Err(StoreError::unavailable("DynamoDB is too busy for a batch"));
                }
                tokio::time::sleep(Duration::from_millis(20) * fruitless).await;
            }
        }
        Ok(())
    }

    /// Removes the sessions first and their index entries afterwards: a crash between leaves entries
    /// without sessions, which are passed over.
    pub(super) async fn delete_all_of(
        &self,
        subject: &Subject,
        except: Option<&SessionId>,
    ) -> Result<usize, StoreError> {
        let began = Instant::now();
        let sessions = async {
            let mut ids = self.ids_of(subject).await?;
            ids.retain(|id| Some(id) != except);
            let removed = self.delete_sessions(subject, &ids).await?;
            Ok((ids, removed))
        };
        let (ids, removed) = within(self.time_limit, sessions).await?;
        let left = self.time_limit.saturating_sub(began.elapsed());
        let _done = within(left, self.delete_entries(subject, &ids)).await;
        Ok(removed)
    }

    async fn delete_sessions(
        &self,
        subject: &Subject,
        ids: &[SessionId],
    ) -> Result<usize, StoreError> {
        let mut removed = 0;
        let mut ids = ids.iter();
        let mut deletes = JoinSet::new();
        for id in ids.by_ref().take(AT_ONCE) {
            deletes.spawn(self.clone().delete_of(subject.clone(), *id));
        }
        while let Some(deleted) = deletes.join_next().await {
            removed += usize::from(deleted.map_err(StoreError::unavailable)??);
            if let Some(id) = ids.next() {
                deletes.spawn(self.clone().delete_of(subject.clone(), *id));
            }
        }
        Ok(removed)
    }

    /// Removes the session if it is the subject's own: an entry that points elsewhere ends nobody.
    async fn delete_of(self, subject: Subject, id: SessionId) -> Result<bool, StoreError> {
        let delete = || {
            self.client
                .delete_item()
                .table_name(&*self.table)
                .set_key(Some(item::session_key(&id)))
                .condition_expression("#subject = :subject")
                .expression_attribute_names("#subject", item::SUBJECT)
                .expression_attribute_values(":subject", S(subject.as_str().to_owned()))
                .send()
        };
        match attempt(delete).await {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(DeleteItemError::ConditionalCheckFailedException(_)) => Ok(false),
                _ => Err(failure(error)),
            },
        }
    }

    async fn delete_entries(&self, subject: &Subject, ids: &[SessionId]) -> Result<(), StoreError> {
        for ids in ids.chunks(WRITE_BATCH) {
            let mut requests = Vec::with_capacity(ids.len());
            for id in ids {
                let key = Some(item::entry_key(subject, id));
                let delete = DeleteRequest::builder().set_key(key).build();
                let delete = delete
                    .map_err(|error| StoreError::with_source(StoreErrorKind::Unsupported, error))?;
                requests.push(WriteRequest::builder().delete_request(delete).build());
            }
            let batch = self.client.batch_write_item();
            let batch = batch.request_items(&*self.table, requests);
            batch.send().await.map_err(failure)?;
        }
        Ok(())
    }
}
