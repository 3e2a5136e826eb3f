//! [`Serving`]: a request to an endpoint, and what it asks of the store.

use std::{any::Any, sync::Arc};

use bytes::Bytes;
use http::{Response, StatusCode};

use super::{bound::BoundSessions, reply, request::Asked};
use crate::{
    cookie::request::Presented,
    middleware::{backend::Backend, settings::Shared},
    session::{
        admit::admit,
        bind::TokenCame,
        device::{BoundDevice, Device},
        event::{EventKind, SessionEvent},
        id::{Claim, SessionId, VerifiedId},
        record::Record,
        standing::Standing,
        state::State,
        time::Timestamp,
    },
    store::{Replaced, SessionStore, StoreError, Stored},
};

/// What binds the sessions of a layer, if it was told to.
pub(super) fn bound_sessions(shared: &Shared) -> Option<&BoundSessions> {
    let devices: &dyn Any = &**shared.devices.as_ref()?;
    devices.downcast_ref()
}

/// One request to an endpoint.
pub(super) struct Serving {
    pub(super) shared: Arc<Shared>,
    store: Arc<dyn SessionStore>,
    pub(super) asked: Asked,
    pub(super) now: Timestamp,
}

/// Why a request gets no answer of a decision's: 503, at which a browser keeps its session.
#[derive(Debug)]
pub(super) enum Failed {
    Load,
    Write,
    /// Others kept changing the session.
    Contention,
}

impl Serving {
    /// None where no store keeps the sessions.
    pub(super) fn of(shared: Arc<Shared>, asked: Asked) -> Option<Self> {
        let Backend::Stored(store) = &shared.settings.backend else {
            return None;
        };
        Some(Self {
            store: Arc::clone(store),
            now: shared.settings.clock.now(),
            shared,
            asked,
        })
    }

    /// The record of a session that is alive and somebody's.
    pub(super) async fn load(&self, id: VerifiedId<'_>) -> Result<Option<Stored>, Failed> {
        let stored = self.store.load(id, self.now).await;
        let stored = stored.map_err(|_: StoreError| Failed::Load)?;
        Ok(stored.filter(|stored| {
            let policy = self.shared.policy();
            let is_somebodys = true;
            admit(
                state_of(stored),
                Standing::Current,
                is_somebodys,
                self.now,
                policy,
            )
            .is_ok()
        }))
    }

    /// Which live session's token came: a browser sends the cookie of the session that it is logged in with.
    pub(super) async fn token_came(
        &self,
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
            let other = self.load(claim.into()).await?;
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
        match found.session {
            Presented::Nothing { .. } => Vec::new(),
            Presented::One(token) => vec![token.value],
            Presented::Several(several) => several
                .tokens
                .into_iter()
                .map(|token| token.value)
                .collect(),
        }
    }

    /// Writes what the session's device is now, unless another request wrote the session first.
    pub(super) async fn write(
        &self,
        id: &SessionId,
        stored: &Stored,
        device: BoundDevice,
    ) -> Result<bool, Failed> {
        let (fields, revision) = (&stored.record.fields, stored.revision);
        let (secrets, lineage) = (fields.secrets.clone(), fields.lineage);
        let mut state = fields.state.clone();
        state.with_extra(|extra| extra.device = Some(Device::Bound(device)));
        let record = Record::of(state, secrets, lineage, self.shared.policy());
        let replaced = self.store.replace(id, revision, &record, self.now).await;
        match replaced.map_err(|_: StoreError| Failed::Write)? {
            Replaced::Replaced(_) => Ok(true),
            Replaced::Conflict | Replaced::Gone => Ok(false),
        }
    }

    /// The answer; 503 if it failed, and never another status, at which a browser would end its session.
    pub(super) fn or_unavailable(
        &self,
        answer: Result<Response<Bytes>, Failed>,
    ) -> Response<Bytes> {
        answer.unwrap_or_else(|failed| {
            let kind = match failed {
                Failed::Load => Some(EventKind::StoreFailedLoad),
                Failed::Write => Some(EventKind::StoreFailedWrite),
                Failed::Contention => None,
            };
            if let Some(kind) = kind {
                self.shared.tell(&SessionEvent::new(kind, self.now));
            }
            reply::empty(StatusCode::SERVICE_UNAVAILABLE)
        })
    }

    /// Tells of what a session's device did.
    pub(super) fn tell(&self, kind: EventKind, id: &SessionId, state: &State) {
        let event = SessionEvent::new(kind, self.now);
        self.shared.tell(&about(event, id, state));
    }

    /// Tells of a refusal, if it concerns a session. Anybody can cause one that does not, so only the log says it, at the
    /// debug level.
    pub(super) fn tell_refused(
        &self,
        kind: EventKind,
        reason: &'static str,
        session: Option<(&SessionId, &State)>,
    ) {
        match session {
            Some((id, state)) => {
                let event = SessionEvent::new(kind, self.now).because(reason);
                self.shared.tell(&about(event, id, state));
            }
            None => {
                let kind = kind.as_str();
                tracing::debug!(target: "tower_session_guard", kind, reason, "device refused");
            }
        }
    }
}

fn about(event: SessionEvent, id: &SessionId, state: &State) -> SessionEvent {
    let subject = state.authentication.as_ref().map(|who| who.subject.clone());
    event.of(*id).by(subject)
}

/// The session of a record.
pub(super) fn state_of(stored: &Stored) -> &State {
    &stored.record.fields.state
}
