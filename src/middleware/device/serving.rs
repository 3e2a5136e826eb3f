//! [`Serving`]: a request to an endpoint, and what it asks of the store.

use std::{any::Any, sync::Arc};

use bytes::Bytes;
use http::{Response, StatusCode};

use super::{
    bound::BoundSessions,
    found::{Brought, Failed, Found, FoundSession, Written},
    reply,
    request::Asked,
};
use crate::{
    cookie::request::Presented,
    middleware::{
        backend::{Backend, EndedTokens},
        in_flight::Ticket,
        settings::Shared,
    },
    mistake::{self, MissingLayer},
    session::{
        admit::admit,
        bind::TokenCame,
        device::{BoundDevice, Device},
        device_change::BindingChange,
        event::{EventKind, SessionEvent},
        id::{Claim, DeviceClaim, SessionId, VerifiedId},
        record::Record,
        standing::Standing,
        time::Timestamp,
    },
    store::{
        Replaced, SessionStore, Stored,
        revocation::{MemoryRevocations, RevocationList},
    },
};

/// What binds the sessions of a layer, if it was told to.
pub(super) fn bound_sessions(shared: &Shared) -> Option<&BoundSessions> {
    let devices: &dyn Any = &**shared.devices.as_ref()?;
    devices.downcast_ref()
}

/// One request to an endpoint.
pub(super) struct Serving {
    pub(super) shared: Arc<Shared>,
    kept: Kept,
    pub(super) asked: Asked,
    pub(super) now: Timestamp,
}

/// What knows of the sessions.
enum Kept {
    Records(Arc<dyn SessionStore>),
    /// They are in their tokens, and this is what ended before its time.
    Tokens(Arc<dyn RevocationList>),
}

impl Serving {
    pub(super) fn of(shared: Arc<Shared>, asked: Asked) -> Self {
        let kept = match &shared.settings.backend {
            Backend::Stored(store) => Kept::Records(Arc::clone(store)),
            Backend::SelfContained(EndedTokens::Distributed(list)) => {
                Kept::Tokens(Arc::clone(list))
            }
            Backend::SelfContained(EndedTokens::Local(list)) => {
                Kept::Tokens(Arc::new(MemoryRevocations(Arc::clone(list))))
            }
        };
        Self {
            kept,
            now: shared.settings.clock.now(),
            shared,
            asked,
        }
    }

    /// Whether accepted proofs are counted.
    pub(super) const fn counts(&self) -> bool {
        matches!(self.kept, Kept::Records(_))
    }

    /// Enters a registration among the requests under way: the token that it issues holds the session as it was when the
    /// registration came, and must undo no write.
    pub(super) fn enter(&self, family: &SessionId) -> Option<Ticket> {
        let in_flight = &self.shared.settings.in_flight;
        match self.kept {
            Kept::Records(_) => None,
            Kept::Tokens(_) => in_flight.enter(family),
        }
    }

    /// Finds the session that a request is for; a registration brings a key.
    pub(super) async fn find(
        &self,
        claim: &DeviceClaim,
        brought: Option<&Brought<'_>>,
    ) -> Result<Found, Failed> {
        let store = match &self.kept {
            Kept::Records(store) => &**store,
            Kept::Tokens(list) => return self.find_token(&**list, claim, brought).await,
        };
        let (id, stored) = (*claim.family(), self.load(store, claim.into()).await?);
        let token = self.token_came(store, &id, stored.as_ref()).await?;
        let stored = stored.map(Box::new);
        let session = stored.map(|stored| FoundSession::Record { id, stored });
        Ok(Found { token, session })
    }

    /// Writes what the session's device is now, unless another request changed the session first.
    pub(super) async fn write(
        &self,
        session: &FoundSession,
        device: BoundDevice,
        brought: Option<&Brought<'_>>,
    ) -> Result<Option<Written>, Failed> {
        match (session, &self.kept) {
            (FoundSession::Record { id, stored }, Kept::Records(store)) => {
                let is_written = self.write_record(&**store, id, stored, device).await?;
                Ok(is_written.then(Written::default))
            }
            (FoundSession::Token(session), Kept::Tokens(list)) => match brought {
                Some(brought) => self.bind_token(&**list, session, device, brought).await,
                // A refresh writes nothing into a token.
                None => Ok(None),
            },
            (FoundSession::Record { .. }, Kept::Tokens(_))
            | (FoundSession::Token(_), Kept::Records(_)) => Ok(None),
        }
    }

    /// Lets the session layer hand out the token that is to leave.
    pub(super) fn finish(&self, written: Written) {
        if let (Some(token), Some(session)) = (written.token, &self.asked.session) {
            session.note_binding(BindingChange::Bound(token));
        }
    }

    /// Lets a session that is bound to the key already be told so again, unless another request changed it first.
    pub(super) async fn again(&self, session: &FoundSession) -> Result<Option<Written>, Failed> {
        match (session, &self.kept) {
            (FoundSession::Token(session), Kept::Tokens(list)) => {
                self.hand_out_again(&**list, session).await
            }
            _ => Ok(Some(Written::default())),
        }
    }

