//! [`RequestContext`]: a request's session from its admission until its marks are carried out.

use std::{mem, sync::Arc};

use http::{Extensions, HeaderMap, Request, StatusCode, Uri};

use super::{
    answer,
    backend::{Backend, Loaded},
    deferred::{Deferred, Found},
    devices::{Answered, Noted},
    failure::{LayersShareCookie, SessionError, SessionErrorKind},
    in_flight::Ticket,
    settings::Shared,
    settlement::{self, Commit, done::HandlerDone, set_cookies::SetCookies},
    shared_cache::Route,
    transport::Dropped,
};
use crate::{
    cookie::{CookieKind, response::ForCaches},
    session::{
        admit::may_log_in_at_arrival,
        authenticated::AuthenticatedSession,
        came::{Barred, Came},
        device_change::BoundToken,
        device_notes::DeviceNotes,
        event::{EventKind, SessionEvent},
        handle::{Met, Session},
        live::Live,
        mark::Mark,
        settle::{self, Outcome, Upkeep},
        time::Timestamp,
    },
};

/// A request's session from its admission until its marks are carried out.
///
/// Dropped before that, since the client went away or the inner service panicked, it carries out the
/// logouts and step-downs and nothing else.
#[derive(Debug)]
pub(crate) struct RequestContext {
    shared: Arc<Shared>,
    session: Session,
    /// None once the session is closed, and while it is not loaded.
    loaded: Option<Loaded>,
    /// There until the session is closed, if it is loaded when somebody looks.
    deferred: Option<Arc<Deferred>>,
    came: Came,
    /// Whether the browser drops our cookies, and why.
    dropped: Option<Dropped>,
    /// What hardly any request has.
    rare: Option<Box<Rare>>,
    /// What the request asked for; told apart only for a live session.
    route: Route,
}

