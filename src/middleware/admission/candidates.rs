//! [`Candidates`]: the tokens of a request, and the rules by which one of them opens a session.
//!
//! What counts is which sessions are alive, not which tokens are signed (R76). The tokens of logged-in sessions come
//! first, the guests' second. Tokens of one session count as the best of them. If one session is alive, that one opens;
//! if several are, none does (R52). A retired token, or one of a bound session without the device's cookie, bars the request from
//! writing, unless a live token came in the same cookie. A token that is used again after its renewal ends the session.

use std::sync::Arc;

use http::HeaderMap;

use crate::{
    cookie::CookieKind,
    middleware::{
        arrival::{Arrival, More},
        backend::{Beside, Loaded},
        request::RequestContext,
        settings::Shared,
    },
    session::{
        admit::{self, lower_remembered},
        authentication::Subject,
        binding::OnChange,
        came::{Barred, Came},
        device::Presence,
        ended::EndCause,
        event::{EventKind, SessionEvent},
        handle::Session,
        id::SessionId,
        live::{Dead, Live},
        policy::{SessionPolicy, TokenReuse},
        present::{DevicePolicy, present},
        standing::Standing,
        time::Timestamp,
        unadmitted::Unadmitted,
    },
};

/// The valid tokens of a request that are still to be looked at.
pub(super) struct Candidates<T> {
    session: Option<T>,
    guest: Option<T>,
    more: Option<Box<More<T>>>,
    /// Sessions that do not open, though a token of theirs came: a login and a logout end them.
    beside: Option<Box<Beside>>,
    came: Came,
    pub(super) now: Timestamp,
}

/// What the tokens of one cookie come to, one entry for each session.
pub(super) struct Appraised<S> {
    pub(super) live: Vec<S>,
    pub(super) dead: Vec<DeadToken>,
}

/// Which session opens.
pub(super) enum Chosen<S> {
    One(S),
    /// Several are alive, so that none opens.
    None,
    /// None is alive: the next cookie counts.
    Next,
}

/// A token that opens nothing, and what follows.
pub(super) struct DeadToken {
    pub(super) why: Dead,
    /// The session that the token is of, the id of its first token, and until when an ending is remembered.
    pub(super) id: SessionId,
    pub(super) family: SessionId,
    pub(super) until: Timestamp,
    /// Who was logged in there, and who acted as that subject.
    pub(super) subject: Option<Subject>,
    pub(super) actor: Option<Subject>,
    pub(super) consequence: Consequence,
    /// The session, where there is one that its bearer may end.
    pub(super) session: Option<Session>,
}

/// What a dead token brings about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Consequence {
    Nothing,
    /// The session ends, since another client used it.
    EndSession,
    /// The session ends with every token that it ever had: one of its holders stole it.
    EndFamily,
}

impl<S> Default for Appraised<S> {
    fn default() -> Self {
        Self {
            live: Vec::new(),
            dead: Vec::new(),
        }
    }
}

impl<S> Appraised<S> {
    pub(super) fn add(&mut self, decided: Result<S, DeadToken>) {
        match decided {
            Ok(session) => self.live.push(session),
            Err(dead) => self.dead.push(dead),
        }
    }

    /// The tokens that bring something about, which comes before anything is told.
    pub(super) fn with_consequence(&self) -> impl Iterator<Item = &DeadToken> {
        let dead = self.dead.iter();
        dead.filter(|dead| dead.consequence != Consequence::Nothing)
    }
}

impl<T> Candidates<T> {
    #[inline]
    pub(super) fn of(arrival: Arrival<T>) -> Self {
        Self {
            session: arrival.session,
            guest: arrival.guest,
            more: arrival.more,
            beside: None,
            came: arrival.came,
            now: arrival.now,
        }
    }