    /// The record of a session that is alive and somebody's.
    async fn load(
        &self,
        store: &dyn SessionStore,
        id: VerifiedId<'_>,
    ) -> Result<Option<Stored>, Failed> {
        let stored = store.load(id, self.now).await;
        let stored = stored.map_err(|error| Failed::of_load(&error))?;
        Ok(stored.filter(|stored| {
            let policy = self.shared.policy();
            let is_somebodys = true;
            admit(
                &stored.record.fields.state,
                Standing::Current,
                is_somebodys,
                self.now,
                policy,
            )
            .is_ok()
        }))
    }

    /// Which live session's token came: a browser sends the cookie of the session that it is logged in with.
    async fn token_came(
        &self,
        store: &dyn SessionStore,
        family: &SessionId,
        own: Option<&Stored>,
    ) -> Result<TokenCame, Failed> {
        let opens = |stored: &Stored, claim: &Claim| {
            let secrets = &stored.record.fields.secrets;
            secrets.standing(claim.secret(), self.now).opens()
        };
        let claims = self.claims();
        let mut of_own = claims.iter().filter(|claim| claim.id() == family);
        if own.is_some_and(|own| of_own.any(|claim| opens(own, claim))) {
            return Ok(TokenCame::Own);
        }
        for claim in claims.iter().filter(|claim| claim.id() != family) {
            let other = self.load(store, claim.into()).await?;
            if other.is_some_and(|other| opens(&other, claim)) {
                return Ok(TokenCame::Other);
            }
        }
        Ok(TokenCame::None)
    }

    /// What the cookies of users' sessions claim.
    fn claims(&self) -> Vec<Claim> {
        let tokens = &self.shared.tokens;
        let found = self.shared.reader.read(&self.asked.cookies, |kind, value| {
            tokens.open_reference(kind, value, self.now)
        });
        all_of(found.session)
            .into_iter()
            .map(|token| token.value)
            .collect()
    }

    async fn write_record(
        &self,
        store: &dyn SessionStore,
        id: &SessionId,
        stored: &Stored,
        device: BoundDevice,
    ) -> Result<bool, Failed> {
        let (fields, revision) = (&stored.record.fields, stored.revision);
        let (secrets, lineage) = (fields.secrets.clone(), fields.lineage);
        let mut state = fields.state.clone();
        state.with_extra(|extra| extra.device = Some(Device::Bound(device)));
        let record = Record::of(state, secrets, lineage, self.shared.policy());
        let replaced = store.replace(id, revision, &record, self.now).await;
        match replaced.map_err(|error| Failed::of_write(&error))? {
            Replaced::Replaced(_) => Ok(true),
            Replaced::Conflict | Replaced::Gone => Ok(false),
        }
    }

    /// The answer; 503 if it failed, and never another status, at which a browser would end its session. A mistake of the
    /// application is 500.
    pub(super) fn or_unavailable(
        &self,
        answer: Result<Response<Bytes>, Failed>,
    ) -> Response<Bytes> {
        answer.unwrap_or_else(|failed| {
            let kind = match failed {
                Failed::Load => Some(EventKind::StoreFailedLoad),
                Failed::Write => Some(EventKind::StoreFailedWrite),
                Failed::Contention => None,
                Failed::TooLarge => {
                    tracing::warn!(target: "tower_session_guard", "the session is too large to be bound: put less into it");
                    None
                }
                Failed::OutsideTheLayer => {
                    let mistake = MissingLayer::around("DeviceEndpoints");
                    mistake::tell(&mistake);
                    return reply::empty(StatusCode::INTERNAL_SERVER_ERROR)
                        .map(|_| mistake::body(&mistake));
                }
            };
            if let Some(kind) = kind {
                self.shared.tell(&SessionEvent::new(kind, self.now));
            }
            reply::empty(StatusCode::SERVICE_UNAVAILABLE)
        })
    }

    /// Tells of what a session's device did.
    pub(super) fn tell(
        &self,
        kind: EventKind,
        session: &FoundSession,
        successor: Option<SessionId>,
    ) {
        let event = about(SessionEvent::new(kind, self.now), session);
        self.shared.tell(&SessionEvent { successor, ..event });
    }

    /// Tells of a refusal, if it concerns a session. Anybody can cause one that does not, so only the log says it, at the
    /// debug level.
    pub(super) fn tell_refused(
        &self,
        kind: EventKind,
        reason: &'static str,
        session: Option<&FoundSession>,
    ) {
        match session {
            Some(session) => {
                let event = SessionEvent::new(kind, self.now).because(reason);
                self.shared.tell(&about(event, session));
            }
            None => {
                let kind = kind.as_str();
                tracing::debug!(target: "tower_session_guard", kind, reason, "device refused");
            }
        }
    }
}

fn about(event: SessionEvent, session: &FoundSession) -> SessionEvent {
    event.of(*session.id()).whose(session.state())
}

/// Every token that came under one name.
pub(super) fn all_of<T>(presented: Presented<T>) -> Vec<T> {
    match presented {
        Presented::Nothing { .. } => Vec::new(),
        Presented::One(token) => vec![token],
        Presented::Several(several) => several.tokens.into_iter().collect(),
    }
}
