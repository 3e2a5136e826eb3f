//! [`Sessions`]: control over sessions from outside their own requests.

use std::{fmt, marker::PhantomData, sync::Arc};

use super::{
    backend::{AnyBackend, Backend, EndedTokens, InStore},
    endings::Lasting,
    failure::{SessionError, SessionErrorKind},
    listing::{PAGE, each_head},
    observe::tell_cause,
    settings::{Shared, Slot},
};
use crate::{
    session::{
        admit::admit,
        authenticated::AuthenticatedSession,
        authentication::{AssuranceLevel, Subject},
        ended::EndCause,
        event::{EventKind, SessionEvent},
        handle::Session,
        head::RecordHead,
        id::{SessionId, VerifiedId},
        index::IndexKey,
        standing::Standing,
        time::Timestamp,
    },
    store::{Cutoff, ListedHead, Removed, SessionStore, StoreError, revocation::IssuedToken},
};

/// Lists and ends sessions: for account pages, administrators and background jobs.
///
/// [`SessionLayer::sessions`](crate::SessionLayer::sessions) gives one, which follows its layer; a clone is the same
/// handle. What it
/// ends is dead when its future is done: at the next request, on every node that shares the store. The
/// calls wait for the store and leave an event. An ending that began completes though its future is dropped, page
/// by page, while other requests are served.
///
/// With self-contained tokens there is no list of sessions, so [`list`](Self::list) and [`end`](Self::end) are not
/// there. Everything of a subject can be ended, by remembering the moment: as the layer's
/// [`Endings`](crate::Endings) say.
///
/// A login that is under way when everything of its subject ends does not survive: it is refused with 401. So a
/// login that comes after the answer always works, and one whose password was checked before does not slip
/// through.
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
pub struct Sessions<K = InStore> {
    slot: Arc<Slot>,
    kind: PhantomData<fn() -> K>,
}

/// What the layer is while one call lasts.
struct Current(Arc<Shared>);

/// One session in a list: what a person recognises it by, and nothing that could be presented.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionInfo {
    /// Its id, to [end](Sessions::end) it by; the session at hand is the one with the same id.
    pub id: SessionId,
    /// What its record says; `None` of a record that a later release wrote, which this one cannot read.
    pub details: Option<SessionDetails>,
}

/// What a record says of its session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionDetails {
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
    /// When its device last proved that it has its key, if the session is bound to one.
    pub device_proved_at: Option<Timestamp>,
    /// Whose session it is.
    pub subject: Option<Subject>,
    /// Who acts as that subject, if somebody does: a list of either has the session.
    pub actor: Option<Subject>,
}

impl Sessions<InStore> {
    /// The live sessions of `subject` in the layer's audience, the last used first.
    ///
    /// It reads the heads of records only, page by page, not what the sessions hold.
    ///
    /// # Errors
    ///
    /// If the store fails.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::{SessionError, SessionInfo, Sessions, Subject};
    ///
    /// async fn page(sessions: &Sessions, user: &Subject) -> Result<Vec<String>, SessionError> {
    ///     let live = sessions.list(user).await?;
    ///     let label = |one: &SessionInfo| one.details.as_ref()?.label.clone();
    ///     Ok(live.iter().filter_map(label).collect())
    /// }
    /// ```
    pub async fn list(&self, subject: &Subject) -> Result<Vec<SessionInfo>, SessionError> {
        let current = self.current();
        let (now, owner) = (current.now(), current.owner(subject));
        let store = current.store();
        let mut found = Vec::new();
        let listed = each_head(store, &owner, now, |listed| {
            found.push(SessionInfo::of(&listed, now));
        });
        let listed = listed.await;
        current.told(listed)?;
        let last_seen = |info: &SessionInfo| info.details.as_ref().map(|one| one.last_seen_at);
        found.sort_by_key(|info| (last_seen(info), info.id));
        found.dedup_by_key(|info| info.id);
        found.reverse();
        Ok(found)
    }

