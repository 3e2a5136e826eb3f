//! Settlement: carries out what becomes of the session, which [`settle`](settle::settle) decides.

mod change;
pub(crate) mod done;
mod limit;
mod self_contained;
pub(crate) mod set_cookies;
mod stored;

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use self::{
    done::{Committed, HandlerDone, tell_all},
    set_cookies::SetCookies,
};
use super::{
    backend::{Backend, Beside, EndedTokens, Loaded},
    background::Background,
    settings::Shared,
};
use crate::session::{handle::Session, plan::Plan, settle};

/// What carrying out a plan comes to, or a wait for it.
#[must_use]
pub(crate) enum Commit {
    Now(Committed),
    /// A store or a distributed list has to answer first.
    Later(PendingCommit),
}

/// A commit that waits; dropped before it is done, it goes on without its request.
pub(crate) struct PendingCommit {
    commit: BoxCommit,
    is_done: bool,
    background: Arc<Background>,
}

/// It owns all that it needs.
type BoxCommit = Pin<Box<dyn Future<Output = Committed> + Send>>;

/// Decides what becomes of a session, and carries it out.
pub(crate) fn commit(
    shared: &Arc<Shared>,
    session: &Session,
    loaded: Loaded,
    done: HandlerDone,
) -> Commit {
    let live = session.live();
    let settled = settle::settle(&done.settlement(live, shared));
    if settled.plan == Plan::Nothing {
        tell_all(shared, &settled.events, live, None, done.now);
        return Commit::Now(settled.verdict.into_result(SetCookies::default()));
    }
    let Loaded { record, beside } = loaded;
    match &shared.settings.backend {
        Backend::SelfContained(EndedTokens::Local(list)) => {
            let task = self_contained::CommitToToken {
                shared,
                session,
                live,
                beside: found(&beside),
                done: &done,
            };
            Commit::Now(task.commit_now(list, settled))
        }
        Backend::SelfContained(EndedTokens::Distributed(list)) => {
            let list = Arc::clone(list);
            let (owned, session) = (Arc::clone(shared), session.clone());
            let commit = async move {
                let task = self_contained::CommitToToken {
                    shared: &owned,
                    session: &session,
                    live: session.live(),
                    beside: found(&beside),
                    done: &done,
                };
                task.commit(&*list, settled).await
            };
            Commit::later(shared, commit)
        }
        Backend::Stored(store) => {
            let mut task = stored::CommitToStore {
                shared: Arc::clone(shared),
                store: Arc::clone(store),
                session: session.clone(),
                reloaded: None,
                record,
                beside,
                done,
                settled,
                cookies: SetCookies::default(),
                ended: false,
            };
            Commit::later(shared, async move { task.commit().await })
        }
    }
}

/// The sessions besides the request's own whose tokens say what they are.
fn found(beside: &Option<Box<Beside>>) -> &[Session] {
    beside.as_ref().map_or(&[], |beside| &beside.found)
}

impl Commit {
    pub(crate) fn later(
        shared: &Shared,
        commit: impl Future<Output = Committed> + Send + 'static,
    ) -> Self {
        Self::Later(PendingCommit {
            commit: Box::pin(commit),
            is_done: false,
            background: Arc::clone(&shared.settings.background),
        })
    }
}

impl Future for PendingCommit {
    type Output = Committed;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Committed> {
        let committed = ready!(self.commit.as_mut().poll(cx));
        self.is_done = true;
        Poll::Ready(committed)
    }
}

impl Drop for PendingCommit {
    fn drop(&mut self) {
        if !self.is_done {
            // Nothing polls what takes its place.
            let never = Box::pin(std::future::pending());
            let commit = std::mem::replace(&mut self.commit, never);
            self.background.detach(async move { drop(commit.await) });
        }
    }
}
