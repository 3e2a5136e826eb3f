//! [`AuthenticatedSession`]: the session of a logged-in user.

use std::{fmt, time::Duration};

use super::{
    authentication::{AssuranceLevel, Authentication, Subject},
    ended::Ended,
    handle::Session,
    id::SessionId,
    live::Live,
    time::Timestamp,
};

/// The logged-in session of a request, as it was when the request came.
///
/// It is in the request's extensions only if a user is logged in, and only the layer can make
/// one. Marks of the running handler do not change what it tells; [`Session`] shows those.
#[derive(Clone)]
pub struct AuthenticatedSession(Session);

impl Session {
    /// The logged-in session as it was when the request came, if a user was logged in.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::Session;
    ///
    /// fn age_of_session(session: &Session) -> Option<u64> {
    ///     Some(session.authenticated()?.created_at().as_unix_seconds())
    /// }
    /// ```
    #[must_use]
    pub fn authenticated(&self) -> Option<AuthenticatedSession> {
        self.note_look();
        AuthenticatedSession::of(self)
    }
}

impl AuthenticatedSession {
    pub(crate) fn of(session: &Session) -> Option<Self> {
        session.live()?.authentication()?;
        Some(Self(session.clone()))
    }

    /// Who is logged in.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::AuthenticatedSession;
    ///
    /// async fn account(user: AuthenticatedSession) -> String {
    ///     format!("the account of {}", user.subject())
    /// }
    /// # let _: axum::Router = axum::Router::new().route("/", axum::routing::get(account));
    /// ```
    #[must_use]
    pub fn subject(&self) -> &Subject {
        &self.authentication().subject
    }

    /// Who acts as the [subject](Self::subject), if somebody [does](crate::Session::impersonate).
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::AuthenticatedSession;
    ///
    /// fn may_delete(user: &AuthenticatedSession) -> bool {
    ///     // Only users themselves.
    ///     user.actor().is_none()
    /// }
    /// ```
    #[must_use]
    pub fn actor(&self) -> Option<&Subject> {
        self.live().actor()
    }

    /// The assurance level that held when the request came.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::{AssuranceLevel, AuthenticatedSession};
    ///
    /// fn may_transfer(user: &AuthenticatedSession) -> bool {
    ///     user.level() >= AssuranceLevel::AAL2
    /// }
    /// ```
    #[must_use]
    pub fn level(&self) -> AssuranceLevel {
        self.authentication().level_at(self.0.admitted_at())
    }

    /// When the user last proved who they are.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::AuthenticatedSession;
    ///
    /// fn last_proof(user: &AuthenticatedSession) -> u64 {
    ///     user.authenticated_at().as_unix_seconds()
    /// }
    /// ```
    #[must_use]
    pub fn authenticated_at(&self) -> Timestamp {
        self.authentication().authenticated_at
    }

    /// By which methods the user proved who they are, and when they last did by each: those that the login
    /// [named](crate::Login::by), then those of [elevations](crate::StepUp::by).
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::AuthenticatedSession;
    ///
    /// fn shown(user: &AuthenticatedSession) -> Vec<String> {
    ///     let methods = user.methods();
    ///     methods.map(|(name, at)| format!("{name} at {}", at.as_unix_seconds())).collect()
    /// }
    /// ```
    pub fn methods(&self) -> impl Iterator<Item = (&str, Timestamp)> {
        self.live().state.methods().iter()
    }

    /// How long ago the user last proved who they are by this method, as of the request's arrival; `None` if they did not.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_session_guard::AuthenticatedSession;
    ///
    /// fn touched_the_key_lately(user: &AuthenticatedSession) -> bool {
    ///     let age = user.age_of_proof_by("passkey");
    ///     age.is_some_and(|age| age < Duration::from_secs(60))
    /// }
    /// ```
    #[must_use]
    pub fn age_of_proof_by(&self, method: &str) -> Option<Duration> {
        let proved_at = self.live().state.methods().proved_at(method)?;
        Some(self.0.admitted_at().since(proved_at))
    }

    /// The authentication context class that an identity provider named, if the login [kept](crate::Login::acr) it.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::AuthenticatedSession;
    ///
    /// fn is_resistant_to_phishing(user: &AuthenticatedSession) -> bool {
    ///     user.acr() == Some("phr")
    /// }
    /// ```
    #[must_use]
    pub fn acr(&self) -> Option<&str> {
        self.live().state.extra.as_ref()?.acr.as_deref()
    }

