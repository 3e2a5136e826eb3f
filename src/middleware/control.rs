//! [`Sessions`]: control over sessions from outside their own requests.

use std::{fmt, sync::Arc};

use super::{
    backend::{Backend, EndedTokens},
    failure::{SessionError, SessionErrorKind},
    settings::Shared,
};
use crate::{
    session::{
        authenticated::AuthenticatedSession,
        authentication::{AssuranceLevel, Subject},
        event::{EventKind, SessionEvent},
        id::SessionId,
        record::Record,
        time::Timestamp,
    },
    store::{Removed, SessionStore, StoreError, revocation::IssuedToken},
};

/// Lists and ends sessions: for account pages, administrators and background jobs.
///
/// [`SessionLayer::sessions`](crate::SessionLayer::sessions) gives one; a clone is the same handle. What it
/// ends is dead when its future is done: at the next request, on every node that shares the store. The
/// calls wait for the store and leave an event. A future dropped half-way may have ended some.
///
/// With self-contained tokens there is no list of sessions. Everything of a subject can be ended, by
/// remembering the moment: in the memory of this process, of which another process knows nothing and which a
/// restart forgets, or on the nodes that [share a list](crate::SessionLayer::with_revocations).
///
/// # Examples
///
/// After a change of password, everything ends but the session at hand, which gets a new token:
///
/// ```
/// use tower_session_guard::{AuthenticatedSession, SessionError, Sessions};
///
/// async fn password_changed(
///     sessions: &Sessions,
///     user: &AuthenticatedSession,
/// ) -> Result<(), SessionError> {
///     sessions.end_others(user).await?;
///     user.session().login(user.subject().clone());
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct Sessions(Arc<Shared>);

/// One session in a list: what a person recognises it by, and nothing that could be presented.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionInfo {
    /// Its id, to [end](Sessions::end) it by; the session at hand is the one with the same id.
    pub id: SessionId,
    /// When its user logged in.
    pub created_at: Timestamp,
    /// When it was last used, as exactly as the policy's
    /// [touch interval](crate::SessionPolicy::touch_interval) tells.
    pub last_seen_at: Timestamp,
    /// When it ends unless it is used.
    pub expires_at: Timestamp,
    /// The assurance level that holds now.
    pub level: Option<AssuranceLevel>,
    /// What the application called it at the login.
    pub label: Option<String>,
}

impl Sessions {
    pub(super) const fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    /// The live sessions of `subject`, the last used first.
    ///
    /// # Errors
    ///
    /// If the store fails, or there is none.
    pub async fn list(&self, subject: &Subject) -> Result<Vec<SessionInfo>, SessionError> {
        let now = self.now();
        let found = self.store()?.sessions_of(subject, now).await;
        let mut list: Vec<_> = self
            .told(found)?
            .into_iter()
            .map(|(id, record)| SessionInfo::of(id, &record, now))
            .collect();
        list.sort_by_key(|session| (session.last_seen_at, session.id));
        list.reverse();
        Ok(list)
    }

    /// Ends one session of `subject`; false if the subject has none with this id.
    ///
    /// An id of another subject's session ends nothing, so an id that came with a request may be passed
    /// on together with the subject who is logged in there.
    ///
    /// # Errors
    ///
    /// If the store fails, or there is none.
    pub async fn end(&self, subject: &Subject, id: &SessionId) -> Result<bool, SessionError> {
        let store = self.store()?;
        let own = self.told(store.sessions_of(subject, self.now()).await)?;
        if !own.iter().any(|(other, _)| other == id) {
            return Ok(false);
        }
        let removed = self.told(store.remove(id).await)? == Removed::Removed;
        if removed {
            let event = SessionEvent::new(EventKind::SessionRevoked, self.now()).of(*id);
            self.0.tell(&event.by(Some(subject.clone())));
        }
        Ok(removed)
    }

    /// Ends every session of the user but the one at hand, and says how many; `None` with self-contained
    /// tokens, which nobody counts.
    ///
    /// The session at hand keeps its token: renew it, or log in again, if others may have had that.
    ///
    /// # Errors
    ///
    /// If the store fails; then some may have ended. [`Refused`](SessionErrorKind::Refused) if the session
    /// at hand has itself been ended meanwhile: then nothing else is.
    pub async fn end_others(
        &self,
        keep: &AuthenticatedSession,
    ) -> Result<Option<usize>, SessionError> {
        let (subject, id, now) = (keep.subject(), keep.id(), self.now());
        let ended = match &self.0.settings.backend {
            Backend::Stored(store) => {
                let own = self.told(store.sessions_of(subject, now).await)?;
                if !own.iter().any(|(other, _)| *other == id) {
                    return Err(SessionError::new(SessionErrorKind::Refused));
                }
                Some(self.told(store.remove_all_of(subject, Some(&id)).await)?)
            }
            Backend::SelfContained(list) => {
                let until = self.0.policy().last_expiry(now);
                let token = IssuedToken::new(&id, Some(subject), keep.last_seen_at());
                let ended = match list {
                    EndedTokens::Local(list) => {
                        list.end_others(subject, token.id, token.issued_at, now, until)
                    }
                    EndedTokens::Distributed(list) => {
                        self.told(list.end_others(token, now, until).await)?
                    }
                };
                if !ended {
                    return Err(SessionError::new(SessionErrorKind::Refused));
                }
                None
            }
        };
        let event = SessionEvent::new(EventKind::SubjectRevoked, now).by(Some(subject.clone()));
        self.0.tell(&event.succeeded_by(id));
        Ok(ended)
    }

    /// Ends every session of `subject`, and says how many; `None` with self-contained tokens, which nobody
    /// counts.
    ///
    /// # Errors
    ///
    /// If the store fails; then some may have ended.
    pub async fn end_all(&self, subject: &Subject) -> Result<Option<usize>, SessionError> {
        let now = self.now();
        let ended = match &self.0.settings.backend {
            Backend::Stored(store) => Some(self.told(store.remove_all_of(subject, None).await)?),
            Backend::SelfContained(list) => {
                let until = self.0.policy().last_expiry(now);
                match list {
                    EndedTokens::Local(list) => list.end_subject(subject, now, until),
                    EndedTokens::Distributed(list) => {
                        self.told(list.end_subject(subject, now, until).await)?;
                    }
                }
                None
            }
        };
        let event = SessionEvent::new(EventKind::SubjectRevoked, now);
        self.0.tell(&event.by(Some(subject.clone())));
        Ok(ended)
    }

    fn store(&self) -> Result<&dyn SessionStore, SessionError> {
        match &self.0.settings.backend {
            Backend::Stored(store) => Ok(&**store),
            Backend::SelfContained(_) => Err(SessionError::new(SessionErrorKind::NeedsStore)),
        }
    }

    fn now(&self) -> Timestamp {
        self.0.settings.clock.now()
    }

    /// Tells of a store that failed.
    fn told<T>(&self, answer: Result<T, StoreError>) -> Result<T, SessionError> {
        answer.map_err(|error| {
            let event = SessionEvent::new(EventKind::StoreFailedControl, self.now());
            self.0.tell(&event);
            error.into()
        })
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").finish_non_exhaustive()
    }
}

impl SessionInfo {
    fn of(id: SessionId, record: &Record, now: Timestamp) -> Self {
        Self {
            id,
            created_at: record.created_at(),
            last_seen_at: record.last_seen_at(),
            expires_at: record.expires_at(),
            level: record.level(now),
            label: record.label().map(str::to_owned),
        }
    }
}
