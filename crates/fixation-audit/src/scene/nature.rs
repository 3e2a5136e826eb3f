//! Whether an identifier stands for a session on the server or carries the session itself.

use super::super::browser::Snapshot;
use super::super::{AuditError, shape};
use super::{Identifier, Scene};

/// How often two logins are tried at one moment: a second may end between them.
const PAIRS: usize = 3;

impl Scene {
    /// How it is known that a session is self-contained, or nothing where it is not.
    ///
    /// The form of the value tells first. What has no known form is computed and signed where two logins at one moment
    /// give the same value and a changed one is refused: an identifier drawn by lot would differ.
    pub(in super::super) async fn self_contained(
        &self,
        ids: &[Identifier],
    ) -> Result<Option<String>, AuditError> {
        for id in ids {
            if let Some(form) = shape::self_contained(&id.text()) {
                return Ok(Some(format!("{} is {form}", id.name)));
            }
        }
        for id in ids {
            if self.is_computed(id).await? {
                let how =
                    "two logins at one moment get the same value, and a changed one is refused";
                return Ok(Some(format!("{} is computed and signed: {how}", id.name)));
            }
        }
        Ok(None)
    }

    async fn is_computed(&self, id: &Identifier) -> Result<bool, AuditError> {
        for _ in 0..PAIRS {
            let one = self.user(0).await?.snapshot();
            let two = self.user(0).await?.snapshot();
            if let (Some(one_id), Some(two_id)) = (
                self.identifier(&one, &id.name),
                self.identifier(&two, &id.name),
            ) && one_id.value == two_id.value
            {
                return self.is_verified(&one, &one_id).await;
            }
        }
        Ok(false)
    }

    pub(in super::super) fn identifier(&self, kept: &Snapshot, name: &str) -> Option<Identifier> {
        self.identifiers(kept)
            .into_iter()
            .find(|id| id.name == name)
    }

    /// Whether a changed value is refused while the genuine one is taken.
    pub(in super::super) async fn is_verified(
        &self,
        kept: &Snapshot,
        id: &Identifier,
    ) -> Result<bool, AuditError> {
        let changed = self.with_value(kept, &id.name, &shape::tampered(&id.text()));
        Ok(!self.reaches(&changed, 0).await? && self.reaches(kept, 0).await?)
    }
}
