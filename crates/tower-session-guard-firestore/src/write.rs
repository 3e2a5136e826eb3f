//! Conditional writes of one session. Each draws a number by which it knows its own work again.

use std::time::Duration;

use googleapis_tonic_google_firestore_v1::google::firestore::v1::{
    CommitRequest, Precondition, Write,
    precondition::ConditionType::{self, Exists, UpdateTime},
    write::Operation,
};
use rand::{TryRng, rngs::SysRng};
use tonic::{Code, Status};
use tower_session_guard::{
    Record, SessionId, Timestamp,
    store::{Created, Removed, Replaced, Revision, StoreError, StoreErrorKind},
};

use crate::{
    FirestoreStore,
    document::{self, document, update_time},
    failure::{RECONNECTIONS, failure, is_contention, is_lost_connection, reconnecting},
};

/// How often a write is tried that Firestore gave up in favour of another one.
const ATTEMPTS: u32 = 4;

impl FirestoreStore {
    pub(super) async fn insert(
        &self,
        id: &SessionId,
        record: &Record,
    ) -> Result<Created, StoreError> {
        let draw = draw()?;
        let document = document(self.document_name(id), record, draw);
        let write = conditional(Operation::Update(document), Exists(false));
        match self.commit(write).await? {
            Ok(revision) => Ok(Created::Created(revision?)),
            // Perhaps by this very write, whose answer was lost.
            Err(status) if status.code() == Code::AlreadyExists => {
                let there = self.get(id).await?.filter(|there| there.is_of(draw));
                Ok(there.map_or(Created::Occupied, |there| Created::Created(there.revision)))
            }
            Err(status) => Err(failure(status)),
        }
    }

    /// Reads whether the session has expired, which no precondition can say, and writes on condition that
    /// what was read is still there.
    pub(super) async fn update(
        &self,
        id: &SessionId,
        revision: Revision,
        record: &Record,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        let draw = draw()?;
        for attempt in 1..=ATTEMPTS {
            let Some(found) = self.get(id).await? else {
                return Ok(Replaced::Gone);
            };
            // A write of before, whose answer was lost or a refusal of its own repetition.
            if found.is_of(draw) {
                return Ok(Replaced::Replaced(found.revision));
            }
            let stored = found.stored()?;
            if stored.record.is_expired(now) {
                return Ok(Replaced::Gone);
            }
            if found.revision != revision {
                return Ok(Replaced::Conflict);
            }
            if stored.record.subject() != record.subject() {
                let why = "a session keeps its subject for as long as it lives";
                return Err(StoreError::with_source(StoreErrorKind::Unsupported, why));
            }
            let document = document(self.document_name(id), record, draw);
            let unchanged = UpdateTime(update_time(revision));
            let write = conditional(Operation::Update(document), unchanged);
            match self.commit(write).await? {
                Ok(revision) => return Ok(Replaced::Replaced(revision?)),
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

    pub(super) async fn delete(&self, id: &SessionId) -> Result<Removed, StoreError> {
        let delete = Operation::Delete(self.document_name(id));
        match self.commit(conditional(delete, Exists(true))).await? {
            Ok(_) => Ok(Removed::Removed),
            Err(status) if matches!(status.code(), Code::NotFound | Code::FailedPrecondition) => {
                Ok(Removed::Absent)
            }
            Err(status) => Err(failure(status)),
        }
    }

    /// Commits one write: the revision that it led to, or Firestore's refusal. Tried again where Firestore
    /// undid it for the sake of another one, and where the connection broke: what was done the first
    /// time is then refused by its condition.
    async fn commit(
        &self,
        write: Write,
    ) -> Result<Result<Result<Revision, StoreError>, Status>, StoreError> {
        let database = self.database_name();
        let message = CommitRequest {
            database: database.clone(),
            writes: vec![write],
            ..CommitRequest::default()
        };
        let mut attempt = 1;
        let mut reconnections = 0;
        loop {
            let request = self.connection.request(message.clone(), &database).await?;
            match self.connection.client().commit(request).await {
                Ok(answer) => {
                    let answer = answer.into_inner();
                    let result = answer.write_results.first();
                    let time = result.and_then(|result| result.update_time);
                    let revision = time.and_then(document::revision);
                    return Ok(Ok(revision.ok_or_else(|| {
                        document::corrupt("Firestore did not say when it wrote")
                    })));
                }
                Err(status) if attempt < ATTEMPTS && is_contention(status.code() as i32) => {
                    tokio::time::sleep(Duration::from_millis(20) * attempt).await;
                    attempt += 1;
                }
                Err(status) if reconnections < RECONNECTIONS && is_lost_connection(&status) => {
                    reconnections += 1;
                    reconnecting(reconnections).await;
                }
                Err(status) => return Ok(Err(status)),
            }
        }
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

fn is_refusal(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::FailedPrecondition | Code::NotFound | Code::Aborted
    )
}

fn draw() -> Result<i64, StoreError> {
    let number = SysRng.try_next_u64().map_err(StoreError::unavailable)?;
    Ok(number.cast_signed())
}
