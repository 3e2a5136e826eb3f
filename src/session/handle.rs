//! [`Session`]: what a handler holds.

use std::{
    borrow::Borrow,
    fmt,
    sync::{Arc, MutexGuard, PoisonError, atomic::Ordering},
    time::Duration,
};

use serde::{Serialize, de::DeserializeOwned};
use smol_str::SmolStr;

use super::{
    authentication::{AssuranceLevel, Authentication, Subject},
    csrf::{CsrfRejected, CsrfToken},
    data::{DataError, DataKey},
    device_change::{BindingChange, BoundToken},
    device_notes::{Demand, DeviceNotes},
    draft::Draft,
    ended::{EndCause, Ended},
    entries::{Entries, Entry},
    event::{EventKind, SessionEvent},
    id::SessionId,
    impersonation::Impersonation,
    later::{Later, LoadFailed},
    live::Live,
    mark::{Login, Mark},
    policy::SessionPolicy,
    state::State,
    step_up::StepUp,
    time::Timestamp,
    unadmitted::{Environment, Inner, Pending, Unadmitted},
};

/// The session of a request: reads it, and takes down what the handler says happened.
///
/// It lies in the request's extensions. A mark is synchronous and cannot fail; the layer carries it out
/// once the handler has returned the response's head, and answers in the handler's place if it cannot.
/// Marks apply in order. Reads see the marks made so far. A mark made later than the head (from a
/// streaming body, a WebSocket, a spawned task) changes nothing and leaves an event.
///
/// | the handler answers | what takes effect |
/// |---|---|
/// | and has not failed | every mark |
/// | with 5xx, 408, a `grpc-status` other than 0 in the head, or a failure by [`failed_if`](crate::SessionLayer::failed_if) | logout, step-down and renewal; logins, elevations and data are dropped |
/// | never: a panic, or the client is gone | logout and step-down |
///
/// A failure that only a trailer tells, as that of a gRPC stream, comes after the settlement and changes nothing.
///
/// # Looks
///
/// The axum extractors of this crate, its guards, `CsrfLayer` where it checks a token, and every method that reads or
/// marks the session are *looks*. To find a `Session` in the extensions is none.
///
/// | the request | its user is active | is written | the response has |
/// |---|---|---|---|
/// | looks at the session | yes | what it marks; what is due: the idle timer, a renewal by policy, a new signature | `Vary: Cookie`; `private` for a live session |
/// | in the [background](Self::mark_background) looks at it, or asks for its [limits](Self::expires_at) only | no | what it marks | the same |
/// | does not look at it | no | nothing | the same if a user is logged in or a handle is still held, unless its handler says `public` |
///
/// Beside a 304, what is due is written only if that changes no cookie, and no header is added but `private`. Beside a
/// 101, nothing that is due is written.
///
/// A self-contained token that leaves again since something is due holds what it held when its request came. If
/// another request of this process wrote the session meanwhile, the token stays in, so no read undoes a write. A
/// write on another node is not seen.
///
/// # A session that ends meanwhile
///
/// If the session reaches a limit while the handler runs, the handler goes on as if nothing had happened. Then, in
/// either mode, its data and a renewal are dropped with an event
/// ([`ResurrectionBlocked`](crate::EventKind::ResurrectionBlocked)), an elevation turns the response into 401, and a
/// login, a logout and a step-down count.
///
/// Clones are handles to the same session.
///
/// # Examples
///
/// ```
/// use tower_session_guard::Session;
///
/// fn password_verified(session: &Session, user: &str) {
///     session.login(user); // that is all: the layer rotates
/// }
/// ```
#[derive(Clone)]
pub struct Session(pub(super) Arc<Inner<[Live]>>);

/// What a layer finds where another one has been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Met {
    /// The session of the same layer, which is there twice.
    SameLayer,
    /// That of another layer that reads and writes the same cookie.
    SameCookie,
    /// That of another layer.
    Another,
}

impl Session {
    /// The session of a token that is admitted now.
    pub(crate) fn admitted(session: Unadmitted) -> Self {
        Self(session.0)
    }

    /// The handle of an anonymous request.
    pub(crate) fn new(environment: Arc<dyn Environment>, admitted_at: Timestamp) -> Self {
        Self(Inner::make(environment, admitted_at, [], None))
    }