    /// Ends one session of `subject`; false if the subject has none with this id.
    ///
    /// An id of another subject's session ends nothing, so an id that came with a request may be passed
    /// on together with the subject who is logged in there.
    ///
    /// # Errors
    ///
    /// If the store fails.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::{SessionError, SessionId, Sessions, Subject};
    ///
    /// async fn end_one(sessions: &Sessions, user: &Subject, id: &str) -> Result<bool, SessionError> {
    ///     // The id came back from a form. It ends a session of this user only.
    ///     match id.parse::<SessionId>() {
    ///         Ok(id) => sessions.end(user, &id).await,
    ///         Err(_) => Ok(false),
    ///     }
    /// }
    /// ```
    pub async fn end(&self, subject: &Subject, id: &SessionId) -> Result<bool, SessionError> {
        let current = self.current();
        let owner = current.owner(subject);
        let ending = current.0.settings.waiting.ending(id, EndCause::Revoked);
        let removed = current.store().remove(id, Some(&owner)).await;
        let removed = current.told(removed)? == Removed::Removed;
        if removed {
            ending.done();
        } else {
            ending.withdraw();
        }
        // Another node may have ended it just now.
        current.hold_endings().await?;
        if removed {
            let event = SessionEvent::new(EventKind::SessionRevoked, current.now()).of(*id);
            current.0.tell(&event.by(Some(subject.clone())));
        }
        Ok(removed)
    }

    /// Whether the session of `subject` with this id is alive.
    ///
    /// It asks the store, and is no use of the session. A long connection has
    /// [`AuthenticatedSession::ended`](crate::AuthenticatedSession::ended), which waits instead of asking now and then.
    ///
    /// # Errors
    ///
    /// If the store fails.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::{AuthenticatedSession, SessionError, Sessions};
    ///
    /// async fn may_go_on(sessions: &Sessions, user: &AuthenticatedSession) -> Result<bool, SessionError> {
    ///     sessions.is_live(user.subject(), &user.id()).await
    /// }
    /// ```
    pub async fn is_live(&self, subject: &Subject, id: &SessionId) -> Result<bool, SessionError> {
        let current = self.current();
        let now = current.now();
        let loaded = current.store().load(VerifiedId::of(id), now).await;
        let Some(stored) = current.told(loaded)? else {
            return Ok(false);
        };
        let state = &stored.record.fields.state;
        // What the present policy no longer admits is not alive.
        let admitted = admit(state, Standing::Current, true, now, current.0.policy());
        Ok(admitted.is_ok() && stored.record.owner() == Some(current.owner(subject)))
    }
}

impl Sessions<AnyBackend> {
    /// The same with what only a store can do, if sessions are in one.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::{KeyRing, SessionLayer};
    ///
    /// let sessions = SessionLayer::new(KeyRing::generate()?).into_any().sessions();
    /// assert!(sessions.in_store().is_some());
    /// # Ok::<(), tower_session_guard::ConfigError>(())
    /// ```
    #[must_use]
    pub fn in_store(&self) -> Option<Sessions<InStore>> {
        // A layer whose backend is chosen at run time keeps it.
        match self.current().0.settings.backend {
            Backend::Stored(_) => Some(Sessions::following(Arc::clone(&self.slot))),
            Backend::SelfContained(_) => None,
        }
    }
}

impl<K> Sessions<K> {
    pub(crate) const fn following(slot: Arc<Slot>) -> Self {
        Self {
            slot,
            kind: PhantomData,
        }
    }

    fn current(&self) -> Current {
        Current(self.slot.get())
    }

