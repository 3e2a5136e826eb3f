//! The index: sessions under a key, by queries on the keys that each document holds, which Firestore answers
//! with strong consistency.

use googleapis_tonic_google_firestore_v1::google::firestore::v1::{
    BatchWriteRequest, Cursor as QueryCursor, Document, RunAggregationQueryRequest,
    RunQueryRequest, StructuredAggregationQuery, StructuredQuery,
    precondition::ConditionType::Exists,
    run_aggregation_query_request, run_query_request,
    structured_aggregation_query::{
        Aggregation, QueryType,
        aggregation::{Count, Operator as Aggregated},
    },
    structured_query::{
        CollectionSelector, Direction, FieldFilter, FieldReference, Filter, Order, Projection,
        field_filter::Operator, filter::FilterType,
    },
    value::ValueType::{IntegerValue, ReferenceValue},
    write::Operation,
};
use tonic::{Code, Status};
use tower_session_guard::{
    SessionId, Timestamp,
    store::{Cursor, EndedPage, IndexKey, Page, StoreError, StoreErrorKind},
};

use crate::{
    FirestoreStore,
    document::{self, COUNTED_FOR, EXPIRES_AT, HEAD, KEYS, Snapshot},
    failure::{failure, is_contention, resending},
    write::conditional,
};

/// The most sessions that a page has, whatever was asked for: as many as Firestore writes in one batch.
const LARGEST_PAGE: usize = 500;

/// The most sessions that are counted, which Firestore bills as one read: above it the answer is that there
/// are very many.
const COUNTED_AT_MOST: i64 = 1_000;

/// How often a batch's writes are tried that Firestore gave up in favour of others.
const ATTEMPTS: usize = 4;

const NAME: &str = "__name__";
const COUNT: &str = "count";

