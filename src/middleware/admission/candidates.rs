//! [`Candidates`]: the tokens of a request, and the rules by which one of them opens a session.
//!
//! The session's token counts first and the guest's second. A retired token bars the request from writing,
//! unless a live token of its session came. A token that is used again after its renewal ends the session.

use std::sync::Arc;

use crate::{
    cookie::CookieKind,
    middleware::{arrival::Arrival, backend::Loaded, request::RequestContext, settings::Shared},
    session::{
        admit::{self, lower_remembered},
        authentication::Subject,
        binding::OnChange,
        came::Came,
        event::{EventKind, SessionEvent},
        handle::Session,
        id::SessionId,
        live::{Dead, Live},
        policy::{SessionPolicy, TokenReuse},
        standing::Standing,
        time::Timestamp,
        unadmitted::Unadmitted,
    },
};

/// The valid tokens of a request that are still to be looked at.
pub(super) struct Candidates<T> {
    pub(super) session: Option<T>,
    pub(super) guest: Option<T>,
    came: Came,
    pub(super) now: Timestamp,
}

/// A token that opens nothing, and what follows.
pub(super) struct DeadToken {
    pub(super) why: Dead,
    /// The session that the token is of, the id of its first token, and until when an ending is remembered.
    pub(super) id: SessionId,
    pub(super) family: SessionId,
    pub(super) until: Timestamp,
    pub(super) subject: Option<Subject>,
    pub(super) consequence: Consequence,
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

impl<T> Candidates<T> {
    #[inline]
    pub(super) fn of(arrival: Arrival<T>) -> Self {
        Self {
            came: Came {
                retired_token: false,
                guest_token: arrival.guest.is_some(),
                client: arrival.client,
            },
            session: arrival.session,
            guest: arrival.guest,
            now: arrival.now,
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.session.is_none() && self.guest.is_none()
    }

    /// The token that counts next: the session's, then the guest's.
    pub(super) fn peek(&self) -> Option<(CookieKind, &T)> {
        let session = self
            .session
            .as_ref()
            .map(|token| (CookieKind::Session, token));
        session.or(self.guest.as_ref().map(|token| (CookieKind::Guest, token)))
    }

    /// Takes the token that counts next.
    pub(super) fn next(&mut self) -> Option<(CookieKind, T)> {
        let session = self
            .session
            .take()
            .map(|token| (CookieKind::Session, token));
        session.or_else(|| Some((CookieKind::Guest, self.guest.take()?)))
    }

    /// Tells of a token that opens nothing, once its consequence is carried out.
    pub(super) fn pass_over(&mut self, shared: &Shared, token: DeadToken) {
        self.came.retired_token |= token.why.is_retired();
        let kind = match token.consequence {
            Consequence::EndFamily => EventKind::SessionEndedByReuse,
            Consequence::Nothing | Consequence::EndSession => token.why.event(),
        };
        let event = SessionEvent::new(kind, self.now).of(token.id);
        shared.tell(&event.by(token.subject));
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
        let appraised = opens.and_then(|()| {
            live.standing = Some(standing);
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
                consequence: consequence(why, shared.policy()),
            }),
        }
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
            shared.tell(&event.by(live.subject().cloned()));
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
    #[inline]
    pub(super) fn admitted(
        self,
        shared: &Arc<Shared>,
        session: Session,
        loaded: Loaded,
    ) -> RequestContext {
        RequestContext::new(Arc::clone(shared), session, loaded, self.came)
    }

    /// The request, without a session.
    #[inline(always)]
    pub(super) fn anonymous(self, shared: &Arc<Shared>) -> RequestContext {
        let session = Session::new(Arc::clone(shared) as _, self.now);
        self.admitted(shared, session, Loaded::nothing(&shared.settings.backend))
    }
}

const fn consequence(why: Dead, policy: &SessionPolicy) -> Consequence {
    match (why, policy.token_reuse()) {
        (Dead::OtherClient, _) => Consequence::EndSession,
        (Dead::Reused, TokenReuse::EndSession) => Consequence::EndFamily,
        _ => Consequence::Nothing,
    }
}
