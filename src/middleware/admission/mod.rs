//! Admission: which of a request's tokens opens a session.
//!
//! [`Candidates`] has the rules, which are the same wherever sessions are kept. [`stored`] and
//! [`self_contained`] find out what one token is worth.

mod candidates;
pub(crate) mod lazy;
mod self_contained;
mod stored;

use std::{future::Future, pin::Pin, sync::Arc};

use http::{HeaderMap, Request};

use self::candidates::Candidates;
use super::{
    arrival::{Arrival, client_of},
    backend::{Backend, EndedTokens},
    failure::SessionError,
    observe::tell_cause,
    request::RequestContext,
    settings::Shared,
};
use crate::{
    session::{
        binding::Client,
        event::{EventKind, SessionEvent},
        time::Timestamp,
    },
    store::StoreError,
};

/// What a request is admitted with, or a wait for it.
pub(crate) enum Admission {
    Now(RequestContext),
    /// A store or a distributed list has to answer first.
    Later(BoxLoad),
}

/// An admission that waits; it owns all that it needs.
pub(crate) type BoxLoad =
    Pin<Box<dyn Future<Output = Result<RequestContext, SessionError>> + Send>>;

/// Admits a request: with the session that one of its tokens opens, or with none.
// Into `call`, where the context then stays; each hand that it goes through copies it.
#[inline(always)]
pub(crate) fn admit<B>(shared: &Arc<Shared>, request: &Request<B>) -> Admission {
    let now = shared.settings.clock.now();
    admit_cookies(
        shared,
        request.headers(),
        || client_of(shared, request),
        now,
    )
}

/// The same by what counts of a request.
#[inline(always)]
pub(super) fn admit_cookies(
    shared: &Arc<Shared>,
    headers: &HeaderMap,
    client: impl FnOnce() -> Client,
    now: Timestamp,
) -> Admission {
    match &shared.settings.backend {
        Backend::SelfContained(ended) => {
            let mut candidates = Candidates::of(Arrival::of_sessions(shared, headers, client, now));
            candidates.read_proofs(shared, headers);
            match ended {
                _ if candidates.is_empty() => Admission::Now(candidates.anonymous(shared, None)),
                EndedTokens::Local(list) => {
                    match self_contained::admit_now(shared, list, candidates) {
                        Ok(context) => Admission::Now(context),
                        // An ending found no room in the list.
                        Err(full) => later(shared, now, |_| async move { Err(full.into()) }),
                    }
                }
                EndedTokens::Distributed(list) => {
                    match self_contained::admit_at_hand(shared, list, candidates) {
                        Ok(context) => Admission::Now(context),
                        Err(candidates) => later(shared, now, |shared| {
                            self_contained::load(shared, Arc::clone(list), candidates)
                        }),
                    }
                }
            }
        }
        Backend::Stored(store) => {
            let mut candidates =
                Candidates::of(Arrival::of_references(shared, headers, client, now));
            if candidates.is_empty() {
                return Admission::Now(candidates.anonymous(shared, None));
            }
            candidates.read_proofs(shared, headers);
            match stored::try_load(shared, store, &mut candidates) {
                Some((session, loaded)) => {
                    Admission::Now(candidates.admitted(shared, session, loaded))
                }
                None => later(shared, now, |shared| {
                    stored::load(shared, Arc::clone(store), candidates)
                }),
            }
        }
    }
}

/// Waits for an admission, and tells if it fails.
fn later<L>(shared: &Arc<Shared>, now: Timestamp, load: impl FnOnce(Arc<Shared>) -> L) -> Admission
where
    L: Future<Output = Result<RequestContext, StoreError>> + Send + 'static,
{
    Admission::Later(telling(shared, now, load(Arc::clone(shared))))
}

/// An admission that tells if it fails.
fn telling<L>(shared: &Arc<Shared>, now: Timestamp, load: L) -> BoxLoad
where
    L: Future<Output = Result<RequestContext, StoreError>> + Send + 'static,
{
    let shared = Arc::clone(shared);
    Box::pin(async move {
        let admitted = load.await;
        if let Err(error) = &admitted {
            tell_cause(error);
            shared.tell(&SessionEvent::new(EventKind::StoreFailedLoad, now));
        }
        Ok(admitted?)
    })
}