/// What hardly any request has.
#[derive(Debug, Default)]
struct Rare {
    /// There if a self-contained token is due to leave though nobody marks anything.
    ticket: Option<Box<Ticket>>,
    /// There if the layer binds sessions to devices.
    noted: Option<Noted>,
    /// What a login at arrival writes, whatever the handler answers.
    at_arrival: Option<SetCookies>,
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
            deferred: None,
            came,
            dropped: None,
            rare: None,
            route: Route::NONE,
        }
    }

    /// For a request whose session is loaded when somebody looks.
    #[inline]
    pub(crate) fn deferred(shared: Arc<Shared>, deferred: Arc<Deferred>, now: Timestamp) -> Self {
        let later = Arc::clone(&deferred) as _;
        Self {
            session: Session::loaded_later(Arc::clone(&shared) as _, now, later),
            shared,
            loaded: None,
            deferred: Some(deferred),
            came: Came::default(),
            dropped: None,
            rare: None,
            route: Route::NONE,
        }
    }

    /// Holds the ticket of a token that may be due to leave once it is loaded.
    pub(crate) fn hold(&mut self, ticket: Option<Ticket>) {
        if let Some(ticket) = ticket {
            self.rare_mut().ticket = Some(Box::new(ticket));
        }
    }

    fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// There if a self-contained token may leave again unasked.
    fn take_ticket(&mut self) -> Option<Box<Ticket>> {
        self.rare.as_mut()?.ticket.take()
    }

    /// What was loaded, for the request that put it off.
    pub(crate) fn into_found(mut self) -> Found {
        Found {
            session: self.session.clone(),
            loaded: self.loaded.take(),
            came: mem::take(&mut self.came),
            cookies: self.take_at_arrival(),
        }
    }

    /// The same the other way round.
    pub(crate) fn of_found(shared: Arc<Shared>, found: Found) -> Self {
        let nothing = Loaded {
            record: None,
            beside: None,
        };
        let mut context = Self::new(shared, found.session, nothing, found.came);
        context.loaded = found.loaded;
        context
    }

    pub(crate) const fn session(&self) -> &Session {
        &self.session
    }

    pub(crate) const fn deferred_load(&self) -> Option<&Arc<Deferred>> {
        self.deferred.as_ref()
    }

    /// Whether a login at arrival may begin a session.
    pub(crate) fn may_log_in_at_arrival(&self) -> bool {
        let beside = self.loaded.as_ref().map(|loaded| loaded.beside.iter());
        beside.is_some_and(|beside| {
            let found = beside.flat_map(|beside| &beside.found);
            let found = found.filter_map(Session::live);
            may_log_in_at_arrival(self.session.live(), &self.came, found)
        })
    }

    /// Takes note of what a login at arrival writes, and of what the answer is to say of its session's device.
    pub(crate) fn begin_at_arrival(
        &mut self,
        cookies: SetCookies,
        notes: Option<Box<DeviceNotes>>,
    ) {
        self.rare_mut().at_arrival = Some(cookies);
        if let Some(notes) = notes {
            self.session.note_device(|own| own.add(*notes));
        }
    }

    /// Whether a login at arrival has something to write.
    #[inline]
    pub(crate) fn began_at_arrival(&self) -> bool {
        let rare = self.rare.as_ref();
        rare.is_some_and(|rare| rare.at_arrival.is_some())
    }

    /// Adds what a login at arrival writes, beneath what was marked since.
    #[cold]
    pub(crate) fn add_at_arrival(&mut self, cookies: &mut SetCookies) {
        if let Some(at_arrival) = self.take_at_arrival() {
            *cookies = at_arrival.and_then(mem::take(cookies));
        }
    }

    /// Ends a session that began at arrival and whose cookie never leaves.
    #[cold]
    fn and_end_unsent(&self, mut marks: Vec<(Timestamp, Mark)>) -> Vec<(Timestamp, Mark)> {
        if self.began_at_arrival() {
            marks.push((self.session.admitted_at(), Mark::Logout));
        }
        marks
    }

    /// What a login at arrival writes, once.
    fn take_at_arrival(&mut self) -> Option<SetCookies> {
        self.rare.as_mut()?.at_arrival.take()
    }

    /// Takes note of what a request says of its route and its transport, and whether a self-contained token is due to
    /// leave.
    // Always, as `enter`: a layer that loads lazily calls them too, and a request without a cookie would pay for that.
    #[inline(always)]
    pub(crate) fn note_arrival<B>(&mut self, request: &Request<B>) {
        // Only with an unsafe method do browsers say where the page came from.
        if !request.method().is_safe() && self.shared.is_secure {
            self.dropped = Dropped::by(request.headers());
        }
        if self.shared.devices.is_some() {
            self.note_device(request.uri(), request.headers(), request.extensions());
        }
        if self.deferred.is_some() {
            self.route = Route::of(request.uri());
            return;
        }
        if self.session.live().is_none() {
            return;
        }
        self.route = Route::of(request.uri());
        self.hold_if_due();
    }

    /// Takes note that a self-contained token is due to leave, if it is, once.
    #[inline(always)]
    pub(crate) fn hold_if_due(&mut self) {
        if self.rare.as_ref().is_none_or(|rare| rare.ticket.is_none()) {
            let ticket = self.ticket_if_due();
            self.hold(ticket);
        }
    }

    /// There if a self-contained token is due to leave.
    #[inline(always)]
    pub(crate) fn ticket_if_due(&self) -> Option<Ticket> {
        let (Some(_), Backend::SelfContained(_)) = (&self.loaded, &self.shared.settings.backend)
        else {
            return None;
        };
        let live = self.session.live()?;
        is_due(&self.shared, &self.session, live)
            .then(|| self.shared.settings.in_flight.enter(live.family()))?
    }

    /// Takes note of what the answer has to know to tell the browser of its session's binding.
    #[cold]
    fn note_device(&mut self, uri: &Uri, headers: &HeaderMap, extensions: &Extensions) {
        let Some(devices) = &self.shared.devices else {
            return;
        };
        let noted = devices.note(uri, headers, extensions);
        let demands = devices.demands(headers, self.session.admitted_at());
        if !demands.is_empty() {
            self.session.note_device(|notes| notes.demands = demands);
        }
        self.rare_mut().noted = Some(noted);
        self.note_missing_device();
    }

    /// Makes a challenge for the device whose bound cookie is missing, if one is.
    fn note_missing_device(&mut self) {
        let noted = self.rare.as_mut().and_then(|rare| rare.noted.as_mut());
        let (Some(devices), Some(noted)) = (&self.shared.devices, noted) else {
            return;
        };
        if self.came.barred != Some(Barred::MissingDevice) {
            return;
        }
        let beside = self
            .loaded
            .as_ref()
            .and_then(|loaded| loaded.beside.as_ref());
        let mut found = beside.iter().flat_map(|beside| &beside.found);
        let proofs = beside.and_then(|beside| beside.proofs.as_deref());
        let at = self.session.admitted_at();
        noted.challenge = found.find_map(|session| {
            let live = session.live()?;
            let device = live.state.bound_device()?;
            if let Some(reason) = noted.skipped.take() {
                let event = SessionEvent::new(EventKind::DeviceSkipped, at).of(live.id);
                let event = event.because(reason).whose(&live.state);
                self.shared.tell(&event);
            }
            let family = live.family();
            noted.has_bound_cookie_of_another =
                proofs.is_some_and(|proofs| proofs.are_of_another(family));
            devices.challenge(family, device, at)
        });
    }

    /// Hands out the token of a self-contained session that a registration has bound.
    #[cold]
    pub(crate) fn hand_out_bound(&self, cookies: &mut SetCookies) {
        let Some(bound) = self.session.take_bound() else {
            return;
        };
        let (shared, BoundToken { id, state }) = (&self.shared, &*bound);
        let tokens = &shared.tokens;
        // It fits: that was tried before the list was asked.
        if let Ok(token) = tokens.seal_self_contained(CookieKind::Session, id, state) {
            let now = shared.settings.clock.now();
            cookies.hand_out(&shared.writer, &token, state, shared.policy(), now);
        }
    }

    /// Tells the browser of its session's binding. It says with which status the answer leaves, if not with its own.
    #[cold]
    pub(crate) fn finish_binding(
        &self,
        headers: &mut HeaderMap,
        for_caches: ForCaches,
    ) -> Option<StatusCode> {
        let noted = self.rare.as_ref().and_then(|rare| rare.noted.as_ref())?;
        let devices = self.shared.devices.as_ref()?;
        let answered = Answered {
            noted,
            notes: self
                .session
                .take_device_notes()
                .map(|notes| *notes)
                .unwrap_or_default(),
            live: self.session.live(),
            varies: for_caches.varies,
            is_for_one: answer::is_for_one(headers),
            now: self.shared.settings.clock.now(),
        };
        devices.finish(answered, headers)
    }

    /// Puts the session where the inner service finds it.
    ///
    /// The same layer once more passes the request through: the marks go to the session that is there. Another layer
    /// with the same cookie is a mistake that would lose logins, so the request fails.
    #[inline(always)]
    pub(crate) fn enter(&mut self, extensions: &mut Extensions) -> Result<(), LayersShareCookie> {
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
                self.let_go();
                extensions.insert(outer.clone());
                outer
            }
            Met::SameCookie => {
                self.let_go();
                self.tell_shared_cookie();
                return Err(LayersShareCookie);
            }
            Met::Another => self.session.clone(),
        };
        replace_authenticated(extensions, &session);
        Ok(())
    }

    /// Leaves the session to another layer.
    fn let_go(&mut self) {
        self.loaded = None;
        self.deferred = None;
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

    /// What caches have to know about a response of this head, as far as the layer can tell (S11).
    ///
    /// Who is logged in may have been looked for in the extensions, which leaves no trace, and whoever still holds
    /// a handle may read while the body streams. Unless the handler says that the response is for everybody, that
    /// counts as a look.
    pub(crate) fn for_caches(&self, status: StatusCode, headers: &HeaderMap) -> ForCaches {
        let session = &self.session;
        // A session that is still to be loaded shows nothing to who holds it.
        let is_held = self.deferred.is_none() && session.is_held_elsewhere();
        let may_show = session.was_looked_at()
            || (is_held || session.is_authenticated_at_arrival()) && !answer::is_public(headers);
        ForCaches {
            // Of a page that the client has already, nothing but its freshness changes.
            varies: may_show && status != StatusCode::NOT_MODIFIED,
            is_personal: may_show && session.live().is_some(),
        }
    }

    /// Tells, now and then, of a response that depended on a live session and that shared caches may keep by the
    /// handler's word.
    #[cold]
    pub(crate) fn watch_shared_caches(&self, headers: &HeaderMap) {
        let (session, now) = (&self.session, self.session.admitted_at());
        let watch = &self.shared.settings.shared_caches;
        if session.was_looked_at()
            && let Some(live) = session.live()
            && answer::allows_shared_caches(headers)
            && watch.tells(self.route, now)
        {
            let event = SessionEvent::new(EventKind::SharedCacheAllowed, now).of(live.id);
            self.shared.tell(&event.whose(&live.state));
        }
    }

    /// Tells of cookies that the browser will drop, which shows nowhere else.
    #[inline]
    pub(crate) fn watch_cookies(&self, cookies: &SetCookies) {
        if let Some(dropped) = self.dropped {
            self.tell_dropped(dropped, cookies);
        }
    }

    #[cold]
    fn tell_dropped(&self, dropped: Dropped, cookies: &SetCookies) {
        // What hands out a token is sensitive; what removes a cookie is not.
        let mut cookies = cookies.as_slice().iter();
        let now = self.shared.settings.clock.now();
        if cookies.any(|(_, value)| value.is_sensitive()) && self.shared.dropped.is_due(now) {
            self.shared
                .tell(&SessionEvent::new(EventKind::CookieNotKept, now));
            tracing::warn!(target: "tower_session_guard", "{}", dropped.remedy());
        }
    }

    /// Whether something is to be written though nobody marks anything; without a store that was found at the
    /// admission.
    fn is_due(&self) -> bool {
        let is_due = |live| is_due(&self.shared, &self.session, live);
        match (&self.loaded, &self.shared.settings.backend) {
            (None, _) => false,
            (Some(_), Backend::SelfContained(_)) => {
                self.rare.as_ref().is_some_and(|rare| rare.ticket.is_some())
            }
            (Some(_), Backend::Stored(_)) => self.session.live().is_some_and(is_due),
        }
    }

    /// Takes the marks and carries them out, once: what was loaded goes with them. `head` is the handler's answer,
    /// if there is one.
    pub(crate) fn close(&mut self, head: Option<(StatusCode, &HeaderMap)>) -> Commit {
        let marks = self.session.close();
        match self.deferred.take() {
            None => self.close_loaded(marks, head),
            Some(deferred) => self.close_deferred(deferred, marks, head),
        }
    }

    /// The same of a session that was to be loaded when somebody looked.
    #[inline(never)]
    fn close_deferred(
        &mut self,
        deferred: Arc<Deferred>,
        marks: Vec<(Timestamp, Mark)>,
        head: Option<(StatusCode, &HeaderMap)>,
    ) -> Commit {
        let asked = deferred.ask_no_more();
        match deferred.take() {
            Some(Ok(found)) => {
                self.take_in(found);
                self.close_loaded(marks, head)
            }
            // Somebody looked, so the answer may be one for nobody.
            Some(Err(error)) => Commit::Now(Err(error)),
            None if marks.is_empty() && !asked => Commit::Now(Ok(SetCookies::default())),
            None => self.load_and_close(deferred, marks, head),
        }
    }

    #[inline(always)]
    fn close_loaded(
        &mut self,
        marks: Vec<(Timestamp, Mark)>,
        head: Option<(StatusCode, &HeaderMap)>,
    ) -> Commit {
        let marks = match head {
            Some(_) => marks,
            None => self.and_end_unsent(marks),
        };
        let has_live = self.session.live().is_some();
        let upkeep = if has_live {
            self.upkeep(head)
        } else {
            Upkeep::Nothing
        };
        if marks.is_empty() && (upkeep == Upkeep::Nothing || !self.is_due()) {
            self.loaded = None;
        }
        let Some(loaded) = self.loaded.take() else {
            return Commit::Now(Ok(SetCookies::default()));
        };
        let done = self.done(marks, head, upkeep);
        settlement::commit(&self.shared, &self.session, loaded, done)
    }

    /// Takes in what was loaded since the request came.
    fn take_in(&mut self, found: Found) {
        if let Some(ticket) = self.take_ticket() {
            self.rare_mut().ticket = ticket_of(&found.session, Some(ticket));
        }
        self.loaded = found.loaded;
        self.came = found.came;
        if let Some(cookies) = found.cookies {
            self.rare_mut().at_arrival = Some(cookies);
        }
        self.note_missing_device();
    }

    /// Carries out the marks of a request that nobody has looked at: what came is loaded first.
    #[cold]
    fn load_and_close(
        &mut self,
        deferred: Arc<Deferred>,
        marks: Vec<(Timestamp, Mark)>,
        head: Option<(StatusCode, &HeaderMap)>,
    ) -> Commit {
        let upkeep = self.upkeep(head);
        let mut done = self.done(marks, head, upkeep);
        let shared = Arc::clone(&self.shared);
        let load = async move {
            let Some(found) = deferred.load_and_take().await else {
                return Err(SessionError::new(SessionErrorKind::Contention));
            };
            let Found {
                session,
                loaded,
                came,
                cookies,
            } = found?;
            let Some(loaded) = loaded else {
                return Err(SessionError::new(SessionErrorKind::Contention));
            };
            done.ticket = ticket_of(&session, done.ticket);
            done.came = came;
            if cookies.is_some() && done.outcome == Outcome::Dropped {
                done.marks.push((done.now, Mark::Logout));
            }
            if session.live().is_none() {
                done.upkeep = Upkeep::Nothing;
            }
            let committed = match settlement::commit(&shared, &session, loaded, done) {
                Commit::Now(committed) => committed,
                Commit::Later(commit) => commit.await,
            };
            let cookies = cookies.unwrap_or_default();
            Ok(cookies.and_then(committed?))
        };
        Commit::later(&self.shared, load)
    }

    /// What may leave unasked with an answer of this head.
    fn upkeep(&self, head: Option<(StatusCode, &HeaderMap)>) -> Upkeep {
        match head {
            Some((status, _)) if self.session.is_active() => answer::upkeep_of(status),
            _ => Upkeep::Nothing,
        }
    }

    fn done(
        &mut self,
        marks: Vec<(Timestamp, Mark)>,
        head: Option<(StatusCode, &HeaderMap)>,
        upkeep: Upkeep,
    ) -> HandlerDone {
        let admitted_at = self.session.admitted_at();
        let settings = &self.shared.settings;
        let outcome = match head {
            Some((status, headers)) if settings.failure.matches(status, headers) => Outcome::Failed,
            Some(_) => Outcome::Answered,
            None => Outcome::Dropped,
        };
        HandlerDone {
            now: if marks.is_empty() {
                admitted_at
            } else {
                settings.clock.now().max(admitted_at)
            },
            marks,
            outcome,
            admitted: settings
                .endings
                .admitted(admitted_at, self.session.endings_seen()),
            came: mem::take(&mut self.came),
            upkeep,
            ticket: self.take_ticket(),
        }
    }
}

/// The ticket, if it is this session's: it was entered before it was known which token opens.
fn ticket_of(session: &Session, ticket: Option<Box<Ticket>>) -> Option<Box<Ticket>> {
    let family = session.live()?.family();
    ticket.filter(|ticket| ticket.is_of(family))
}

/// Whether something is to be written though nobody marks anything, as of the request's admission.
fn is_due(shared: &Shared, session: &Session, live: &Live) -> bool {
    settle::is_due(live, session.admitted_at(), shared.policy())
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
        if self.loaded.is_some() || self.deferred.is_some() {
            // A commit that waits goes on without the request.
            drop(self.close(None));
        }
    }
}
