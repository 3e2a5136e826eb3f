//! [`Keeper`]: where sessions are kept, in a store or in the token itself; the only place a plan meets a store.

mod limit;
pub(crate) mod list;
pub(crate) mod self_contained;
pub(crate) mod stored;
pub(crate) mod writes;

use std::{future::Future, pin::Pin, sync::Arc};

use self::{list::List, writes::Writes};
use super::{
    context::RequestContext,
    failure::{SessionError, SessionErrorKind},
    shared::Shared,
};
use crate::{
    cookie::CookieKind,
    session::{
        admit::lower_remembered,
        authentication::Subject,
        binding::{Client, OnChange},
        event::{EventKind, SessionEvent},
        handle::Session,
        id::SessionId,
        live::{Dead, Live},
        mark::Mark,
        plan::Verdict,
        settle::{Outcome, Settlement},
        time::Timestamp,
    },
    store::SessionStore,
};

/// Where sessions are kept.
#[derive(Debug)]
pub(crate) enum Keeper {
    SelfContained(List),
    Stored(Arc<dyn SessionStore>),
}

/// What a request turned out to hold, beside its session.
#[derive(Debug)]
pub(crate) struct Admission<H> {
    pub(crate) held: H,
    /// Whether the request came with a retired token.
    pub(crate) barred: bool,
    /// Whether a valid guest token came, alive or not.
    pub(crate) guest_came: bool,
    pub(crate) client: Client,
}

/// An admission that waits for a store or for a shared list; it owns all it needs.
pub(crate) type BoxLoad =
    Pin<Box<dyn Future<Output = Result<RequestContext, SessionError>> + Send>>;

impl<H> Admission<H>
where
    H: Default,
{
    /// Of a request without any token of ours.
    pub(crate) fn visitor(client: Client) -> Self {
        Self {
            held: H::default(),
            barred: false,
            guest_came: false,
            client,
        }
    }
}

/// What is left of a request once its handler is done.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) marks: Vec<(Timestamp, Mark)>,
    pub(crate) outcome: Outcome,
    pub(crate) barred: bool,
    pub(crate) guest_came: bool,
    pub(crate) client: Client,
    pub(crate) now: Timestamp,
}

impl Finished {
    pub(crate) fn settlement<'a>(
        &'a self,
        live: Option<&'a Live>,
        shared: &'a Shared,
    ) -> Settlement<'a> {
        Settlement {
            live,
            barred: self.barred,
            marks: &self.marks,
            outcome: self.outcome,
            binding: self.client.current(),
            now: self.now,
            policy: shared.policy(),
        }
    }

    /// The session ended or its token was replaced while the handler ran: nothing brings it back. What
    /// becomes of the answer, and what to tell.
    fn without_session(&self) -> (Verdict, Option<EventKind>) {
        let marked = |test: fn(&Mark) -> bool| self.marks.iter().any(|(_, mark)| test(mark));
        if self.outcome == Outcome::Answered && marked(|mark| matches!(mark, Mark::Elevate { .. }))
        {
            return (Verdict::Refused, Some(EventKind::ElevationRefused));
        }
        let blocked = marked(|mark| !mark.lowers()).then_some(EventKind::ResurrectionBlocked);
        (Verdict::Stands, blocked)
    }
}

/// What a carried-out plan comes to.
pub(crate) type Settling = Result<Writes, SessionError>;

/// The cookie that holds this session.
pub(crate) const fn kind_of(authenticated: bool) -> CookieKind {
    if authenticated {
        CookieKind::Session
    } else {
        CookieKind::Guest
    }
}

/// What a session holds that was made to hold it, before anybody else has the handle.
fn held_in(session: &mut Session) -> &mut Live {
    match session.live_mut() {
        Some(live) => live,
        None => unreachable!("it was made to hold something"),
    }
}

/// What the answer's fate is, once the plan is carried out.
pub(crate) fn judge(verdict: Verdict, writes: Writes) -> Settling {
    use super::failure::SessionErrorKind::{InvalidSubject, Refused};
    match verdict {
        Verdict::Stands => Ok(writes),
        Verdict::Refused => Err(SessionError::new(Refused)),
        Verdict::Unusable => Err(SessionError::new(InvalidSubject)),
    }
}

impl Shared {
    /// What an admitted session is worth to its client by now; `OtherClient` where it is to end.
    fn appraise(&self, live: &mut Live, client: &Client, now: Timestamp) -> Result<(), Dead> {
        lower_remembered(&mut live.state, now, self.policy());
        if live.state.authentication.is_none() {
            return Ok(());
        }
        let difference = client.differs_from(&live.state.binding);
        for part in difference.changed {
            self.tell_of(part.event(), live, now);
        }
        match difference.reaction {
            None => {}
            Some(OnChange::Tell) => live.rebind = true,
            Some(OnChange::Ask) => {
                live.suspended = true;
                self.tell_of(EventKind::SessionSuspended, live, now);
            }
            Some(OnChange::End) => return Err(Dead::OtherClient),
        }
        Ok(())
    }

    /// Tells what happened to a session.
    fn tell_of(&self, kind: EventKind, live: &Live, now: Timestamp) {
        let event = SessionEvent::new(kind, now).of(live.id);
        self.tell(&event.by(live.subject().cloned()));
    }

    /// Tells that a well-signed token opened nothing.
    pub(crate) fn tell_dead(&self, id: SessionId, live: Option<&Live>, dead: Dead, now: Timestamp) {
        let subject = live.and_then(Live::subject).cloned();
        self.tell(&SessionEvent::new(dead.event(), now).of(id).by(subject));
    }

    /// Tells that a settlement failed, if it was for the store or the shared list.
    pub(crate) fn tell_failed_write(
        &self,
        error: &SessionError,
        live: Option<&Live>,
        now: Timestamp,
    ) {
        if error.kind() == SessionErrorKind::Store {
            let event = SessionEvent::new(EventKind::StoreFailedWrite, now);
            let session = live.map(|live| live.id);
            self.tell(&SessionEvent { session, ..event });
        }
    }

    /// Tells what happened to a session that a request held, and which session took its place.
    pub(crate) fn tell_all(
        &self,
        kinds: &[EventKind],
        live: Option<&Live>,
        successor: Option<(SessionId, Option<&Subject>)>,
        now: Timestamp,
    ) {
        for kind in kinds {
            let mut event = SessionEvent::new(*kind, now);
            event.session = live.map(|live| live.id);
            event.subject = live.and_then(Live::subject).cloned();
            if let Some((id, subject)) = successor
                && *kind != EventKind::LoggedOut
            {
                // A session that began from nothing is what the event is about.
                match event.session {
                    Some(_) => event.successor = Some(id),
                    None => event.session = Some(id),
                }
                event.subject = subject.cloned();
            }
            self.tell(&event);
        }
    }
}