    /// The session's id.
    ///
    /// # Examples
    ///
    /// The line of a list that is this session:
    ///
    /// ```
    /// use tower_session_guard::{AuthenticatedSession, SessionInfo};
    ///
    /// fn is_this_one(user: &AuthenticatedSession, listed: &SessionInfo) -> bool {
    ///     user.id() == listed.id
    /// }
    /// ```
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.live().id
    }

    /// When the session began.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::AuthenticatedSession;
    ///
    /// fn began(user: &AuthenticatedSession) -> u64 {
    ///     user.created_at().as_unix_seconds()
    /// }
    /// ```
    #[must_use]
    pub fn created_at(&self) -> Timestamp {
        self.live().state.created_at
    }

    /// What the application called the session at its login.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::AuthenticatedSession;
    ///
    /// fn name(user: &AuthenticatedSession) -> &str {
    ///     user.label().unwrap_or("a browser")
    /// }
    /// ```
    #[must_use]
    pub fn label(&self) -> Option<&str> {
        self.live().state.label.as_deref()
    }

    /// How long ago the user last proved who they are, as of the request's arrival.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_session_guard::AuthenticatedSession;
    ///
    /// fn has_to_prove_again(user: &AuthenticatedSession) -> bool {
    ///     user.age_of_proof() > Duration::from_secs(15 * 60)
    /// }
    /// ```
    #[must_use]
    pub fn age_of_proof(&self) -> Duration {
        self.0.admitted_at().since(self.authenticated_at())
    }

    /// When the session was last used before this request, as exactly as the policy's
    /// [touch interval](crate::SessionPolicy::touch_interval) tells. A self-contained token was issued then.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::AuthenticatedSession;
    ///
    /// fn last_seen(user: &AuthenticatedSession) -> u64 {
    ///     user.last_seen_at().as_unix_seconds()
    /// }
    /// ```
    #[must_use]
    pub fn last_seen_at(&self) -> Timestamp {
        self.live().state.last_seen_at
    }

    /// Waits until the session has ended, on this node or on another, and says why.
    ///
    /// For what outlives its request: a WebSocket, Server-Sent Events, a gRPC stream. It follows the session and not its
    /// token, so an elevation, a step-down and a renewal leave it waiting. It may be called and awaited after the
    /// response's head has left, from a spawned task too. An end after this call is not lost, also before the first poll.
    /// It is no look at the session and no activity: an open connection does not keep its session alive.
    ///
    /// | the end | is told |
    /// |---|---|
    /// | by this process: a logout, a login in its place, a revocation, a limit, a reused token | at once |
    /// | by its idle or absolute limit | when the layer's clock shows it; the store is asked before, since another request may have used the session |
    /// | on another node | as soon as the store or the list hears of it ([`SessionStore::changed`](crate::SessionStore::changed)), or else when it is asked next, every [30 seconds](crate::SessionPolicy::recheck_every) |
    /// | before this call | once the store has answered |
    ///
    /// What the layer's policy no longer admits has ended as well. The cause is
    /// [`Ended`](crate::EndCause::Ended) where this process cannot know it. While the store fails it is asked again, and the
    /// session counts as expired at the last limit that is known.
    ///
    /// With self-contained tokens the idle limit is that of the newest token which left from this process. What another
    /// node issues is not known here: such a connection ends at that limit although its session goes on there. A login
    /// without an [idle timeout](crate::SessionPolicy::without_idle) has no such limit.
    ///
    /// Each wait asks the store when it begins and once an interval. It takes about 1.5 KiB of memory.
    ///
    /// # Long connections
    ///
    /// End the connection when the future is ready, and check where it comes from before it opens:
    /// [`RequireOrigin`](crate::RequireOrigin). A WebSocket, a bidirectional gRPC stream and any other loop select on it:
    ///
    /// ```
    /// use tower_session_guard::AuthenticatedSession;
    ///
    /// # struct Socket;
    /// # impl Socket {
    /// #     async fn receive(&mut self) -> Option<String> { None }
    /// #     async fn send(&mut self, text: String) {}
    /// #     async fn close(self, code: u16, reason: &str) {}
    /// # }
    /// async fn converse(user: AuthenticatedSession, mut socket: Socket) {
    ///     let mut ended = user.ended();
    ///     loop {
    ///         tokio::select! {
    ///             cause = &mut ended => return socket.close(4401, cause.as_str()).await,
    ///             message = socket.receive() => match message {
    ///                 Some(message) => socket.send(message).await,
    ///                 None => return,
    ///             },
    ///         }
    ///     }
    /// }
    /// ```
    ///
    /// Server-Sent Events, and a gRPC stream that only the server writes, are a stream that ends:
    ///
    /// ```
    /// use std::convert::Infallible;
    ///
    /// use axum::response::sse::{Event, Sse};
    /// use futures_util::{Stream, StreamExt, stream};
    /// use tower_session_guard::AuthenticatedSession;
    ///
    /// # fn news() -> impl Stream<Item = Event> { stream::empty() }
    /// async fn events(user: AuthenticatedSession) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    ///     let ended = user.ended();
    ///     Sse::new(news().map(Ok).take_until(ended)) // for tonic: Ok of a message
    /// }
    /// ```
    ///
    /// # Panics
    ///
    /// If the future is polled outside a Tokio runtime whose timers are enabled.
    pub fn ended(&self) -> Ended {
        self.0.ended(self.live_in_passing())
    }

    /// The handle for marks and data.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::AuthenticatedSession;
    ///
    /// async fn log_out(user: AuthenticatedSession) {
    ///     user.session().logout();
    /// }
    /// # let _: axum::Router = axum::Router::new().route("/logout", axum::routing::post(log_out));
    /// ```
    #[must_use]
    pub const fn session(&self) -> &Session {
        &self.0
    }

    fn live(&self) -> &Live {
        self.0.note_look();
        self.live_in_passing()
    }

    /// The same without a look.
    fn live_in_passing(&self) -> &Live {
        match self.0.live() {
            Some(live) => live,
            None => unreachable!("made from a live session only"),
        }
    }

    fn authentication(&self) -> &Authentication {
        match &self.live().state.authentication {
            Some(who) => who,
            None => unreachable!("made from a logged-in session only"),
        }
    }
}

impl fmt::Debug for AuthenticatedSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthenticatedSession")
            .field("id", &self.0.live().map(|live| live.id))
            .field("subject", &self.0.live().and_then(Live::subject))
            .finish()
    }
}
