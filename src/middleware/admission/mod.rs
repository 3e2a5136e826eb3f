//! Admission: what a request turns out to hold.

pub(crate) mod self_contained;
pub(crate) mod stored;

use std::{future::Future, pin::Pin};

use super::{failure::SessionError, request::RequestContext, settings::Shared};
use crate::session::{
    admit::lower_remembered,
    binding::{Client, OnChange},
    event::{EventKind, SessionEvent},
    handle::Session,
    id::SessionId,
    live::{Dead, Live},
    time::Timestamp,
};

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

/// What a session holds that was made to hold it, before anybody else has the handle.
fn held_in(session: &mut Session) -> &mut Live {
    match session.live_mut() {
        Some(live) => live,
        None => unreachable!("it was made to hold something"),
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
}