    /// The handle of a request whose session is loaded when somebody first looks.
    #[inline(never)]
    pub(crate) fn loaded_later(
        environment: Arc<dyn Environment>,
        admitted_at: Timestamp,
        later: Arc<dyn Later>,
    ) -> Self {
        Self(Inner::make(environment, admitted_at, [], Some(later)))
    }

    /// Whether the session is loaded, as it is from the beginning unless the layer loads lazily.
    pub(crate) fn is_loaded(&self) -> bool {
        let later = self.0.later.as_ref();
        later.is_none_or(|later| later.found().is_some())
    }

    /// Loads the session, unless it is loaded.
    pub(crate) async fn loaded(&self) -> Result<(), LoadFailed> {
        match &self.0.later {
            Some(later) => later.load().await,
            None => Ok(()),
        }
    }

    /// Says that a user proved who they are.
    ///
    /// A new session with a new token begins and every one that the request came with ends at once, on every
    /// node that shares the store; with self-contained tokens, as far as their [`Endings`](crate::Endings) reach. Both
    /// timers restart. A guest's data is dropped unless its key is [carried](DataKey::carried); the same subject's data
    /// is kept; another subject's never is. What is kept is what this request has found and put in: what another
    /// one writes into the session that ends, while this one is under way, ends with it.
    ///
    /// If everything of the subject, or of a tag of the login, is ended while the handler runs, the response becomes
    /// 401 and nobody is logged in.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::{Login, Session};
    ///
    /// fn password_verified(session: &Session, user: u64, stay: bool) {
    ///     let login = Login::new(user).by("password");
    ///     session.login(if stay { login.remembered() } else { login });
    /// }
    /// ```
    pub fn login(&self, login: impl Into<Login>) {
        self.mark(Mark::Login(login.into()));
    }

    /// Says that the logged-in user proved themselves at a level, until the session ends: a bare level, or a [`StepUp`] that
    /// says more.
    ///
    /// The token is replaced, the time of authentication moves to now, and the absolute limit stays. The level
    /// never falls, and a proof weaker than the level that holds does not move the time of authentication. If
    /// nobody is logged in, nothing changes and an event is emitted. If the session ended or its token was
    /// replaced while the handler ran, the response becomes 401.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::{AssuranceLevel, Session, StepUp};
    ///
    /// fn code_verified(session: &Session) {
    ///     session.elevate(StepUp::to(AssuranceLevel::AAL2).by("totp"));
    /// }
    /// ```
    pub fn elevate(&self, step_up: impl Into<StepUp>) {
        self.mark(Mark::Elevate(step_up.into()));
    }

    /// The same as [`elevate`](Self::elevate), for a limited time: then the level falls back by itself.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_session_guard::{AssuranceLevel, Session};
    ///
    /// fn code_verified(session: &Session) {
    ///     session.elevate_for(AssuranceLevel::AAL2, Duration::from_secs(600));
    /// }
    /// ```
    pub fn elevate_for(&self, level: AssuranceLevel, time: Duration) {
        self.elevate(StepUp::to(level).lasting(time));
    }

    /// Says that the logged-in user acts as another subject: to see what they see, or to help them.
    ///
    /// A new session under a new token takes the place of the user's, with the same limits, label and tags, and ends after the
    /// impersonation's [time](crate::Impersonation::lasting) unless the actor [returns](Self::end_impersonation) before. It has the
    /// other's subject, the [actor](Self::actor), no data and no methods. Its level is never above the actor's, at any time and
    /// whatever is [marked](Self::elevate) meanwhile. The time of authentication is the actor's. It does not count towards
    /// the other's limit of sessions. What ends everything of the actor, or everything of the other, ends it. A login ends it
    /// too, and drops what was written.
    ///
    /// If nobody is logged in, if a user acts already, if the subject is the user's own, if this request has marked a login, or if the session
    /// is bound to a device, nothing changes and an event ([`ImpersonationRefused`](crate::EventKind::ImpersonationRefused)) is emitted:
    /// [`actor`](Self::actor) tells. A subject that is empty or too long turns the response into 500, as a login's does. If the session ended
    /// or its token was replaced while the handler ran, the response becomes 401. What the user's session holds takes room of the new one's
    /// data; if it does not fit, the response becomes 503.
    ///
    /// Whether the user may do so is the application's to check first.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::{AuthenticatedSession, Impersonation};
    ///
    /// fn act_as(user: &AuthenticatedSession, may: bool, customer: u64) -> bool {
    ///     if may {
    ///         user.session().impersonate(Impersonation::of(customer));
    ///     }
    ///     user.session().actor().is_some()
    /// }
    /// ```
    pub fn impersonate(&self, impersonation: impl Into<Impersonation>) {
        self.mark(Mark::Impersonate(impersonation.into()));
    }

