//! Conditional writes of one document. Each of a session draws a number by which it knows its own work again.

use std::time::Duration;

use googleapis_tonic_google_firestore_v1::google::firestore::v1::{
    CommitRequest, Document, DocumentMask, Precondition, Write,
    precondition::ConditionType::{self, Exists, UpdateTime},
    write::Operation,
};
use rand::{TryRng, rngs::SysRng};
use tonic::{Code, Status};
use tower_session_guard::{
    Record, SessionId, Timestamp,
    store::{Counting, Created, IndexKey, Removed, Replaced, Revision, StoreError, StoreErrorKind},
};

use crate::{
    FirestoreStore,
    document::{self, EXPIRES_AT, Fields, KEYS, REPLACED, WRITE, digests, update_time},
    failure::{failure, is_contention, is_refusal, resending},
};

/// How often a write is tried that Firestore gave up in favour of another one.
const ATTEMPTS: u32 = 4;

/// What a commit came to: when it wrote, or Firestore's refusal.
type Committed = Result<Revision, Status>;

impl FirestoreStore {
    /// Writes the session, and then counts, so that of creations at the same time none misses another.
    pub(super) async fn insert(
        &self,
        id: &SessionId,
        record: &Record,
        counting: Counting,
    ) -> Result<Created, StoreError> {
        let draw = draw()?;
        let fields = document::fields(record, counting, draw);
        let document = written(self.document_name(id), fields);
        let write = conditional(Operation::Update(document), Exists(false));
        let revision = match self.commit(write).await? {
            Ok(revision) => revision,
            // Perhaps by this very write, whose answer was lost.
            Err(status) if status.code() == Code::AlreadyExists => {
                let there = self.get(&self.document_name(id), Some(&[WRITE])).await?;
                match there.filter(|there| there.is_of(draw)) {
                    Some(there) => there.revision,
                    None => return Ok(Created::Occupied),
                }
            }
            Err(status) => return Err(failure(status)),
        };
        let sessions = match record.owner() {
            Some(owner) => self.counted(&owner).await?,
            None => 0,
        };
        Ok(Created::Created { revision, sessions })
    }

    /// Reads whether the session has expired and whose it is, which no precondition can say, and writes on
    /// condition that what was read is still there.
    pub(super) async fn update(
        &self,
        id: &SessionId,
        revision: Revision,
        record: &Record,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        let (name, draw) = (self.document_name(id), draw()?);
        for attempt in 1..=ATTEMPTS {
            let fields: &[_] = &[KEYS, EXPIRES_AT, WRITE];
            let Some(found) = self.get(&name, Some(fields)).await? else {
                return Ok(Replaced::Gone);
            };
            // A write of before, whose answer was lost or a refusal of its own repetition.
            if found.is_of(draw) {
                return Ok(Replaced::Replaced(found.revision));
            }
            if found.is_expired(now) {
                return Ok(Replaced::Gone);
            }
            if found.revision != revision {
                return Ok(Replaced::Conflict);
            }
            if !found.is_listed_as(&digests(&record.index_keys())) {
                let why = "a record keeps its owners and tags: a login makes a new session";
                return Err(StoreError::with_source(StoreErrorKind::Unsupported, why));
            }
            let document = written(name.clone(), document::replaced_fields(record, draw));
            let unchanged = UpdateTime(update_time(revision));
            let mut write = conditional(Operation::Update(document), unchanged);
            write.update_mask = Some(mask(&REPLACED));
            match self.commit(write).await? {
                Ok(revision) => return Ok(Replaced::Replaced(revision)),
                // Somebody else wrote meanwhile: what is there now says what to answer.
                Err(status) if is_refusal(&status) => {
                    tokio::time::sleep(Duration::from_millis(10) * (attempt - 1)).await;
                }
                Err(status) => return Err(failure(status)),
            }
        }
        Err(StoreError::unavailable(
            "Firestore keeps refusing the write",
        ))
    }

    /// Removes a session without reading what it holds. Its keys never change, so they may be read before.
    pub(super) async fn delete(
        &self,
        id: &SessionId,
        listed_under: Option<&IndexKey>,
    ) -> Result<Removed, StoreError> {
        let name = self.document_name(id);
        if let Some(key) = listed_under {
            let found = self.get(&name, Some(&[KEYS])).await?;
            if !found.is_some_and(|found| found.is_listed_under(key)) {
                return Ok(Removed::Absent);
            }
        }
        let delete = conditional(Operation::Delete(name), Exists(true));
        match self.commit(delete).await? {
            Ok(_) => Ok(Removed::Removed),
            Err(status) if matches!(status.code(), Code::NotFound | Code::FailedPrecondition) => {
                Ok(Removed::Absent)
            }
            Err(status) => Err(failure(status)),
        }
    }

    /// Commits one write. Tried again where Firestore undid it for the sake of another one, and where the
    /// connection broke: what was done the first time is then refused by its condition.
    pub(super) async fn commit(&self, write: Write) -> Result<Committed, StoreError> {
        let message = CommitRequest {
            database: self.database_name(),
            writes: vec![write],
            ..CommitRequest::default()
        };
        let mut attempt = 1;
        loop {
            match resending(|| self.try_commit(message.clone())).await? {
                Err(status) if attempt < ATTEMPTS && is_contention(status.code() as i32) => {
                    tokio::time::sleep(Duration::from_millis(20) * attempt).await;
                    attempt += 1;
                }
                committed => return Ok(committed),
            }
        }
    }

    async fn try_commit(&self, message: CommitRequest) -> Result<Committed, StoreError> {
        let request = self
            .connection
            .request(message, &self.database_name())
            .await?;
        match self.connection.client().commit(request).await {
            Ok(answer) => {
                let answer = answer.into_inner();
                // A deletion has no update time, but a commit has one.
                let result = answer.write_results.first();
                let time = result.and_then(|result| result.update_time);
                let time = time.or(answer.commit_time);
                let revision = time.and_then(document::revision);
                let missing = || document::corrupt("Firestore did not say when it wrote");
                revision.ok_or_else(missing).map(Ok)
            }
            Err(status) => Ok(Err(status)),
        }
    }
}

pub(super) fn written(name: String, fields: Fields) -> Document {
    Document {
        name,
        fields,
        ..Document::default()
    }
}

pub(super) fn mask(fields: &[&str]) -> DocumentMask {
    DocumentMask {
        field_paths: fields.iter().map(|&field| field.to_owned()).collect(),
    }
}

pub(super) const fn conditional(operation: Operation, condition: ConditionType) -> Write {
    Write {
        operation: Some(operation),
        current_document: Some(Precondition {
            condition_type: Some(condition),
        }),
        update_mask: None,
        update_transforms: Vec::new(),
    }
}

fn draw() -> Result<i64, StoreError> {
    let number = SysRng.try_next_u64().map_err(StoreError::unavailable)?;
    Ok(number.cast_signed())
}
