//! [`Limit`]: how many sessions a subject may have at a time.

use std::sync::Arc;

use crate::{
    middleware::{
        failure::{SessionError, SessionErrorKind},
        settings::Shared,
    },
    session::{
        authentication::Subject,
        event::{EventKind, SessionEvent},
        id::SessionId,
        policy::AtLimit,
        record::Record,
        time::Timestamp,
    },
    store::{Removed, SessionStore, StoreError},
};

/// The limit on the sessions of a subject who logs in.
pub(super) struct Limit {
    shared: Arc<Shared>,
    store: Arc<dyn SessionStore>,
    subject: Subject,
    /// The session that the login takes the place of, which does not count.
    replaced: Option<SessionId>,
    count: usize,
    at_limit: AtLimit,
    now: Timestamp,
}

impl Limit {
    /// The limit that the policy sets, if it sets one.
    pub(super) fn of(
        shared: &Arc<Shared>,
        store: &Arc<dyn SessionStore>,
        subject: Option<&Subject>,
        replaced: Option<SessionId>,
        now: Timestamp,
    ) -> Option<Self> {
        let (count, at_limit) = shared.policy().session_limit()?;
        Some(Self {
            subject: subject?.clone(),
            shared: Arc::clone(shared),
            store: Arc::clone(store),
            replaced,
            count,
            at_limit,
            now,
        })
    }

    /// Refuses a login that would be one too many, before anything is written.
    pub(super) async fn refuse_over_limit(&self) -> Result<(), SessionError> {
        if self.at_limit == AtLimit::RefuseLogin && self.others().await?.len() >= self.count {
            return Err(self.over_limit());
        }
        Ok(())
    }

    /// Enforces the limit once the new session is there, since others log in at the same time.
    pub(super) async fn enforce_limit(&self, fresh: &SessionId) -> Result<(), SessionError> {
        let mut others = self.others().await?;
        others.retain(|(id, _)| id != fresh);
        let Some(excess) = (others.len() + 1)
            .checked_sub(self.count)
            .filter(|excess| *excess > 0)
        else {
            return Ok(());
        };
        if self.at_limit == AtLimit::RefuseLogin {
            return Err(self.over_limit());
        }
        others.sort_by_key(|(id, record)| (record.created_at(), *id));
        for (id, _) in others.into_iter().take(excess) {
            if self.store.remove(&id).await? == Removed::Removed {
                let event = SessionEvent::new(EventKind::SessionEvicted, self.now);
                let event = event.of(id).succeeded_by(*fresh);
                self.shared.tell(&event.by(Some(self.subject.clone())));
            }
        }
        Ok(())
    }

    /// The subject's sessions, but for the one that the login takes the place of.
    async fn others(&self) -> Result<Vec<(SessionId, Record)>, StoreError> {
        let mut sessions = self.store.sessions_of(&self.subject, self.now).await?;
        sessions.retain(|(id, _)| Some(*id) != self.replaced);
        Ok(sessions)
    }

    fn over_limit(&self) -> SessionError {
        let event = SessionEvent::new(EventKind::LoginOverLimit, self.now);
        self.shared.tell(&event.by(Some(self.subject.clone())));
        SessionError::new(SessionErrorKind::TooManySessions)
    }
}
