//! Puts an admission off until somebody looks at the session.

use std::sync::Arc;

use http::Request;

use super::{Admission, admit_cookies, candidates::Candidates, self_contained, telling};
use crate::{
    middleware::{
        arrival::{Arrival, client_of},
        backend::{Backend, EndedTokens},
        deferred::{Deferred, Kept, Load},
        request::RequestContext,
        settings::Shared,
    },
    session::{settle, time::Timestamp},
    store::revocation::RevocationList,
};

/// A request whose session is loaded when somebody looks.
///
/// None if there is nothing to put off: without a cookie of ours, or where nothing has to be asked.
#[inline]
pub(crate) fn defer<B>(shared: &Arc<Shared>, request: &Request<B>) -> Option<RequestContext> {
    match &shared.settings.backend {
        Backend::SelfContained(_) if !shared.answers_devices(request) => {
            defer_tokens(shared, request)
        }
        Backend::Stored(_) | Backend::SelfContained(_) => {
            let kept = Kept::of(request.headers(), client_of(shared, request))?;
            let now = shared.settings.clock.now();
            let deferred = Deferred::of_request(shared, kept, now, begin);
            Some(RequestContext::deferred(Arc::clone(shared), deferred, now))
        }
    }
}

/// Nothing has to be asked where the list is in this process.
fn defer_tokens<B>(shared: &Arc<Shared>, request: &Request<B>) -> Option<RequestContext> {
    let Backend::SelfContained(EndedTokens::Distributed(list)) = &shared.settings.backend else {
        return None;
    };
    Some(defer_list(shared, list, request))
}

/// The whole admission: of a request that nobody looks at, not even the MAC is checked.
fn begin(shared: Arc<Shared>, kept: Kept, now: Timestamp) -> Load {
    Box::pin(async move {
        let headers = kept.headers();
        let context = match admit_cookies(&shared, &headers, || kept.client, now) {
            Admission::Now(context) => context,
            Admission::Later(load) => load.await?,
        };
        Ok(context.into_found())
    })
}

/// All but the question to the list: whether the token is due to leave again has to be known from the arrival on, so
/// that it undoes no write.
fn defer_list<B>(
    shared: &Arc<Shared>,
    list: &Arc<dyn RevocationList>,
    request: &Request<B>,
) -> RequestContext {
    let now = shared.settings.clock.now();
    let client = || client_of(shared, request);
    let arrival = Arrival::of_sessions(shared, request.headers(), client, now);
    let mut candidates = Candidates::of(arrival);
    candidates.read_proofs(shared, request.headers());
    if candidates.is_empty() {
        return candidates.anonymous(shared, None);
    }
    let only = candidates.peek_only();
    let ticket = only.and_then(|(_, token)| {
        let settings = &shared.settings;
        let is_due = settle::is_due(token.live(), now, shared.policy());
        is_due.then(|| settings.in_flight.enter(token.live().family()))?
    });
    let (owned, list) = (Arc::clone(shared), Arc::clone(list));
    let load = telling(shared, now, async move {
        match self_contained::admit_at_hand(&owned, &list, candidates) {
            Ok(context) => Ok(context),
            Err(candidates) => self_contained::load(owned, list, candidates).await,
        }
    });
    let load: Load = Box::pin(async move { Ok(load.await?.into_found()) });
    let deferred = Deferred::of_load(shared, load, now);
    let mut context = RequestContext::deferred(Arc::clone(shared), deferred, now);
    context.hold(ticket);
    context
}
