//! [`Limit`]: how many sessions an owner may have at a time.

use std::sync::Arc;

use crate::{
    middleware::{
        failure::{SessionError, SessionErrorKind},
        listing::each_head,
        settings::{SessionLimit, Shared},
    },
    session::{
        authentication::Subject,
        ended::EndCause,
        event::{EventKind, SessionEvent},
        id::SessionId,
        index::IndexKey,
        policy::AtLimit,
        time::Timestamp,
    },
    store::{ListedHead, RecordHead, Removed, SessionStore, StoreError},
};

/// The limit on the sessions of an owner who logs in.
pub(super) struct Limit {
    shared: Arc<Shared>,
    store: Arc<dyn SessionStore>,
    subject: Subject,
    owner: IndexKey,
    /// The sessions that the login takes the place of, which do not count.
    replaced: Vec<SessionId>,
    limit: SessionLimit,
    now: Timestamp,
}

impl Limit {
    /// The limit of a subject who logs in.
    pub(super) fn of(
        limit: SessionLimit,
        shared: &Arc<Shared>,
        store: &Arc<dyn SessionStore>,
        subject: &Subject,
        replaced: Vec<SessionId>,
        now: Timestamp,
    ) -> Self {
        Self {
            owner: IndexKey::owner(&shared.settings.audience, subject),
            subject: subject.clone(),
            shared: Arc::clone(shared),
            store: Arc::clone(store),
            replaced,
            limit,
            now,
        }
    }

    /// Enforces the limit once the new session is there, since others log in at the same time. Says whether a session
    /// was ended.
    ///
    /// What the creation counted may hold sessions that are gone, so more than the limit is looked into; as long as it
    /// is not more, a login costs no call.
    pub(super) async fn enforce(&self, fresh: &SessionId) -> Result<bool, SessionError> {
        let most = self.limit.count.get();
        let mut others = self.others(fresh).await?;
        let Some(excess) = (others.len() + 1).checked_sub(most).filter(|n| *n > 0) else {
            return Ok(false);
        };
        if self.limit.at_limit == AtLimit::RefuseLogin {
            return Err(self.over_limit());
        }
        // A record of a later release does not say how old it is: it goes last.
        others.sort_by_key(|listed| {
            let created_at = listed.head.as_ref().ok().map(RecordHead::created_at);
            (created_at.is_none(), created_at, listed.id)
        });
        for listed in others.into_iter().take(excess) {
            let waiting = &self.shared.settings.waiting;
            let ending = waiting.ending(&listed.id, EndCause::Revoked);
            let removed = self.store.remove(&listed.id, Some(&self.owner)).await?;
            ending.done();
            if removed == Removed::Removed {
                let event = SessionEvent::new(EventKind::SessionEvicted, self.now);
                let event = event.of(listed.id).succeeded_by(*fresh);
                self.shared.tell(&event.by(Some(self.subject.clone())));
            }
        }
        Ok(true)
    }

    /// The owner's sessions that count, but for the new one and the one that it takes the place of.
    async fn others(&self, fresh: &SessionId) -> Result<Vec<ListedHead>, StoreError> {
        let mut others = Vec::new();
        let listed = each_head(&*self.store, &self.owner, self.now, |listed| {
            if listed.counted && listed.id != *fresh && !self.replaced.contains(&listed.id) {
                others.push(listed);
            }
        });
        listed.await?;
        others.sort_unstable_by_key(|listed| listed.id);
        others.dedup_by_key(|listed| listed.id);
        Ok(others)
    }

    fn over_limit(&self) -> SessionError {
        let event = SessionEvent::new(EventKind::LoginOverLimit, self.now);
        self.shared.tell(&event.by(Some(self.subject.clone())));
        SessionError::new(SessionErrorKind::TooManySessions)
    }
}
