//! How many sessions a subject may have at a time.

use super::stored::Settle;
use crate::{
    middleware::failure::{SessionError, SessionErrorKind},
    session::{
        authentication::Subject,
        event::{EventKind, SessionEvent},
        id::SessionId,
        policy::AtLimit,
        record::Record,
    },
    store::{Removed, StoreError},
};

impl Settle<'_> {
    /// Refuses a login that would be one too many, before anything is written.
    pub(super) async fn refuse_over_limit(
        &self,
        subject: Option<&Subject>,
    ) -> Result<(), SessionError> {
        let limit = self.shared.policy().session_limit();
        let (Some(subject), Some((count, AtLimit::RefuseLogin))) = (subject, limit) else {
            return Ok(());
        };
        if self.others_of(subject).await?.len() >= count {
            return Err(self.over_limit(subject));
        }
        Ok(())
    }

    /// Keeps to the limit once the new session is there, since others log in at the same time.
    pub(super) async fn keep_limit(
        &self,
        subject: Option<&Subject>,
        fresh: &SessionId,
    ) -> Result<(), SessionError> {
        let (Some(subject), Some((count, at_limit))) =
            (subject, self.shared.policy().session_limit())
        else {
            return Ok(());
        };
        let mut others = self.others_of(subject).await?;
        others.retain(|(id, _)| id != fresh);
        let Some(excess) = (others.len() + 1).checked_sub(count).filter(|n| *n > 0) else {
            return Ok(());
        };
        if at_limit == AtLimit::RefuseLogin {
            return Err(self.over_limit(subject));
        }
        others.sort_by_key(|(id, record)| (record.created_at(), *id));
        for (id, _) in others.into_iter().take(excess) {
            if self.store.remove(&id).await? == Removed::Removed {
                let event = SessionEvent::new(EventKind::SessionEvicted, self.finished.now);
                let event = event.of(id).succeeded_by(*fresh);
                self.shared.tell(&event.by(Some(subject.clone())));
            }
        }
        Ok(())
    }

    /// The subject's sessions, but for the one that the login takes the place of.
    async fn others_of(&self, subject: &Subject) -> Result<Vec<(SessionId, Record)>, StoreError> {
        let own = self.live.as_ref().map(|live| live.id);
        let mut sessions = self.store.sessions_of(subject, self.finished.now).await?;
        sessions.retain(|(id, _)| Some(*id) != own);
        Ok(sessions)
    }

    fn over_limit(&self, subject: &Subject) -> SessionError {
        let event = SessionEvent::new(EventKind::LoginOverLimit, self.finished.now);
        self.shared.tell(&event.by(Some(subject.clone())));
        SessionError::new(SessionErrorKind::TooManySessions)
    }
}
