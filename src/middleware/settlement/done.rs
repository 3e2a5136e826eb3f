//! [`HandlerDone`]: what is left of a request once its handler is done, and how it ends.

use std::mem;

use super::set_cookies::SetCookies;
use crate::{
    middleware::{
        backend::Backend,
        failure::{SessionError, SessionErrorKind},
        in_flight::Ticket,
        observe::tell_cause,
        settings::Shared,
    },
    session::{
        authentication::Subject,
        came::Came,
        device_change::BindingChange,
        event::{EventKind, SessionEvent},
        handle::Session,
        id::SessionId,
        live::Live,
        mark::Mark,
        plan::Verdict,
        settle::{Outcome, Realm, Settlement, Upkeep},
        state::State,
        time::Timestamp,
        unadmitted::Environment,
    },
    store::Admitted,
};

/// What is left of a request once its handler is done.
#[derive(Debug)]
pub(crate) struct HandlerDone {
    pub(crate) marks: Vec<(Timestamp, Mark)>,
    pub(crate) outcome: Outcome,
    pub(crate) came: Came,
    /// When the request was admitted, as a cut-off compares it.
    pub(crate) admitted: Admitted,
    pub(crate) now: Timestamp,
    pub(crate) upkeep: Upkeep,
    /// There if a self-contained token may leave again unasked.
    pub(crate) ticket: Option<Box<Ticket>>,
}

/// The cookies that the response is to write, or why another response takes its place.
pub(crate) type Committed = Result<SetCookies, SessionError>;

impl HandlerDone {
    pub(super) fn settlement<'a>(
        &'a self,
        live: Option<&'a Live>,
        shared: &'a Shared,
    ) -> Settlement<'a> {
        Settlement {
            live,
            came: &self.came,
            marks: &self.marks,
            outcome: self.outcome,
            now: self.now,
            policy: shared.policy(),
            realm: Realm {
                audience: &shared.settings.audience,
                is_stored: matches!(shared.settings.backend, Backend::Stored(_)),
            },
            data_budget: shared.data_budget(),
            upkeep: self.upkeep,
        }
    }
}

impl Verdict {
    /// Turns the verdict into the response's cookies, or into the error that replaces the response.
    pub(super) fn into_result(self, cookies: SetCookies) -> Committed {
        match self {
            Self::Stands => Ok(cookies),
            Self::Refused => Err(SessionError::new(SessionErrorKind::Refused)),
            Self::Unusable => Err(SessionError::new(SessionErrorKind::InvalidSubject)),
            Self::DataConflict => Err(SessionError::new(SessionErrorKind::DataConflict)),
            Self::BoundMeanwhile => Err(SessionError::new(SessionErrorKind::BoundMeanwhile)),
        }
    }
}

/// Tells what happened to a session that a request held, and which session took its place.
pub(super) fn tell_all(
    shared: &Shared,
    kinds: &[EventKind],
    live: Option<&Live>,
    successor: Option<(SessionId, Option<&Subject>)>,
    now: Timestamp,
) {
    for kind in kinds {
        let mut event = SessionEvent::new(*kind, now);
        event.session = live.map(|live| live.id);
        event.subject = live.and_then(Live::subject).cloned();
        event.actor = live.and_then(Live::actor).cloned();
        if let Some((id, subject)) = successor
            && *kind != EventKind::LoggedOut
        {
            // A session that began from nothing is what the event is about.
            match event.session {
                Some(_) => event.successor = Some(id),
                None => event.session = Some(id),
            }
            // Who acts as whom is one fact, whichever session goes and comes. A login ends it.
            match kind {
                EventKind::ImpersonationEnded => {}
                EventKind::ImpersonationBegan => {
                    event.actor = mem::replace(&mut event.subject, subject.cloned());
                }
                EventKind::LoggedIn | EventKind::Reauthenticated | EventKind::SubjectSwitched => {
                    (event.subject, event.actor) = (subject.cloned(), None);
                }
                _ => event.subject = subject.cloned(),
            }
        }
        shared.tell(&event);
    }
}

/// Lets the answer say what became of the binding to a device, now that a session begins.
pub(super) fn note_beginning(
    shared: &Shared,
    session: &Session,
    family: &SessionId,
    state: &State,
    now: Timestamp,
) {
    let Some(devices) = &shared.devices else {
        return;
    };
    session.note_binding(if state.authentication.is_some() {
        BindingChange::LoggedIn(devices.first_offer(family, state, now))
    } else {
        BindingChange::LoggedOut
    });
}

/// The same now that the session has ended.
pub(super) fn note_end(shared: &Shared, session: &Session) {
    if shared.devices.is_some() {
        session.note_binding(BindingChange::LoggedOut);
    }
}

/// Tells that a login or a logout ended a session that was not the request's own.
pub(super) fn tell_ended_beside(
    shared: &Shared,
    id: SessionId,
    state: Option<&State>,
    now: Timestamp,
) {
    let event = SessionEvent::new(EventKind::PresentedSessionEnded, now).of(id);
    shared.tell(&match state {
        Some(state) => event.whose(state),
        None => event,
    });
}

/// Tells that a commit failed, if that is because of the store or the distributed list.
pub(super) fn tell_if_failed(
    shared: &Shared,
    committed: &Committed,
    live: Option<&Live>,
    now: Timestamp,
) {
    if let Err(error) = committed
        && error.kind() == SessionErrorKind::Store
    {
        tell_cause(error);
        let event = SessionEvent::new(EventKind::StoreFailedWrite, now);
        let session = live.map(|live| live.id);
        shared.tell(&SessionEvent { session, ..event });
    }
}
