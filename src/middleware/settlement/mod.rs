//! Settlement: carries out what the handler marked.

mod limit;
pub(crate) mod self_contained;
pub(crate) mod set_cookies;
pub(crate) mod stored;

use self::set_cookies::Writes;
use super::{
    failure::{SessionError, SessionErrorKind},
    settings::Shared,
};
use crate::session::{
    authentication::Subject,
    binding::Client,
    event::{EventKind, SessionEvent},
    id::SessionId,
    live::Live,
    mark::Mark,
    plan::Verdict,
    settle::{self, Outcome, Settlement},
    time::Timestamp,
};

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
        settle::without_session(&self.marks, self.outcome)
    }
}

/// What a carried-out plan comes to.
pub(crate) type Settling = Result<Writes, SessionError>;

/// What the answer's fate is, once the plan is carried out.
pub(crate) fn judge(verdict: Verdict, writes: Writes) -> Settling {
    use SessionErrorKind::{InvalidSubject, Refused};
    match verdict {
        Verdict::Stands => Ok(writes),
        Verdict::Refused => Err(SessionError::new(Refused)),
        Verdict::Unusable => Err(SessionError::new(InvalidSubject)),
    }
}

impl Shared {
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