    /// Ends every session of the user but the one at hand, and says how many; `None` with self-contained
    /// tokens, which nobody counts.
    ///
    /// The session at hand keeps its token: renew it, or log in again, if others may have had that. A login that
    /// its request marks works.
    ///
    /// # Errors
    ///
    /// If the store fails; then some may have ended. [`Refused`](SessionErrorKind::Refused) if the session
    /// at hand has itself been ended meanwhile: then nothing else is.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::{AuthenticatedSession, SessionError, Sessions};
    ///
    /// async fn log_out_elsewhere(sessions: &Sessions, user: &AuthenticatedSession) -> Result<(), SessionError> {
    ///     sessions.end_others(user).await?;
    ///     Ok(())
    /// }
    /// ```
    pub async fn end_others(
        &self,
        keep: &AuthenticatedSession,
    ) -> Result<Option<usize>, SessionError> {
        let current = self.current();
        let (subject, id) = (keep.subject(), keep.id());
        let owner = current.owner(subject);
        let ended = match &current.0.settings.backend {
            Backend::Stored(store) => {
                let own = store.load(VerifiedId::of(&id), current.now()).await;
                let own = current.told(own)?;
                if own.is_none_or(|own| own.record.owner().as_ref() != Some(&owner)) {
                    return Err(SessionError::new(SessionErrorKind::Refused));
                }
                let (cutoff, number) = current.cut_off(Lasting::RequestsUnderWay);
                keep.session().came_after(number);
                Some(current.end_stored(store, owner, cutoff, Some(id)).await?)
            }
            Backend::SelfContained(list) => {
                let (cutoff, number) = current.cut_off(Lasting::Tokens);
                keep.session().came_after(number);
                let Some(live) = keep.session().live() else {
                    return Err(SessionError::new(SessionErrorKind::Refused));
                };
                let token = IssuedToken::of(live, &current.0.settings.audience);
                let now = current.now();
                let waiting = &current.0.settings.waiting;
                let spared = Some(*live.family());
                let ending = waiting.ending_under(&owner, spared, EndCause::Revoked);
                let ended = match list {
                    EndedTokens::Local(list) => {
                        let ended = list.end_others(token, &owner, &cutoff, now);
                        ended.map_err(StoreError::from)
                    }
                    EndedTokens::Distributed(list) => {
                        list.end_others(token, &owner, &cutoff, now).await
                    }
                };
                if !current.told(ended)? {
                    ending.withdraw();
                    return Err(SessionError::new(SessionErrorKind::Refused));
                }
                ending.done();
                None
            }
        };
        current.hold_endings().await?;
        let event = SessionEvent::new(EventKind::OtherSessionsRevoked, current.now());
        let event = event.by(Some(subject.clone()));
        current.0.tell(&event.except(id));
        Ok(ended)
    }

    /// Ends every session of `subject`, and says how many; `None` with self-contained tokens, which nobody
    /// counts.
    ///
    /// A login of the subject that is under way is refused, that of a request which calls this included: call
    /// [`end_all_from`](Self::end_all_from) there.
    ///
    /// # Errors
    ///
    /// If the store fails; then some may have ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::{SessionError, Sessions, Subject};
    ///
    /// async fn account_closed(sessions: &Sessions, user: &Subject) -> Result<(), SessionError> {
    ///     sessions.end_all(user).await?;
    ///     Ok(())
    /// }
    /// ```
    pub async fn end_all(&self, subject: &Subject) -> Result<Option<usize>, SessionError> {
        self.current().end_all_of(subject, None).await
    }

    /// The same from within a request that goes on to log in: after a password was reset by mail, say.
    ///
    /// # Errors
    ///
    /// As [`end_all`](Self::end_all).
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::{Session, SessionError, Sessions, Subject};
    ///
    /// async fn password_was_reset(
    ///     sessions: &Sessions,
    ///     session: &Session,
    ///     user: Subject,
    /// ) -> Result<(), SessionError> {
    ///     sessions.end_all_from(session, &user).await?;
    ///     session.login(user);
    ///     Ok(())
    /// }
    /// ```
    pub async fn end_all_from(
        &self,
        session: &Session,
        subject: &Subject,
    ) -> Result<Option<usize>, SessionError> {
        self.current().end_all_of(subject, Some(session)).await
    }

    /// Ends every session whose login named `tag`, and says how many; `None` with self-contained tokens, which
    /// nobody counts.
    ///
    /// # Errors
    ///
    /// If the store fails; then some may have ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::{SessionError, Sessions};
    ///
    /// async fn device_lost(sessions: &Sessions, device: &str) -> Result<(), SessionError> {
    ///     // As the login was tagged.
    ///     sessions.end_tagged(&format!("device {device}")).await?;
    ///     Ok(())
    /// }
    /// ```
    pub async fn end_tagged(&self, tag: &str) -> Result<Option<usize>, SessionError> {
        let current = self.current();
        let key = IndexKey::tag(&current.0.settings.audience, tag);
        let ended = current.end_under(key, None).await?;
        current.hold_endings().await?;
        current
            .0
            .tell(&SessionEvent::new(EventKind::TagRevoked, current.now()));
        Ok(ended)
    }
}

impl Current {
    async fn end_all_of(
        &self,
        subject: &Subject,
        from: Option<&Session>,
    ) -> Result<Option<usize>, SessionError> {
        let ended = self.end_under(self.owner(subject), from).await?;
        self.hold_endings().await?;
        let event = SessionEvent::new(EventKind::SubjectRevoked, self.now());
        self.0.tell(&event.by(Some(subject.clone())));
        Ok(ended)
    }

