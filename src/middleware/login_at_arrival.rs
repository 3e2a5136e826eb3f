//! A login at arrival: asks the application's hook, commits its login, and admits the request anew with the token of the
//! session that began.

use std::sync::Arc;

use http::{Extensions, Request, request::Parts};

use super::{
    admission::{Admission, admit_cookies},
    arrival_hook::{ArrivalHook, head_of},
    deferred::{Deferred, Found, Load},
    failure::{SessionError, SessionErrorKind},
    request::RequestContext,
    settings::Shared,
    settlement::{self, Commit, done::HandlerDone},
};
use crate::session::{
    event::{EventKind, SessionEvent},
    handle::{Met, Session},
    mark::{Login, Mark},
    settle::{Outcome, Upkeep},
};

/// Admits the request once the hook was asked, or at once if it is not to be asked.
#[cold]
pub(crate) fn ask<B>(mut context: RequestContext, request: &Request<B>) -> Admission {
    match hook_for(context.shared(), context.session(), request) {
        Some(hook) if context.may_log_in_at_arrival() => {
            let asked = hook.ask(head_of(request));
            context.hold_if_due();
            Admission::Later(Box::pin(async move {
                match asked.await {
                    Some(login) => log_in(context, login).await,
                    None => Ok(context),
                }
            }))
        }
        _ => Admission::Now(context),
    }
}

/// The request, whose hook is asked when somebody first looks at the session.
#[cold]
pub(crate) fn put_off<B>(context: RequestContext, request: &Request<B>) -> RequestContext {
    if hook_for(context.shared(), context.session(), request).is_none() {
        return context;
    }
    if let Some(deferred) = context.deferred_load() {
        deferred.ask_first(head_of(request), ask_found);
        return context;
    }
    if !context.may_log_in_at_arrival() {
        return context;
    }
    let shared = Arc::clone(context.shared());
    let (ticket, now) = (context.ticket_if_due(), context.session().admitted_at());
    let found = context.into_found();
    let deferred = Deferred::of_load(&shared, Box::pin(async { Ok(found) }), now);
    deferred.ask_first(head_of(request), ask_found);
    let mut context = RequestContext::deferred(shared, deferred, now);
    context.hold(ticket);
    context
}

/// The hook, if this request is one that it is asked for.
fn hook_for<'a, B>(
    shared: &'a Shared,
    session: &Session,
    request: &Request<B>,
) -> Option<&'a ArrivalHook> {
    let hook = shared.settings.arrival_hook.as_ref()?;
    let same_site = shared.settings.cookies.same_site();
    let asks = !has_been_here(session, request.extensions())
        && !shared.answers_devices(request)
        // The cookie may be missing because the browser withholds it: a login would replace the session that is there, and
        // let other sites act in its user's name.
        && !same_site.withholds(request.method(), request.uri(), request.headers());
    asks.then_some(hook)
}

/// Whether the same layer, or another with its cookie, comes before this one.
fn has_been_here(session: &Session, extensions: &Extensions) -> bool {
    let outer = extensions.get::<Session>();
    outer.is_some_and(|outer| session.met(outer) != Met::Another)
}

/// The same as [`ask`] of a session that was loaded when somebody looked.
fn ask_found(shared: Arc<Shared>, found: Found, request: Parts) -> Load {
    let context = RequestContext::of_found(shared, found);
    Box::pin(async move {
        let hook = context.shared().settings.arrival_hook.clone();
        let login = match hook {
            Some(hook) if context.may_log_in_at_arrival() => hook.ask(request).await,
            _ => None,
        };
        let context = match login {
            Some(login) => log_in(context, login).await?,
            None => context,
        };
        Ok(context.into_found())
    })
}

/// Commits a login as one that a handler marked, and admits the request with the new session's token.
///
/// It fails where a handler's login would: then the handler does not run.
async fn log_in(context: RequestContext, login: Login) -> Result<RequestContext, SessionError> {
    let shared = Arc::clone(context.shared());
    let Found {
        session,
        loaded,
        came,
        ..
    } = context.into_found();
    let Some(mut loaded) = loaded else {
        return Err(SessionError::new(SessionErrorKind::Contention));
    };
    // A user's token that is over may be of a session that goes on with a newer one, which such a login does not end.
    if let Some(beside) = &mut loaded.beside {
        let is_users =
            |session: &Session| session.live().is_some_and(|live| live.subject().is_some());
        beside.found.retain(|session| !is_users(session));
    }
    let settings = &shared.settings;
    let admitted_at = session.admitted_at();
    let now = settings.clock.now().max(admitted_at);
    let client = came.client.clone();
    let done = HandlerDone {
        marks: vec![(now, Mark::Login(login))],
        outcome: Outcome::Answered,
        came,
        admitted: settings
            .endings
            .admitted(admitted_at, session.endings_seen()),
        now,
        upkeep: Upkeep::Nothing,
        ticket: None,
    };
    let cookies = match settlement::commit(&shared, &session, loaded, done) {
        Commit::Now(committed) => committed?,
        Commit::Later(commit) => commit.await?,
    };
    let headers = cookies.sent_back();
    let mut context = match admit_cookies(&shared, &headers, || client, now) {
        Admission::Now(context) => context,
        Admission::Later(load) => load.await?,
    };
    if !context.session().is_authenticated_at_arrival() {
        // It was ended in between, and everything of its owner with it.
        shared.tell(&SessionEvent::new(EventKind::LoginEndedUnderWay, now));
        return Err(SessionError::new(SessionErrorKind::Refused));
    }
    context.begin_at_arrival(cookies, session.take_device_notes());
    Ok(context)
}