    /// Lets the actor return: a session of their own, under a new token, takes the place of the one in which they acted.
    ///
    /// Subject, level, methods, limits, data and the time of authentication are those from before the impersonation, and never more.
    /// What was written while acting is gone. The session counts towards the actor's limit again, which is enforced as at a login.
    /// If nobody acts, nothing changes and an event is emitted. If the session ended or its token was replaced while the handler
    /// ran, the response becomes 401.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::Session;
    ///
    /// fn back(session: &Session) {
    ///     session.end_impersonation();
    ///     assert_eq!(session.actor(), None);
    /// }
    /// ```
    pub fn end_impersonation(&self) {
        self.mark(Mark::EndImpersonation);
    }

    /// Who acts as the [subject](Self::subject), if somebody does.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::Session;
    ///
    /// fn banner(session: &Session) -> Option<String> {
    ///     let (actor, subject) = (session.actor()?, session.subject()?);
    ///     Some(format!("{actor} acts as {subject}"))
    /// }
    /// ```
    #[must_use]
    pub fn actor(&self) -> Option<Subject> {
        self.note_look();
        if let Some(draft) = &self.pending().draft {
            let acting = draft.acting.as_ref();
            return acting.map(|acting| acting.actor.clone());
        }
        let live = self.live().filter(|live| !live.suspended)?;
        live.actor().cloned()
    }

    /// Gives up every elevation: the level falls back to the login's, and the token is replaced.
    ///
    /// If nobody is logged in, nothing changes and an event is emitted.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::Session;
    ///
    /// fn left_the_administration(session: &Session) {
    ///     session.step_down();
    /// }
    /// ```
    pub fn step_down(&self) {
        self.mark(Mark::StepDown);
    }

    /// Replaces the token; its predecessor works for the policy's grace time.
    ///
    /// If there is no session, nothing changes and an event is emitted.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::Session;
    ///
    /// fn address_changed(session: &Session) {
    ///     session.renew();
    /// }
    /// ```
    pub fn renew(&self) {
        self.mark(Mark::Renew);
    }

    /// Ends every session that a token of the request is of, and removes the cookies.
    ///
    /// That includes a session whose token was rotated away, as long as the session remembers it, and a guest's. The
    /// cookie of a session that ended before is removed too.
    ///
    /// Data put in afterwards begins a guest session.
    ///
    /// # Examples
    ///
    /// ```
    /// use axum::response::Redirect;
    /// use tower_session_guard::Session;
    ///
    /// async fn log_out(session: Session) -> Redirect {
    ///     session.logout();
    ///     Redirect::to("/")
    /// }
    /// # let _: axum::Router = axum::Router::new().route("/logout", axum::routing::post(log_out));
    /// ```
    pub fn logout(&self) {
        self.mark(Mark::Logout);
    }

    /// Makes the request one that runs in the background, such as a page's poll: it is not its user's activity.
    ///
    /// It neither restarts the idle timer nor renews, re-signs or re-binds the token, and sets no cookie by itself, in
    /// either mode. That holds for the whole request, also for what was read before. Other marks work as ever: what
    /// they write is written, and a login, an elevation, a step-down and a renewal restart the idle timer.
    ///
    /// [`BackgroundLayer`](crate::BackgroundLayer) does it for all routes within.
    ///
    /// # Examples
    ///
    /// A page asks how many messages are new, again and again; the session ends all the same when its user does nothing:
    ///
    /// ```
    /// use tower_session_guard::Session;
    ///
    /// async fn unread(session: Session) -> String {
    ///     session.mark_background();
    ///     match session.subject() {
    ///         Some(user) => format!("{} new", count(&user)),
    ///         None => String::new(),
    ///     }
    /// }
    /// # fn count(_: &tower_session_guard::Subject) -> u32 { 0 }
    /// ```
    pub fn mark_background(&self) {
        self.0.looks.mark_background();
    }