    /// Reads what the bound cookies say, if the layer binds devices.
    #[inline(always)]
    pub(super) fn read_proofs(&mut self, shared: &Shared, headers: &HeaderMap) {
        if let Some(devices) = shared.devices.as_deref()
            && let Some(proofs) = devices.proofs(headers, self.now)
        {
            self.beside_mut().proofs = Some(proofs);
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.session.is_none() && self.guest.is_none()
    }

    /// The token that counts first, if no cookie has several.
    #[inline]
    pub(super) fn peek_only(&self) -> Option<(CookieKind, &T)> {
        if self.more.is_some() {
            return None;
        }
        let session = self
            .session
            .as_ref()
            .map(|token| (CookieKind::Session, token));
        session.or(self.guest.as_ref().map(|token| (CookieKind::Guest, token)))
    }

    /// Takes the token that counts first, if no cookie has several.
    #[inline]
    pub(super) fn take_only(&mut self) -> Option<(CookieKind, T)> {
        if self.more.is_some() {
            return None;
        }
        let session = self
            .session
            .take()
            .map(|token| (CookieKind::Session, token));
        session.or_else(|| Some((CookieKind::Guest, self.guest.take()?)))
    }

    /// Takes all tokens of a cookie, in the order in which they came.
    pub(super) fn take(&mut self, kind: CookieKind) -> Vec<T> {
        let first = match kind {
            CookieKind::Session => self.session.take(),
            CookieKind::Guest => self.guest.take(),
        };
        let mut all: Vec<_> = first.into_iter().collect();
        if let Some(more) = &mut self.more {
            let more = more.0.extract_if(.., |(other, _)| *other == kind);
            all.extend(more.map(|(_, token)| token));
        }
        all
    }

    /// Decides which session opens, and tells of the tokens that open none once their consequences are carried out.
    pub(super) fn choose<S>(
        &mut self,
        shared: &Shared,
        kind: CookieKind,
        appraised: Appraised<S>,
        session_of: impl Fn(S) -> Session,
    ) -> Chosen<S> {
        let Appraised { mut live, dead } = appraised;
        for token in dead {
            if live.is_empty()
                && let Some(barred) = token.why.bars()
            {
                self.came.barred = Some(barred);
            }
            if live.is_empty() && kind == CookieKind::Session {
                let cause = match token.consequence {
                    Consequence::EndFamily => Some(EndCause::Reused),
                    Consequence::Nothing | Consequence::EndSession => token.why.end_cause(),
                };
                self.came.why_ended = self.came.why_ended.or(cause);
            }
            self.pass_over(shared, token);
        }
        if live.len() > 1 {
            shared.tell(&SessionEvent::new(EventKind::DuplicateTokens, self.now));
            self.came.barred = Some(Barred::SeveralSessions);
            let live = live.into_iter().map(session_of);
            self.beside_mut().found.extend(live);
            return Chosen::None;
        }
        live.pop().map_or(Chosen::Next, Chosen::One)
    }

    /// Tells of a token that opens nothing, once its consequence is carried out.
    fn pass_over(&mut self, shared: &Shared, token: DeadToken) {
        let kind = match token.consequence {
            Consequence::EndFamily => EventKind::SessionEndedByReuse,
            Consequence::Nothing | Consequence::EndSession => token.why.event(),
        };
        let actor = token.actor;
        let event = SessionEvent::new(kind, self.now).of(token.id);
        shared.tell(&SessionEvent { actor, ..event }.by(token.subject));
        if let Some(session) = token.session {
            self.beside_mut().found.push(session);
        }
    }

    fn beside_mut(&mut self) -> &mut Beside {
        self.beside.get_or_insert_default()
    }

    /// The sessions that a login and a logout end besides the one that opens, guests' among them that were not looked at.
    #[inline]
    pub(super) fn take_beside(
        &mut self,
        add_guests: impl FnOnce(&mut Beside, Vec<T>),
    ) -> Option<Box<Beside>> {
        if self.guest.is_some() || self.more.is_some() {
            let guests = self.take(CookieKind::Guest);
            if !guests.is_empty() {
                add_guests(self.beside_mut(), guests);
            }
        }
        self.beside.take()
    }

    /// Decides whether a token of this standing opens its session for the request's client.
    pub(super) fn decide(
        &self,
        shared: &Shared,
        mut session: Unadmitted,
        standing: Standing,
        kind: CookieKind,
    ) -> Result<Session, DeadToken> {
        let live = session.live_mut();
        let authenticated = kind == CookieKind::Session;
        let opens = admit::admit(
            &live.state,
            standing,
            authenticated,
            self.now,
            shared.policy(),
        );
        let opens = opens.and_then(|()| self.present(shared, live));
        let appraised = opens.and_then(|presence| {
            live.standing = Some(standing);
            live.presence = match standing {
                Standing::Crossing => Presence::Crossing,
                _ => presence,
            };
            self.appraise(shared, live)
        });
        match appraised {
            Ok(()) => Ok(Session::admitted(session)),
            Err(why) => Err(DeadToken {
                why,
                id: live.id,
                family: *live.family(),
                until: live.remembered_until(self.now),
                subject: live.subject().cloned(),
                actor: live.actor().cloned(),
                consequence: consequence(why, shared.policy()),
                session: why.was_of_a_session().then(|| Session::admitted(session)),
            }),
        }
    }

    /// Whether the session's device takes part as it has to. A layer that binds no devices checks no bound cookies, and admits
    /// no bound sessions.
    #[inline]
    pub(super) fn present(&self, shared: &Shared, live: &Live) -> Result<Presence, Dead> {
        let Some(devices) = shared.devices.as_deref() else {
            if live.state.bound_device().is_none() {
                return Ok(Presence::Unbound);
            }
            return present(&live.state, None, &DevicePolicy::UNCHECKED, self.now);
        };
        let beside = self.beside.as_deref();
        let proofs = beside.and_then(|beside| beside.proofs.as_deref());
        let proved_at = proofs.and_then(|proofs| proofs.proved_at(live.family()));
        let policy = devices.policy_for(&live.state);
        present(&live.state, proved_at, &policy, self.now)
    }

    /// What an admitted session is worth to its client by now.
    fn appraise(&self, shared: &Shared, live: &mut Live) -> Result<(), Dead> {
        lower_remembered(&mut live.state, self.now, shared.policy());
        if shared.client.is_none() || live.state.authentication.is_none() {
            return Ok(());
        }
        let difference = self.came.client.differs_from(&live.state.binding);
        let tell = |kind, live: &Live| {
            let event = SessionEvent::new(kind, self.now).of(live.id);
            shared.tell(&event.whose(&live.state));
        };
        for part in difference.changed {
            tell(part.event(), live);
        }
        match difference.reaction {
            None => {}
            Some(OnChange::Tell) => live.rebind = true,
            Some(OnChange::Ask) => {
                live.suspended = true;
                tell(EventKind::SessionSuspended, live);
            }
            Some(OnChange::End) => return Err(Dead::OtherClient),
        }
        Ok(())
    }

    /// The request, with the session that one of its tokens opened.
    // Always: a call would copy both.
    #[inline(always)]
    pub(super) fn admitted(
        self,
        shared: &Arc<Shared>,
        session: Session,
        loaded: Loaded,
    ) -> RequestContext {
        if let Some(cause) = self.came.why_ended {
            session.note_end(cause);
        }
        RequestContext::new(Arc::clone(shared), session, loaded, self.came)
    }

    /// The request, without a session.
    #[inline(always)]
    pub(super) fn anonymous(
        self,
        shared: &Arc<Shared>,
        beside: Option<Box<Beside>>,
    ) -> RequestContext {
        let session = Session::new(Arc::clone(shared) as _, self.now);
        if let Some(beside) = &beside
            && self.came.barred == Some(Barred::MissingDevice)
        {
            let mut found = beside.found.iter().filter_map(Session::live);
            let missing = found.find(|live| live.state.bound_device().is_some());
            let missing = missing.map(|live| *live.family());
            session.note_device(|notes| notes.missing = missing);
        }
        let record = None;
        self.admitted(shared, session, Loaded { record, beside })
    }
}

const fn consequence(why: Dead, policy: &SessionPolicy) -> Consequence {
    match (why, policy.token_reuse()) {
        (Dead::OtherClient, _) => Consequence::EndSession,
        (Dead::Reused, TokenReuse::EndSession) => Consequence::EndFamily,
        _ => Consequence::Nothing,
    }
}
