//! [`RequestContext`]: a request's session from its admission until its marks are carried out.

use std::{mem, sync::Arc};

use http::{Extensions, HeaderMap, Request, StatusCode};

use super::{
    answer,
    backend::Loaded,
    failure::{LayersShareCookie, SessionError},
    settings::Shared,
    settlement::{
        self, Commit,
        done::{Committed, HandlerDone},
        set_cookies::SetCookies,
    },
    transport::Dropped,
};
use crate::session::{
    authenticated::AuthenticatedSession,
    came::Came,
    event::{EventKind, SessionEvent},
    handle::{Met, Session},
    settle::{self, Outcome},
};

/// A request's session from its admission until its marks are carried out.
///
/// Dropped before that, since the client went away or the inner service panicked, it carries out the
/// logouts and step-downs and nothing else.
#[derive(Debug)]
pub(crate) struct RequestContext {
    shared: Arc<Shared>,
    session: Session,
    /// None once the session is closed.
    loaded: Option<Loaded>,
    came: Came,
    /// Whether the browser drops our cookies, and why.
    dropped: Option<Dropped>,
}

impl RequestContext {
    #[inline]
    pub(crate) const fn new(
        shared: Arc<Shared>,
        session: Session,
        loaded: Loaded,
        came: Came,
    ) -> Self {
        Self {
            shared,
            session,
            loaded: Some(loaded),
            came,
            dropped: None,
        }
    }

    /// Puts the session where the inner service finds it.
    ///
    /// The same layer once more passes the request through: the marks go to the session that is there. Another layer
    /// with the same cookie is a mistake that would lose logins, so the request fails.
    pub(crate) fn enter<B>(&mut self, request: &mut Request<B>) -> Result<(), LayersShareCookie> {
        // Only with an unsafe method do browsers say where the page came from.
        if !request.method().is_safe() && self.shared.is_secure {
            self.dropped = Dropped::by(request.headers());
        }
        let extensions = request.extensions_mut();
        match extensions.insert(self.session.clone()) {
            None => replace_authenticated(extensions, &self.session),
            Some(outer) => self.meet(outer, extensions)?,
        }
        Ok(())
    }

    /// Another layer has been here.
    #[cold]
    fn meet(
        &mut self,
        outer: Session,
        extensions: &mut Extensions,
    ) -> Result<(), LayersShareCookie> {
        let session = match self.session.met(&outer) {
            Met::SameLayer => {
                self.loaded = None;
                extensions.insert(outer.clone());
                outer
            }
            Met::SameCookie => {
                self.loaded = None;
                self.tell_shared_cookie();
                return Err(LayersShareCookie);
            }
            Met::Another => self.session.clone(),
        };
        replace_authenticated(extensions, &session);
        Ok(())
    }

    fn tell_shared_cookie(&self) {
        let now = self.session.admitted_at();
        self.shared
            .tell(&SessionEvent::new(EventKind::LayersShareCookie, now));
        let error = SessionError::from(LayersShareCookie);
        tracing::error!(
            target: "tower_session_guard",
            cookie = self.shared.settings.cookies.session_name().as_str(),
            "{error}"
        );
    }

    pub(crate) const fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Whether a response of this head may depend on the session, as far as the layer can tell (S11).
    ///
    /// Who is logged in may have been looked for in the extensions, which leaves no trace, and whoever still holds
    /// a handle may read while the body streams.
    pub(crate) fn may_show(&self, headers: &HeaderMap) -> bool {
        let session = &self.session;
        session.was_read()
            || session.is_held_elsewhere()
            || session.is_authenticated_at_arrival() && !answer::is_public(headers)
    }

    /// Tells of cookies that the browser will drop, which shows nowhere else.
    #[inline]
    pub(crate) fn watch_cookies(&self, committed: &Committed) {
        if let Some(dropped) = self.dropped {
            self.tell_dropped(dropped, committed);
        }
    }

    #[cold]
    fn tell_dropped(&self, dropped: Dropped, committed: &Committed) {
        let Ok(cookies) = committed else { return };
        // What hands out a token is sensitive; what removes a cookie is not.
        let mut cookies = cookies.as_slice().iter();
        let now = self.shared.settings.clock.now();
        if cookies.any(|(_, value)| value.is_sensitive()) && self.shared.dropped.is_due(now) {
            self.shared
                .tell(&SessionEvent::new(EventKind::CookieNotKept, now));
            tracing::warn!(target: "tower_session_guard", "{}", dropped.remedy());
        }
    }

    /// Takes the marks and carries them out, once: what was loaded goes with them. `head` is the handler's answer,
    /// if there is one.
    pub(crate) fn close(&mut self, head: Option<(StatusCode, &HeaderMap)>) -> Commit {
        let marks = self.session.close();
        let live = self.session.live();
        let admitted_at = self.session.admitted_at();
        let is_due = |live| settle::is_due(live, admitted_at, self.shared.policy());
        if marks.is_empty() && (head.is_none() || !live.is_some_and(is_due)) {
            self.loaded = None;
        }
        let Some(loaded) = self.loaded.take() else {
            return Commit::Now(Ok(SetCookies::default()));
        };
        let failure = &self.shared.settings.failure;
        let outcome = match head {
            Some((status, headers)) if failure.matches(status, headers) => Outcome::Failed,
            Some(_) => Outcome::Answered,
            None => Outcome::Dropped,
        };
        let done = HandlerDone {
            now: if marks.is_empty() {
                admitted_at
            } else {
                self.shared.settings.clock.now().max(admitted_at)
            },
            marks,
            outcome,
            admitted: self
                .shared
                .settings
                .endings
                .admitted(admitted_at, self.session.endings_seen()),
            came: mem::take(&mut self.came),
        };
        settlement::commit(&self.shared, live, loaded, done)
    }
}

/// Shows who is logged in, if anybody is.
fn replace_authenticated(extensions: &mut Extensions, session: &Session) {
    match AuthenticatedSession::of(session) {
        Some(authenticated) => {
            extensions.insert(authenticated);
        }
        // One of a layer further out must not pass for one of this layer.
        None => {
            extensions.remove::<AuthenticatedSession>();
        }
    }
}

impl Drop for RequestContext {
    fn drop(&mut self) {
        if self.loaded.is_some() {
            // A commit that waits goes on without the request.
            drop(self.close(None));
        }
    }
}
