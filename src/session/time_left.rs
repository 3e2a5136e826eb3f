//! How long a session has left: what can be asked without extending it.

use super::{
    authenticated::AuthenticatedSession, handle::Session, policy::SessionPolicy, time::Timestamp,
};

impl Session {
    /// When the session that the request came with ends at the latest, however much it is used.
    ///
    /// That is the earliest of its login's [limit](crate::Login::absolute), of the limit that it was given when it
    /// began, and of the present policy's, counted from its beginning. `None` if the request is anonymous.
    ///
    /// Asking makes the response depend on the session (`Vary`, `Cache-Control: private`) and is no activity: it
    /// extends nothing. The axum extractor is activity, so ask on a route under
    /// [`BackgroundLayer`](crate::BackgroundLayer), or take the session out of the request's extensions.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_session_guard::{Session, Timestamp};
    ///
    /// /// What a page needs to warn its user before the session ends.
    /// fn time_left(session: &Session, now: Timestamp) -> Option<Duration> {
    ///     let ends = session.expires_at()?;
    ///     let unused = session.idle_expires_at().unwrap_or(ends);
    ///     Some(ends.min(unused).since(now))
    /// }
    /// ```
    #[must_use]
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.in_passing(|policy, state| Some(policy.absolute_end(state)))
    }

    /// When the session that the request came with ends unless it is used.
    ///
    /// That is the shorter of its login's [limit](crate::Login::idle) and the present policy's, counted from when the
    /// session was last seen before this request, as exactly as the policy's
    /// [touch interval](crate::SessionPolicy::touch_interval) tells. `None` if the request is anonymous or the
    /// session has no idle limit.
    ///
    /// Asking is no activity: see [`expires_at`](Self::expires_at), which has an example of both.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::Session;
    ///
    /// fn unless_used(session: &Session) -> Option<u64> {
    ///     Some(session.idle_expires_at()?.as_unix_seconds())
    /// }
    /// ```
    #[must_use]
    pub fn idle_expires_at(&self) -> Option<Timestamp> {
        self.in_passing(SessionPolicy::idle_end)
    }
}

impl AuthenticatedSession {
    /// When the session ends at the latest, however much it is used: see [`Session::expires_at`].
    ///
    /// Asking is no activity.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::AuthenticatedSession;
    ///
    /// fn at_the_latest(user: &AuthenticatedSession) -> u64 {
    ///     user.expires_at().as_unix_seconds()
    /// }
    /// ```
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        match self.session().expires_at() {
            Some(at) => at,
            None => unreachable!("made from a live session only"),
        }
    }

    /// When the session ends unless it is used, if it has an idle limit: see [`Session::idle_expires_at`].
    ///
    /// Asking is no activity.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::AuthenticatedSession;
    ///
    /// fn unless_used(user: &AuthenticatedSession) -> Option<u64> {
    ///     Some(user.idle_expires_at()?.as_unix_seconds())
    /// }
    /// ```
    #[must_use]
    pub fn idle_expires_at(&self) -> Option<Timestamp> {
        self.session().idle_expires_at()
    }
}