impl FirestoreStore {
    /// Some of the live sessions under a key, without their data.
    pub(super) async fn list(
        &self,
        key: &IndexKey,
        after: Option<&Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page, StoreError> {
        let fields = [HEAD, KEYS, COUNTED_FOR, EXPIRES_AT];
        let (documents, next) = self.page(key, after, limit, &fields).await?;
        let mut heads = Vec::with_capacity(documents.len());
        for document in documents {
            heads.extend(Snapshot::of(document)?.listed(key, now)?);
        }
        Ok(Page::new(heads, next))
    }

    /// Removes some of the sessions under a key. Of what they hold nothing is read.
    pub(super) async fn end(
        &self,
        key: &IndexKey,
        after: Option<&Cursor>,
        limit: usize,
        except: Option<&SessionId>,
    ) -> Result<EndedPage, StoreError> {
        let (documents, next) = self.page(key, after, limit, &[NAME]).await?;
        let except = except.map(|id| self.document_name(id));
        let names = documents.into_iter().map(|document| document.name);
        let names: Vec<_> = names.filter(|name| Some(name) != except.as_ref()).collect();
        let ended = self.delete_batch(names).await?;
        Ok(EndedPage::new(ended, next))
    }

    /// How many sessions count for this owner, never too few: [`usize::MAX`] if they are too many to count.
    pub(super) async fn counted(&self, owner: &IndexKey) -> Result<usize, StoreError> {
        let aggregation = Aggregation {
            alias: COUNT.to_owned(),
            operator: Some(Aggregated::Count(Count {
                up_to: Some(COUNTED_AT_MOST),
            })),
        };
        let query = StructuredAggregationQuery {
            aggregations: vec![aggregation],
            query_type: Some(QueryType::StructuredQuery(self.query(COUNTED_FOR, owner))),
        };
        let message = RunAggregationQueryRequest {
            parent: self.root(),
            query_type: Some(
                run_aggregation_query_request::QueryType::StructuredAggregationQuery(query),
            ),
            ..RunAggregationQueryRequest::default()
        };
        let counted = resending(|| self.try_count(message.clone())).await?;
        match counted.map_err(failure)? {
            Some(counted) if counted < COUNTED_AT_MOST => {
                Ok(usize::try_from(counted).unwrap_or(usize::MAX))
            }
            Some(_) => Ok(usize::MAX),
            None => Err(StoreError::unavailable("Firestore did not count")),
        }
    }

    async fn try_count(
        &self,
        message: RunAggregationQueryRequest,
    ) -> Result<Result<Option<i64>, Status>, StoreError> {
        let request = self
            .connection
            .request(message, &self.database_name())
            .await?;
        let mut client = self.connection.client();
        let mut answers = match client.run_aggregation_query(request).await {
            Ok(answers) => answers.into_inner(),
            Err(status) => return Ok(Err(status)),
        };
        let mut count = None;
        loop {
            match answers.message().await {
                // An answer may hold nothing but progress.
                Ok(Some(answer)) => {
                    let result = answer
                        .result
                        .and_then(|mut result| result.aggregate_fields.remove(COUNT)?.value_type);
                    if let Some(IntegerValue(counted)) = result {
                        count = Some(counted);
                    }
                }
                Ok(None) => return Ok(Ok(count)),
                Err(status) => return Ok(Err(status)),
            }
        }
    }

    /// A page of the documents under a key, in the order of their names, and where the next one begins.
    async fn page(
        &self,
        key: &IndexKey,
        after: Option<&Cursor>,
        limit: usize,
        fields: &[&str],
    ) -> Result<(Vec<Document>, Option<Cursor>), StoreError> {
        let limit = limit.clamp(1, LARGEST_PAGE);
        let after = after.map(place).transpose()?;
        let query = StructuredQuery {
            select: Some(Projection {
                fields: fields.iter().map(|path| field(path)).collect(),
            }),
            order_by: vec![Order {
                field: Some(field(NAME)),
                direction: Direction::Ascending as i32,
            }],
            start_at: after.map(|id| QueryCursor {
                values: vec![document::value(ReferenceValue(self.document_name(&id)))],
                before: false,
            }),
            limit: i32::try_from(limit).ok(),
            ..self.query(KEYS, key)
        };
        let message = RunQueryRequest {
            parent: self.root(),
            query_type: Some(run_query_request::QueryType::StructuredQuery(query)),
            ..RunQueryRequest::default()
        };
        let found = resending(|| self.try_query(message.clone())).await?;
        let documents = found.map_err(failure)?;
        let last = documents.last().filter(|_| documents.len() >= limit);
        let last = last.map(|last| document::id_in(&last.name)).transpose()?;
        Ok((documents, last.map(|id| Cursor::new(*id.as_bytes()))))
    }

    /// The documents of which this array holds the key.
    fn query(&self, array: &str, key: &IndexKey) -> StructuredQuery {
        let filter = FieldFilter {
            field: Some(field(array)),
            op: Operator::ArrayContains as i32,
            value: Some(document::digest(key)),
        };
        StructuredQuery {
            from: vec![CollectionSelector {
                collection_id: self.collection.clone(),
                all_descendants: false,
            }],
            r#where: Some(Filter {
                filter_type: Some(FilterType::FieldFilter(filter)),
            }),
            ..StructuredQuery::default()
        }
    }

    async fn try_query(
        &self,
        message: RunQueryRequest,
    ) -> Result<Result<Vec<Document>, Status>, StoreError> {
        let request = self
            .connection
            .request(message, &self.database_name())
            .await?;
        let mut rows = match self.connection.client().run_query(request).await {
            Ok(rows) => rows.into_inner(),
            Err(status) => return Ok(Err(status)),
        };
        let mut documents = Vec::new();
        loop {
            match rows.message().await {
                Ok(Some(row)) => documents.extend(row.document),
                Ok(None) => return Ok(Ok(documents)),
                Err(status) => return Ok(Err(status)),
            }
        }
    }

    /// Deletes these documents, each by itself, and says how many of them were there.
    async fn delete_batch(&self, mut names: Vec<String>) -> Result<usize, StoreError> {
        let mut removed = 0;
        for _ in 0..ATTEMPTS {
            if names.is_empty() {
                return Ok(removed);
            }
            let delete = |name: &String| conditional(Operation::Delete(name.clone()), Exists(true));
            let message = BatchWriteRequest {
                database: self.database_name(),
                writes: names.iter().map(delete).collect(),
                ..BatchWriteRequest::default()
            };
            let written = resending(|| self.try_batch(message.clone())).await?;
            let statuses = written.map_err(failure)?;
            if statuses.len() != names.len() {
                return Err(StoreError::unavailable(
                    "Firestore answered for other writes",
                ));
            }
            let mut again = Vec::new();
            for (status, name) in statuses.into_iter().zip(names) {
                match status.code() {
                    Code::Ok => removed += 1,
                    Code::NotFound | Code::FailedPrecondition => {}
                    code if is_contention(code as i32) => again.push(name),
                    _ => return Err(failure(status)),
                }
            }
            names = again;
        }
        if names.is_empty() {
            return Ok(removed);
        }
        Err(StoreError::unavailable(
            "Firestore keeps refusing the removal",
        ))
    }

    async fn try_batch(
        &self,
        message: BatchWriteRequest,
    ) -> Result<Result<Vec<Status>, Status>, StoreError> {
        let request = self
            .connection
            .request(message, &self.database_name())
            .await?;
        let written = self.connection.client().batch_write(request).await;
        Ok(written.map(|answer| {
            let statuses = answer.into_inner().status.into_iter();
            let status = |one: _| -> Status {
                let googleapis_tonic_google_firestore_v1::google::rpc::Status {
                    code, message, ..
                } = one;
                Status::new(Code::from(code), message)
            };
            statuses.map(status).collect()
        }))
    }
}

fn field(path: &str) -> FieldReference {
    FieldReference {
        field_path: path.to_owned(),
    }
}

/// The session after which a page begins.
fn place(after: &Cursor) -> Result<SessionId, StoreError> {
    let refused = |_| StoreError::with_source(StoreErrorKind::Unsupported, "a foreign cursor");
    let bytes = after.as_bytes().try_into();
    bytes.map(SessionId::from_bytes).map_err(refused)
}
