//! A subject's sessions, by a query, which Firestore answers with strong consistency.

use googleapis_tonic_google_firestore_v1::google::firestore::v1::{
    BatchWriteRequest, Document, RunQueryRequest, StructuredQuery,
    precondition::ConditionType::Exists,
    run_query_request::QueryType,
    structured_query::{
        CollectionSelector, FieldFilter, FieldReference, Filter, Projection,
        field_filter::Operator, filter::FilterType,
    },
    write::Operation,
};
use tonic::Code;
use tower_session_guard::{Record, SessionId, Subject, Timestamp, store::StoreError};

use crate::{
    FirestoreStore,
    document::{self, Snapshot},
    failure::{failure, is_contention},
    write::conditional,
};

/// The most that Firestore writes in one batch.
const BATCH: usize = 500;

/// How often a batch's writes are tried that Firestore gave up in favour of others.
const ATTEMPTS: usize = 4;

impl FirestoreStore {
    pub(super) async fn list(
        &self,
        subject: &Subject,
        now: Timestamp,
    ) -> Result<Vec<(SessionId, Record)>, StoreError> {
        let mut sessions = Vec::new();
        for document in self.documents_of(subject, None).await? {
            let found = Snapshot::of(document)?;
            let record = found.stored()?.record;
            if record.subject() == Some(subject) && !record.is_expired(now) {
                sessions.push((found.id()?, record));
            }
        }
        Ok(sessions)
    }

    async fn documents_of(
        &self,
        subject: &Subject,
        select: Option<&str>,
    ) -> Result<Vec<Document>, StoreError> {
        let field = |path: &str| FieldReference {
            field_path: path.to_owned(),
        };
        let filter = FieldFilter {
            field: Some(field(document::SUBJECT)),
            op: Operator::Equal as i32,
            value: Some(document::subject_value(subject)),
        };
        let query = StructuredQuery {
            select: select.map(|path| Projection {
                fields: vec![field(path)],
            }),
            from: vec![CollectionSelector {
                collection_id: self.collection.clone(),
                all_descendants: false,
            }],
            r#where: Some(Filter {
                filter_type: Some(FilterType::FieldFilter(filter)),
            }),
            ..StructuredQuery::default()
        };
        let message = RunQueryRequest {
            parent: self.root(),
            query_type: Some(QueryType::StructuredQuery(query)),
            ..RunQueryRequest::default()
        };
        let database = self.database_name();
        let request = self.connection.request(message, &database).await?;
        let answer = self.connection.client().run_query(request).await;
        let mut rows = answer.map_err(failure)?.into_inner();
        let mut documents = Vec::new();
        while let Some(row) = rows.message().await.map_err(failure)? {
            documents.extend(row.document);
        }
        Ok(documents)
    }

    pub(super) async fn delete_all_of(
        &self,
        subject: &Subject,
        except: Option<&SessionId>,
    ) -> Result<usize, StoreError> {
        let mut names = Vec::new();
        for document in self.documents_of(subject, Some("__name__")).await? {
            if except != Some(&document::id_in(&document.name)?) {
                names.push(document.name);
            }
        }
        let mut removed = 0;
        for names in names.chunks(BATCH) {
            removed += self.delete_batch(names.to_vec()).await?;
        }
        Ok(removed)
    }

    /// Deletes these documents, each by itself, and says how many of them were there.
    async fn delete_batch(&self, mut names: Vec<String>) -> Result<usize, StoreError> {
        let mut removed = 0;
        let database = self.database_name();
        for _ in 0..ATTEMPTS {
            let delete = |name: &String| conditional(Operation::Delete(name.clone()), Exists(true));
            let message = BatchWriteRequest {
                database: database.clone(),
                writes: names.iter().map(delete).collect(),
                ..BatchWriteRequest::default()
            };
            let request = self.connection.request(message, &database).await?;
            let answer = self.connection.client().batch_write(request).await;
            let statuses = answer.map_err(failure)?.into_inner().status;
            if statuses.len() != names.len() {
                return Err(StoreError::unavailable(
                    "Firestore answered for other writes",
                ));
            }
            let mut again = Vec::new();
            for (status, name) in statuses.into_iter().zip(names) {
                match Code::from(status.code) {
                    Code::Ok => removed += 1,
                    Code::NotFound | Code::FailedPrecondition => {}
                    _ if is_contention(status.code) => again.push(name),
                    code => return Err(failure(tonic::Status::new(code, status.message))),
                }
            }
            if again.is_empty() {
                return Ok(removed);
            }
            names = again;
        }
        Err(StoreError::unavailable(
            "Firestore keeps refusing the removal",
        ))
    }
}
