//! Cut-offs: one document for each key that was ever cut off, raised on condition that it has not changed.

use std::{collections::HashMap, time::Duration};

use googleapis_tonic_google_firestore_v1::google::firestore::v1::{
    precondition::ConditionType::{Exists, UpdateTime},
    value::ValueType::BytesValue,
    write::Operation,
};
use tower_session_guard::{
    Timestamp,
    store::{Cutoff, IndexKey, StoreError},
};

use crate::{
    FirestoreStore,
    document::{EXPIRES_AT, Fields, Snapshot, corrupt, timestamp, update_time, value},
    failure::{failure, is_refusal},
    write::{conditional, written},
};

/// The cut-off's bytes.
const CUTOFF: &str = "cutoff";

/// How much longer than it must a document lasts, for clocks that differ.
const MARGIN: Duration = Duration::from_secs(86_400);

/// The longest wait after another cut-off of the same key went first.
const LONGEST_WAIT: Duration = Duration::from_millis(100);

impl FirestoreStore {
    /// Reads what is there and writes what both amount to, until nobody else wrote between. Each time that
    /// this loses, another cut-off was raised; the time limit ends it.
    pub(super) async fn raise(&self, key: &IndexKey, cutoff: &Cutoff) -> Result<(), StoreError> {
        let name = self.cutoff_name(key);
        let mut wait = Duration::from_millis(5);
        loop {
            let (next, condition) = match self.get(&name, None).await? {
                None => (*cutoff, Exists(false)),
                Some(found) => {
                    let held = cutoff_in(&found)?;
                    let next = held.raised_by(cutoff);
                    if next == held {
                        return Ok(());
                    }
                    (next, UpdateTime(update_time(found.revision)))
                }
            };
            let document = written(name.clone(), fields(&next));
            let write = conditional(Operation::Update(document), condition);
            match self.commit(write).await? {
                Ok(_) => return Ok(()),
                Err(status) if is_refusal(&status) => {
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(LONGEST_WAIT);
                }
                Err(status) => return Err(failure(status)),
            }
        }
    }

    pub(super) async fn find_cutoff(
        &self,
        key: &IndexKey,
        now: Timestamp,
    ) -> Result<Option<Cutoff>, StoreError> {
        let found = self.get(&self.cutoff_name(key), None).await?;
        let cutoff = found.as_ref().map(cutoff_in).transpose()?;
        Ok(cutoff.filter(|cutoff| now < cutoff.until.after(Cutoff::SLACK)))
    }

    /// No session's id has this form, and no query by keys finds such a document.
    fn cutoff_name(&self, key: &IndexKey) -> String {
        let digest = key.digest();
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{}/{}/cutoff-{digest}", self.root(), self.collection)
    }
}

fn fields(cutoff: &Cutoff) -> Fields {
    let end = cutoff.until.after(Cutoff::SLACK).after(MARGIN);
    let bytes = cutoff.to_bytes().to_vec();
    HashMap::from([
        (CUTOFF.to_owned(), value(BytesValue(bytes))),
        (EXPIRES_AT.to_owned(), timestamp(end)),
    ])
}

/// A cut-off that cannot be read is an error, never none.
fn cutoff_in(found: &Snapshot) -> Result<Cutoff, StoreError> {
    let cutoff = found.bytes(CUTOFF).and_then(Cutoff::from_bytes);
    cutoff.ok_or_else(|| corrupt("the document is no cut-off"))
}

#[cfg(test)]
mod tests {
    use prost_types::Timestamp as UpdateTime;
    use tower_session_guard::store::StoreErrorKind;

    use super::*;

    fn snapshot(fields: Fields) -> Snapshot {
        let mut document = written("name".to_owned(), fields);
        document.update_time = Some(UpdateTime::default());
        Snapshot::of(document).unwrap()
    }

    /// S02: Firestore may not clear a cut-off away before its end and the slack.
    #[test]
    fn a_cutoff_comes_back_from_its_document_which_outlives_it() {
        let at = Timestamp::from_unix_seconds;
        let cutoff = Cutoff::new(at(1_800_000_000), at(1_800_000_100), [7; 16]);
        let found = snapshot(fields(&cutoff));
        assert_eq!(cutoff_in(&found).unwrap(), cutoff);
        let end = cutoff.until.after(Cutoff::SLACK);
        assert!(!found.is_expired(end));
        assert!(found.is_expired(end.after(MARGIN)));
        let error = cutoff_in(&snapshot(HashMap::new())).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    }
}