    async fn end_under(
        &self,
        key: IndexKey,
        from: Option<&Session>,
    ) -> Result<Option<usize>, SessionError> {
        let now = self.now();
        let lasting = match self.0.settings.backend {
            Backend::Stored(_) => Lasting::RequestsUnderWay,
            Backend::SelfContained(_) => Lasting::Tokens,
        };
        let (cutoff, number) = self.cut_off(lasting);
        if let Some(session) = from {
            session.came_after(number);
        }
        let list = match &self.0.settings.backend {
            Backend::Stored(store) => {
                return Ok(Some(self.end_stored(store, key, cutoff, None).await?));
            }
            Backend::SelfContained(list) => list,
        };
        let waiting = &self.0.settings.waiting;
        let ending = waiting.ending_under(&key, None, EndCause::Revoked);
        let ended = match list {
            EndedTokens::Local(list) => {
                let ended = list.end_all(&key, &cutoff, None, now);
                ended.map_err(StoreError::from)
            }
            EndedTokens::Distributed(list) => list.end_all(&key, &cutoff, now).await,
        };
        self.told(ended)?;
        ending.done();
        Ok(None)
    }

    /// First the cut-off, for logins under way; then what the index names, page by page.
    async fn end_stored(
        &self,
        store: &Arc<dyn SessionStore>,
        key: IndexKey,
        cutoff: Cutoff,
        except: Option<SessionId>,
    ) -> Result<usize, SessionError> {
        let (store, now) = (Arc::clone(store), self.now());
        let waiting = Arc::clone(&self.0.settings.waiting);
        let work = async move {
            let ending = waiting.ending_under(&key, except, EndCause::Revoked);
            store.raise_cutoff(&key, &cutoff, now).await?;
            let (mut ended, mut after) = (0, None);
            loop {
                let page = store.end_listed(&key, after.as_ref(), PAGE, except.as_ref());
                let page = page.await?;
                ended += page.ended;
                after = page.next;
                if after.is_none() {
                    ending.done();
                    return Ok(ended);
                }
                // A store in memory never waits.
                tokio::task::yield_now().await;
            }
        };
        let ended = self.0.settings.background.complete(work).await;
        self.told(ended)
    }

    /// Waits until what ended has ended on every node, also on those that answer from copies.
    async fn hold_endings(&self) -> Result<(), SessionError> {
        let wait = match &self.0.settings.backend {
            Backend::Stored(store) => store.endings_hold(),
            Backend::SelfContained(EndedTokens::Distributed(list)) => list.endings_hold(),
            Backend::SelfContained(EndedTokens::Local(_)) => None,
        };
        match wait {
            Some(wait) => self.told(wait.await),
            None => Ok(()),
        }
    }

    fn cut_off(&self, lasting: Lasting) -> (Cutoff, u64) {
        self.0.settings.endings.cut_off(self.now(), lasting)
    }

    fn owner(&self, subject: &Subject) -> IndexKey {
        IndexKey::owner(&self.0.settings.audience, subject)
    }

    fn store(&self) -> &dyn SessionStore {
        match &self.0.settings.backend {
            Backend::Stored(store) => &**store,
            Backend::SelfContained(_) => unreachable!("its handles have no method that calls this"),
        }
    }

    fn now(&self) -> Timestamp {
        self.0.settings.clock.now()
    }

    /// Tells of a store that failed.
    fn told<T>(&self, answer: Result<T, StoreError>) -> Result<T, SessionError> {
        answer.map_err(|error| {
            tell_cause(&error);
            let event = SessionEvent::new(EventKind::StoreFailedControl, self.now());
            self.0.tell(&event);
            error.into()
        })
    }
}

impl<K> Clone for Sessions<K> {
    fn clone(&self) -> Self {
        Self::following(Arc::clone(&self.slot))
    }
}

impl<K> fmt::Debug for Sessions<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").finish_non_exhaustive()
    }
}

impl SessionInfo {
    fn of(listed: &ListedHead, now: Timestamp) -> Self {
        let details = |head: &RecordHead| SessionDetails {
            created_at: head.created_at(),
            last_seen_at: head.last_seen_at(),
            expires_at: head.expires_at(),
            level: head.level(now),
            label: head.label().map(str::to_owned),
            device_proved_at: head.device_proved_at(),
            subject: head.subject().cloned(),
            actor: head.actor().cloned(),
        };
        Self {
            id: listed.id,
            details: listed.head.as_ref().ok().map(details),
        }
    }
}
