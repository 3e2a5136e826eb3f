//! [`RequestContext`]: a request's session from its admission to the carrying out of its marks.

use std::{
    future::Future,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::Extensions;

use super::{
    admission::{self, Admission},
    backend::{Keeper, List, at_once},
    settings::Shared,
    settlement::{Finished, Settling, judge, self_contained, set_cookies::Writes, stored},
};
use crate::session::{
    authenticated::AuthenticatedSession,
    binding::Client,
    handle::Session,
    plan::Plan,
    settle::{self, Outcome},
};

/// A settlement that waits for a store; it owns all it needs.
type BoxSettling = Pin<Box<dyn Future<Output = Settling> + Send>>;

/// What the keeper wants back at the settlement.
#[derive(Debug)]
pub(crate) enum Held {
    SelfContained(admission::self_contained::Held),
    Stored(admission::stored::Held),
}

impl From<admission::self_contained::Held> for Held {
    fn from(held: admission::self_contained::Held) -> Self {
        Self::SelfContained(held)
    }
}

impl From<admission::stored::Held> for Held {
    fn from(held: admission::stored::Held) -> Self {
        Self::Stored(held)
    }
}

/// A request's session from its admission to the carrying out of its marks.
///
/// Dropped before that, since the client went away or the inner service panicked, it carries out the
/// logouts and step-downs and nothing else.
#[derive(Debug)]
pub(crate) struct RequestContext {
    session: Session,
    held: Held,
    barred: bool,
    guest_came: bool,
    concluded: bool,
    client: Client,
}

/// A settlement that is done, or one that waits for a store.
pub(crate) enum Conclusion {
    Now(Settling),
    Later(Unsettled),
}

/// A settlement that waits for a store; dropped before it is done, it goes on without its request.
pub(crate) struct Unsettled(Option<BoxSettling>);

impl RequestContext {
    pub(crate) fn new<H>(session: Session, admission: Admission<H>) -> Self
    where
        H: Into<Held>,
    {
        Self {
            session,
            held: admission.held.into(),
            barred: admission.barred,
            guest_came: admission.guest_came,
            concluded: false,
            client: admission.client,
        }
    }

    /// Puts the session where the inner service finds it.
    pub(crate) fn enter(&self, extensions: &mut Extensions) {
        match AuthenticatedSession::of(&self.session) {
            Some(authenticated) => {
                extensions.insert(authenticated);
            }
            // One of a layer further out must not pass for one of this layer.
            None => {
                extensions.remove::<AuthenticatedSession>();
            }
        }
        extensions.insert(self.session.clone());
    }

    pub(crate) fn shared(&self) -> &Shared {
        Shared::of(&self.session)
    }

    pub(crate) fn was_read(&self) -> bool {
        self.session.was_read()
    }

    /// Takes the marks and carries them out.
    ///
    /// Once: what it held goes with it.
    pub(crate) fn conclude(&mut self, outcome: Outcome) -> Conclusion {
        self.concluded = true;
        let marks = self.session.close();
        let shared = Shared::of(&self.session);
        let live = self.session.live();
        let admitted_at = self.session.admitted_at();
        let is_due = |live| settle::is_due(live, admitted_at, shared.policy());
        if marks.is_empty() && (outcome == Outcome::Dropped || !live.is_some_and(is_due)) {
            return Conclusion::Now(Ok(Writes::default()));
        }
        let finished = Finished {
            now: if marks.is_empty() {
                admitted_at
            } else {
                shared.settings.clock.now().max(admitted_at)
            },
            marks,
            outcome,
            barred: self.barred,
            guest_came: self.guest_came,
            client: mem::take(&mut self.client),
        };
        let settled = settle::settle(&finished.settlement(live, shared));
        if settled.plan == Plan::Keep {
            shared.tell_all(&settled.events, live, None, finished.now);
            return Conclusion::Now(judge(settled.verdict, Writes::default()));
        }
        match (&shared.keeper, &mut self.held) {
            (Keeper::Stored(store), Held::Stored(held)) => {
                let (store, shared) = (Arc::clone(store), Shared::kept_of(&self.session));
                let (held, live) = (mem::take(held), live.cloned());
                let settling = stored::settle(shared, store, live, held, finished, settled);
                Conclusion::Later(Unsettled(Some(Box::pin(settling))))
            }
            (Keeper::SelfContained(list @ List::Here(_)), Held::SelfContained(held)) => {
                let settling =
                    self_contained::settle(shared, list, live, mem::take(held), &finished, settled);
                Conclusion::Now(at_once(settling))
            }
            (Keeper::SelfContained(list @ List::Shared(_)), Held::SelfContained(held)) => {
                let (list, shared) = (list.clone(), Shared::kept_of(&self.session));
                let (held, live) = (mem::take(held), live.cloned());
                let settling =
                    self_contained::settle_later(shared, list, live, held, finished, settled);
                Conclusion::Later(Unsettled(Some(Box::pin(settling))))
            }
            _ => unreachable!("the keeper that admitted the request is the one that settles it"),
        }
    }
}

impl Drop for RequestContext {
    fn drop(&mut self) {
        if !self.concluded {
            // A settlement that waits goes on without the request.
            drop(self.conclude(Outcome::Dropped));
        }
    }
}

impl Unsettled {
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Settling> {
        let Some(settling) = &mut self.0 else {
            unreachable!("a settlement is done once");
        };
        let settled = ready!(settling.as_mut().poll(cx));
        self.0 = None;
        Poll::Ready(settled)
    }
}

impl Drop for Unsettled {
    fn drop(&mut self) {
        if let Some(settling) = self.0.take() {
            detach(settling);
        }
    }
}

/// Completes a settlement without its request.
fn detach(settling: BoxSettling) {
    let task = async move { drop(settling.await) };
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn(task)),
        // Dropped outside every runtime, as at a shutdown: a thread of its own sees it through.
        Err(_) => drop(std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            if let Ok(runtime) = runtime {
                runtime.block_on(task);
            }
        })),
    }
}