    /// Puts a value under `key`; a guest session begins if there is none.
    ///
    /// Where two requests each read a value, change it and put it back, the later one undoes what the other one did:
    /// [`update`](Self::update) is for that.
    ///
    /// With self-contained tokens the value is in the cookie, and the write leaves the token's id as it is. So the
    /// holder can put an older cookie back and be believed, with what it held: a counter, or a note that a code was
    /// used, is worth nothing against them. If the same request also marks [`renew`](Self::renew), the new data comes
    /// under a new token: older ones are dead after the policy's [grace time](crate::SessionPolicy::grace). Whatever must
    /// not be rolled back at all belongs into a store.
    ///
    /// # Errors
    ///
    /// If the value does not turn into JSON that reads back as it was, as `f64::NAN` does not; if the session's data would
    /// exceed what fits: about 2 KiB with self-contained tokens, 64 KiB with a store; or if the response's head has left
    /// already. Nothing is changed then. If together with what another request has written meanwhile the data would
    /// exceed what fits, the response becomes 503 and nothing is written.
    ///
    /// # Examples
    ///
    /// What the key's type borrows as does too: a `&str` under a key of `String`.
    ///
    /// ```
    /// use tower_session_guard::{DataError, DataKey, Session};
    ///
    /// const THEME: DataKey<String> = DataKey::new("theme").carried();
    ///
    /// fn choose(session: &Session) -> Result<(), DataError> {
    ///     session.insert(&THEME, "dark")
    /// }
    /// ```
    pub fn insert<T, V>(&self, key: &DataKey<T>, value: &V) -> Result<(), DataError>
    where
        T: Serialize + DeserializeOwned + Borrow<V>,
        V: Serialize + ?Sized,
    {
        let named = |error: DataError| error.under(key.name());
        let value = DataKey::<T>::encode(value).map_err(named)?;
        let budget = self.0.environment.data_budget();
        let at = self.0.environment.now();
        let mut pending = self.pending();
        if self.is_late(&pending) {
            return Err(named(DataError::too_late()));
        }
        let draft = self.draft(&mut pending);
        let keep = key.keep(at);
        let entry = Entry {
            name: key.name(),
            value: &value,
            keep,
        };
        let next = draft.entries.with(entry, at);
        if draft.reserved_len() + next.len() > budget {
            return Err(named(DataError::too_large()));
        }
        let mark = Mark::Insert {
            name: SmolStr::new(key.name()),
            value: value.into(),
            keep,
        };
        // As the mark applies.
        draft.entries = next;
        pending.marks.push((at, mark));
        Ok(())
    }

    /// Removes the value under `key`, if there is one.
    ///
    /// A guest session ends if it was the last one, unless another request has put something in meanwhile.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::{DataKey, Session};
    ///
    /// const CART: DataKey<Vec<u32>> = DataKey::new("cart").carried();
    ///
    /// fn ordered(session: &Session) {
    ///     session.remove(&CART);
    /// }
    /// ```
    pub fn remove<T>(&self, key: &DataKey<T>) {
        let name = SmolStr::new(key.name());
        self.mark(Mark::Remove { name });
    }

    /// The value under `key`, if there is one.
    ///
    /// # Errors
    ///
    /// If what is stored there is not of the key's type. A release that changes the type meets such values, and answers
    /// 500 where it passes the error on: [`DataKey`] says how to change it.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::{DataError, DataKey, Session};
    ///
    /// const THEME: DataKey<String> = DataKey::new("theme").carried();
    ///
    /// fn theme(session: &Session) -> Result<String, DataError> {
    ///     Ok(session.get(&THEME)?.unwrap_or_else(|| "light".to_owned()))
    /// }
    /// ```
    pub fn get<T>(&self, key: &DataKey<T>) -> Result<Option<T>, DataError>
    where
        T: Serialize + DeserializeOwned,
    {
        let value = self.look(|_, entries| {
            let value = entries.get(key.name(), self.0.admitted_at);
            value.map(DataKey::decode).transpose()
        });
        value.map_err(|error| error.under(key.name()))
    }

    /// Removes all data of the session: what its keys are, and those of other parts of the application.
    ///
    /// A guest session ends. A user stays logged in, under the same token.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::Session;
    ///
    /// fn start_over(session: &Session) {
    ///     session.clear();
    ///     assert!(session.is_empty());
    /// }
    /// ```
    pub fn clear(&self) {
        let names: Vec<_> = self.look(|_, entries| {
            let names = entries.iter().map(|entry| SmolStr::new(entry.name));
            names.collect()
        });
        for name in names {
            self.mark(Mark::Remove { name });
        }
    }

    /// Whether the session holds no data.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::Session;
    ///
    /// fn may_forget(session: &Session) -> bool {
    ///     session.is_empty() && !session.is_authenticated()
    /// }
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.look(|_, entries| entries.is_empty_at(self.0.admitted_at))
    }

    /// Who is logged in.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::Session;
    ///
    /// async fn greet(session: Session) -> String {
    ///     match session.subject() {
    ///         Some(user) => format!("Hello, {user}"),
    ///         None => "Who are you?".to_owned(),
    ///     }
    /// }
    /// # let _: axum::Router = axum::Router::new().route("/", axum::routing::get(greet));
    /// ```
    #[must_use]
    pub fn subject(&self) -> Option<Subject> {
        self.look(|who, _| who.map(|who| who.subject.clone()))
    }

    /// The assurance level that holds now; `None`, level 0, while nobody is logged in.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::{AssuranceLevel, Session};
    ///
    /// fn may_transfer(session: &Session) -> bool {
    ///     session.level() >= Some(AssuranceLevel::AAL2)
    /// }
    /// ```
    #[must_use]
    pub fn level(&self) -> Option<AssuranceLevel> {
        self.look(|who, _| who.map(|who| who.level_at(self.0.admitted_at)))
    }

    /// When the user last proved who they are.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::Session;
    ///
    /// fn logged_in_since(session: &Session) -> Option<u64> {
    ///     Some(session.authenticated_at()?.as_unix_seconds())
    /// }
    /// ```
    #[must_use]
    pub fn authenticated_at(&self) -> Option<Timestamp> {
        self.look(|who, _| who.map(|who| who.authenticated_at))
    }

    /// Whether a user is logged in.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::Session;
    ///
    /// fn home(session: &Session) -> &'static str {
    ///     if session.is_authenticated() { "/account" } else { "/login" }
    /// }
    /// ```
    #[must_use]
    pub fn is_authenticated(&self) -> bool {
        self.look(|who, _| who.is_some())
    }

    /// The id of the session that the request came with, a guest session or a user's, or of the one that began by a
    /// [login at arrival](crate::SessionLayer::login_at_arrival).
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::Session;
    ///
    /// fn trace(session: &Session) -> String {
    ///     // An id is no secret: it opens no session.
    ///     session.id().map_or_else(String::new, |id| id.to_string())
    /// }
    /// ```
    #[must_use]
    pub fn id(&self) -> Option<SessionId> {
        self.note_look();
        self.live().map(|live| live.id)
    }

    /// Whether the request counts as anonymous because another client uses its session, as
    /// [`OnChange::Ask`](crate::OnChange::Ask) wants it: its user should be asked to log in again.
    ///
    /// What the handler puts into a suspended session is dropped, and a renewal is skipped. A login and a
    /// logout work as ever; one of the same subject keeps the session's data.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::Session;
    ///
    /// fn is_another_client(session: &Session) -> bool {
    ///     session.is_suspended()
    /// }
    /// ```
    #[must_use]
    pub fn is_suspended(&self) -> bool {
        self.note_look();
        self.live().is_some_and(|live| live.suspended)
    }

    /// Why the session is over that the request's token was of, so that a page can say "logged out, since …".
    ///
    /// `None` if no token came that this server signed for a logged-in session, or if its session lives. Guests' tokens do
    /// not count.
    ///
    /// | cause | where |
    /// |---|---|
    /// | [`Expired`](EndCause::Expired) | the token's or the session's limit has passed, and the token or the store still says so |
    /// | [`Replaced`](EndCause::Replaced) | a login, an elevation or a renewal put another token in its place; the session may go on under that one |
    /// | [`Reused`](EndCause::Reused) | the token was used again after its renewal, or by another client, and the session ended |
    /// | [`Ended`](EndCause::Ended) | it was ended, or it expired and the store does not have it any more |
    ///
    /// Nothing is kept to answer this: a store that has removed an expired record tells of an idle limit as
    /// `Ended`. The layer's own answers are the same for all causes. What you show tells whoever has the token how its session
    /// ended: a thief, too.
    ///
    /// It is a look at the session.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::{EndCause, Session};
    ///
    /// fn notice(session: &Session) -> &'static str {
    ///     match session.why_ended() {
    ///         Some(EndCause::Expired) => "You were logged out, since you were away for long.",
    ///         Some(_) => "You are not logged in any more.",
    ///         None => "",
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn why_ended(&self) -> Option<EndCause> {
        self.note_look();
        let own = self.pending().why_ended;
        own.or_else(|| self.0.later.as_ref()?.why_ended())
    }

    /// Whether the session is bound to its user's device, and the request came with a good proof of it.
    ///
    /// It is false for a guest, for a session that is not bound, in the first minute after the binding for a request without
    /// the bound cookie, and once this request has marked a login or a logout.
    ///
    /// Requires the feature `dbsc`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::Session;
    ///
    /// fn note(session: &Session) -> &'static str {
    ///     if session.is_bound() { "This browser alone can use the session." } else { "" }
    /// }
    /// ```
    #[cfg(feature = "dbsc")]
    #[must_use]
    pub fn is_bound(&self) -> bool {
        self.device_proved_at().is_some()
    }

    /// A CSRF token for a form or a script of this response.
    ///
    /// `None` if there is no session, as for an anonymous request: then there is nothing to ride
    /// on. `None` too where the handler marked what changes the session's privilege or ends it, as the removal of a
    /// guest's last value does, since the token would not hold for the next request: redirect, and let the next page
    /// carry it. And `None` if the operating system gives no random bytes.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::Session;
    ///
    /// fn form(session: &Session) -> Option<String> {
    ///     let token = session.csrf_token()?;
    ///     Some(format!(r#"<input type="hidden" name="csrf" value="{token}">"#))
    /// }
    /// ```
    #[must_use]
    pub fn csrf_token(&self) -> Option<CsrfToken> {
        let live = self.own()?;
        let draft_keeps = |pending: &Pending| {
            let draft = pending.draft.as_ref();
            draft.is_none_or(|draft| draft.keeps_lineage() && !draft.empties_guest(live))
        };
        if !draft_keeps(&self.pending()) {
            return None;
        }
        let environment = &self.0.environment;
        environment.csrf_token(live.lineage, live.subject())
    }

    /// Checks a CSRF token that came with the request, in constant time.
    ///
    /// # Errors
    ///
    /// If it was not made for the session that the request came with, as it was since its last change of
    /// privilege. Where there is no session, every token is refused.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::{CsrfRejected, Session};
    ///
    /// fn transfer(session: &Session, csrf: &str) -> Result<(), CsrfRejected> {
    ///     session.check_csrf(csrf)?;
    ///     // … carry it out …
    ///     Ok(())
    /// }
    /// ```
    pub fn check_csrf(&self, token: impl AsRef<[u8]>) -> Result<(), CsrfRejected> {
        let live = self.own().ok_or(CsrfRejected(()))?;
        let environment = &self.0.environment;
        if environment.csrf_holds(live.lineage, live.subject(), token.as_ref()) {
            Ok(())
        } else {
            Err(CsrfRejected(()))
        }
    }

    /// Whether the request came with a session that its client may act for.
    pub(crate) fn has_authority(&self) -> bool {
        self.own().is_some()
    }

    fn own(&self) -> Option<&Live> {
        self.note_look();
        self.live().filter(|live| !live.suspended)
    }

    pub(super) fn look<R>(&self, at: impl FnOnce(Option<&Authentication>, &Entries) -> R) -> R {
        self.note_look();
        if let Some(draft) = &self.pending().draft {
            return at(draft.authentication.as_ref(), &draft.entries);
        }
        match self.live() {
            Some(live) if !live.suspended => {
                at(live.state.authentication.as_ref(), &live.state.entries)
            }
            _ => at(None, &Entries::default()),
        }
    }

    fn mark(&self, mark: Mark) {
        let at = self.0.environment.now();
        let mut pending = self.pending();
        if self.is_late(&pending) {
            return;
        }
        self.draft(&mut pending).apply(self.live(), &mark, at);
        pending.marks.push((at, mark));
    }

    /// Tells of a mark that comes too late, and says so.
    pub(super) fn is_late(&self, pending: &Pending) -> bool {
        if pending.closed {
            let event = SessionEvent {
                session: self.live().map(|live| live.id),
                ..SessionEvent::new(EventKind::LateMark, self.0.environment.now())
            };
            self.0.environment.observe(&event);
        }
        pending.closed
    }

    pub(super) fn draft<'a>(&self, pending: &'a mut Pending) -> &'a mut Draft {
        // A mark needs no load: the settlement loads what came.
        self.0.looks.look();
        let unloaded = &mut pending.unloaded;
        pending.draft.get_or_insert_with(|| {
            *unloaded = !self.is_loaded();
            Box::new(Draft::of(self.live()))
        })
    }

    /// Makes the draft anew that was begun before the session was loaded.
    #[cold]
    fn draft_anew(&self, pending: &mut Pending) {
        if !self.is_loaded() {
            return;
        }
        pending.unloaded = false;
        let mut draft = Draft::of(self.live());
        for (at, mark) in &pending.marks {
            draft.apply(self.live(), mark, *at);
        }
        pending.draft = Some(Box::new(draft));
    }

    pub(super) fn pending(&self) -> MutexGuard<'_, Pending> {
        // Nothing under the lock leaves the marks half made, so a panic elsewhere does not matter.
        let pending = self.0.pending.lock();
        let mut pending = pending.unwrap_or_else(PoisonError::into_inner);
        if pending.unloaded {
            self.draft_anew(&mut pending);
        }
        pending
    }

    /// Takes note of a look: the response depends on the session, and its user is active.
    #[inline]
    pub(crate) fn note_look(&self) {
        self.0.looks.look();
        if self.0.later.is_some() {
            self.tell_unloaded();
        }
    }

    /// Says so if the session is read before it is loaded.
    #[cold]
    fn tell_unloaded(&self) {
        if let Some(later) = &self.0.later
            && later.found().is_none()
        {
            later.tell_unloaded();
        }
    }

    /// Reads the session's limits, which is no activity.
    pub(super) fn in_passing<R>(
        &self,
        read: impl FnOnce(&SessionPolicy, &State) -> Option<R>,
    ) -> Option<R> {
        self.0.looks.look_in_passing();
        if self.0.later.is_some() {
            self.tell_unloaded();
        }
        let live = self.live().filter(|live| !live.suspended)?;
        read(self.0.environment.policy(), &live.state)
    }

    /// The wait for the session's end.
    pub(super) fn ended(&self, live: &Live) -> Ended {
        self.0.environment.ended(live)
    }

    /// How the session of a layer further out relates to this one.
    pub(crate) fn met(&self, outer: &Self) -> Met {
        let (own, other) = (&self.0.environment, &outer.0.environment);
        if Arc::ptr_eq(own, other) {
            Met::SameLayer
        } else if own.cookie_name() == other.cookie_name() {
            Met::SameCookie
        } else {
            Met::Another
        }
    }

    /// Whether anyone but the layer holds a handle.
    pub(crate) fn is_held_elsewhere(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    /// Whether the request came with a logged-in session that is its client's.
    pub(crate) fn is_authenticated_at_arrival(&self) -> bool {
        self.live()
            .is_some_and(|live| live.authentication().is_some())
    }

    /// Whether the request looked at its session, so that the response depends on it.
    pub(crate) fn was_looked_at(&self) -> bool {
        self.0.looks.any()
    }

    /// Whether the request counts as its user's activity.
    pub(crate) fn is_active(&self) -> bool {
        self.0.looks.are_activity()
    }

    #[inline]
    pub(crate) fn live(&self) -> Option<&Live> {
        match (self.0.live.first(), &self.0.later) {
            (Some(live), _) => Some(live),
            (None, None) => None,
            (None, Some(later)) => later.found()?,
        }
    }

    pub(crate) fn admitted_at(&self) -> Timestamp {
        self.0.admitted_at
    }

    /// How many cut-offs came before the request.
    pub(crate) fn endings_seen(&self) -> u64 {
        self.0.endings_seen.load(Ordering::SeqCst)
    }

    /// Lets the request count as one that came after this cut-off, which it asked for itself.
    pub(crate) fn came_after(&self, ending: u64) {
        self.0.endings_seen.fetch_max(ending, Ordering::SeqCst);
    }

    /// Takes note of why the logged-in session is over whose token came.
    pub(crate) fn note_end(&self, cause: EndCause) {
        self.pending().why_ended = Some(cause);
    }

    /// Takes note of what concerns the session's device.
    pub(crate) fn note_device(&self, note: impl FnOnce(&mut DeviceNotes)) {
        note(self.pending().device.get_or_insert_default());
    }

    /// Takes note, for the answer, of what became of the binding to a device.
    pub(crate) fn note_binding(&self, change: BindingChange) {
        self.note_device(|notes| notes.change = Some(change));
    }

    /// What was noted of the session's device, before it was loaded and since.
    pub(crate) fn take_device_notes(&self) -> Option<Box<DeviceNotes>> {
        let own = self.pending().device.take();
        let later = self.0.later.as_ref();
        let found = later.and_then(|later| later.take_device_notes());
        match (own, found) {
            (Some(mut own), Some(found)) => {
                own.add(*found);
                Some(own)
            }
            (own, found) => own.or(found),
        }
    }

    /// Whether the user proved who they are by this method, as the marks so far leave it.
    pub(crate) fn is_proved_by(&self, method: &str) -> bool {
        let pending = self.pending();
        let drafted = pending.draft.as_deref().map(|draft| &draft.methods);
        let kept = || self.live().map(|live| live.state.methods());
        let methods = drafted.or_else(kept);
        methods.is_some_and(|methods| methods.proved_at(method).is_some())
    }

    /// When the device of the session proved itself, if the session goes on and is bound.
    pub(crate) fn device_proved_at(&self) -> Option<Timestamp> {
        self.note_look();
        let goes_on = |draft: &Draft| draft.continues && draft.authentication.is_some();
        let goes_on = self.pending().draft.as_deref().is_none_or(goes_on);
        let live = self.live();
        let live = live.filter(|live| goes_on && live.authentication().is_some())?;
        live.presence.proved_at()
    }

    /// Whether the session does not open because its device is missing, though it was asked for a proof lately.
    pub(crate) fn left_its_device_unproved(&self) -> bool {
        let Some(notes) = self.take_device_notes() else {
            return false;
        };
        let is_unmet = notes.missing.is_some_and(|family| {
            Demand::is_unmet(&notes.demands, &family, None, self.admitted_at())
        });
        self.pending().device = Some(notes);
        is_unmet
    }

    /// Takes what the token says that is to leave, if a registration has bound a self-contained session.
    pub(crate) fn take_bound(&self) -> Option<Box<BoundToken>> {
        let mut pending = self.pending();
        let change = &mut pending.device.as_mut()?.change;
        match change.take_if(|change| matches!(change, BindingChange::Bound(_)))? {
            BindingChange::Bound(token) => Some(token),
            BindingChange::LoggedOut | BindingChange::LoggedIn(_) => None,
        }
    }

    /// Whether it is that of a layer with this cookie.
    #[cfg(feature = "dbsc")]
    pub(crate) fn is_in(&self, cookie_name: &str) -> bool {
        self.0.environment.cookie_name() == cookie_name
    }

    /// The marks so far.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn marks_so_far(&self) -> Vec<(Timestamp, Mark)> {
        self.pending().marks.clone()
    }

    /// Ends the time of marks and hands them out.
    pub(crate) fn close(&self) -> Vec<(Timestamp, Mark)> {
        let mut pending = self.pending();
        pending.closed = true;
        std::mem::take(&mut pending.marks)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("id", &self.live().map(|live| live.id))
            .finish_non_exhaustive()
    }
}
