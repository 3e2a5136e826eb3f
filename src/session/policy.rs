//! [`SessionPolicy`]: how long sessions live and when their tokens are renewed.

use std::time::Duration;

use super::{state::State, time::Timestamp};
use crate::error::ConfigError;

const fn minutes(n: u64) -> Duration {
    Duration::from_secs(n * 60)
}

const fn hours(n: u64) -> Duration {
    minutes(n * 60)
}

/// How long sessions live and when their tokens are renewed.
///
/// | preset | idle | absolute | source |
/// |---|---|---|---|
/// | [`aal1`](Self::aal1) | none | 30 days | NIST SP 800-63B-4, 2.1.3 |
/// | [`aal2`](Self::aal2), the default | 1 hour | 24 hours | NIST SP 800-63B-4, 2.2.3 |
/// | [`aal3`](Self::aal3) | 15 minutes | 12 hours | NIST SP 800-63B-4, 2.3.3 |
/// | [`high_value`](Self::high_value) | 5 minutes | 8 hours | OWASP Session Management Cheat Sheet |
///
/// Every preset leaves periodic renewal off and has a grace time of 10 seconds.
///
/// The idle timer is written back only once per [touch interval](Self::touch_interval), so a session may
/// end up to one such interval before its idle timeout, never after it.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tower_session_guard::SessionPolicy;
///
/// let policy = SessionPolicy::aal2()
///     .idle(Duration::from_secs(30 * 60))?
///     .renew_every(Duration::from_secs(15 * 60))?;
/// # Ok::<(), tower_session_guard::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionPolicy {
    idle: Option<Duration>,
    absolute: Duration,
    remembered: Option<Duration>,
    renew_every: Option<Duration>,
    grace: Duration,
    on_reuse: TokenReuse,
    recheck_every: Duration,
}

/// What happens when a token is presented after a renewal replaced it and its grace time ran out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenReuse {
    /// The session ends for whoever holds its newer token too: one of the two stole it.
    #[default]
    EndSession,
    /// The request is anonymous and an event tells; the session goes on.
    Report,
}

/// What happens at a login whose subject has as many sessions as they may have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AtLimit {
    /// The login succeeds, and the subject's oldest session ends.
    #[default]
    EndOldest,
    /// The login is refused with 409, and the sessions that are there go on.
    RefuseLogin,
}

impl SessionPolicy {
    /// The longest absolute timeout: 400 days, what browsers keep a cookie for at most
    /// (draft-ietf-httpbis-rfc6265bis, section 5.5).
    pub const MAX_ABSOLUTE: Duration = hours(400 * 24);

    const fn preset(idle: Option<Duration>, absolute: Duration) -> Self {
        Self {
            idle,
            absolute,
            remembered: None,
            renew_every: None,
            grace: Duration::from_secs(10),
            on_reuse: TokenReuse::EndSession,
            recheck_every: Duration::from_secs(30),
        }
    }

    /// No idle timeout, 30 days absolute.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_session_guard::SessionPolicy;
    ///
    /// let thirty_days = Duration::from_secs(30 * 24 * 3600);
    /// assert_eq!(SessionPolicy::aal1().absolute_timeout(), thirty_days);
    /// ```
    #[must_use]
    pub const fn aal1() -> Self {
        Self::preset(None, hours(30 * 24))
    }

    /// 1 hour idle, 24 hours absolute.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_session_guard::SessionPolicy;
    ///
    /// let policy = SessionPolicy::aal2();
    /// assert_eq!(policy.idle_timeout(), Some(Duration::from_secs(3600)));
    /// assert_eq!(policy.absolute_timeout(), Duration::from_secs(24 * 3600));
    /// ```
    #[must_use]
    pub const fn aal2() -> Self {
        Self::preset(Some(hours(1)), hours(24))
    }

    /// 15 minutes idle, 12 hours absolute.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_session_guard::SessionPolicy;
    ///
    /// assert_eq!(SessionPolicy::aal3().idle_timeout(), Some(Duration::from_secs(15 * 60)));
    /// ```
    #[must_use]
    pub const fn aal3() -> Self {
        Self::preset(Some(minutes(15)), hours(12))
    }

    /// 5 minutes idle, 8 hours absolute.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_session_guard::SessionPolicy;
    ///
    /// assert_eq!(SessionPolicy::high_value().idle_timeout(), Some(Duration::from_secs(5 * 60)));
    /// ```
    #[must_use]
    pub const fn high_value() -> Self {
        Self::preset(Some(minutes(5)), hours(8))
    }

    /// Sets the idle timeout: a session that is not used for this long ends.
    ///
    /// # Errors
    ///
    /// If it is shorter than a second or longer than [`MAX_ABSOLUTE`](Self::MAX_ABSOLUTE).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_session_guard::{ConfigError, SessionPolicy};
    ///
    /// let policy = SessionPolicy::default().idle(Duration::from_secs(20 * 60))?;
    /// assert_eq!(policy.idle_timeout(), Some(Duration::from_secs(20 * 60)));
    /// assert!(policy.idle(Duration::ZERO).is_err());
    /// # Ok::<(), ConfigError>(())
    /// ```
    pub fn idle(mut self, timeout: Duration) -> Result<Self, ConfigError> {
        self.idle = Some(limit("idle timeout", timeout)?);
        Ok(self)
    }

    /// Removes the idle timeout.
    ///
    /// It holds for the sessions that are there too, also for those that began under a policy with an idle timeout and
    /// went unused for longer: a self-contained token of that time opens its session again, as long as its absolute
    /// limit has not passed, and so does a reference token whose record the store still has. An idle limit of the
    /// [login](crate::Login::idle) stays. To loosen a policy without that, end the sessions that are there first: a
    /// new key in place of the old one ends them all.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::SessionPolicy;
    ///
    /// assert_eq!(SessionPolicy::aal2().without_idle().idle_timeout(), None);
    /// ```
    #[must_use]
    pub fn without_idle(mut self) -> Self {
        self.idle = None;
        self
    }

    /// Sets the absolute timeout: a session ends this long after its login, however much it is used.
    ///
    /// # Errors
    ///
    /// If it is shorter than a second or longer than [`MAX_ABSOLUTE`](Self::MAX_ABSOLUTE).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_session_guard::{ConfigError, SessionPolicy};
    ///
    /// let policy = SessionPolicy::default().absolute(Duration::from_secs(8 * 3600))?;
    /// assert_eq!(policy.absolute_timeout(), Duration::from_secs(8 * 3600));
    /// # Ok::<(), ConfigError>(())
    /// ```
    pub fn absolute(mut self, timeout: Duration) -> Result<Self, ConfigError> {
        self.absolute = limit("absolute timeout", timeout)?;
        Ok(self)
    }

    /// Replaces the token of a session in use once it is this old.
    ///
    /// # Errors
    ///
    /// If it is shorter than a second or longer than [`MAX_ABSOLUTE`](Self::MAX_ABSOLUTE).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_session_guard::{ConfigError, SessionPolicy};
    ///
    /// let policy = SessionPolicy::default().renew_every(Duration::from_secs(15 * 60))?;
    /// # let _ = policy;
    /// # Ok::<(), ConfigError>(())
    /// ```
    pub fn renew_every(mut self, interval: Duration) -> Result<Self, ConfigError> {
        self.renew_every = Some(limit("renewal interval", interval)?);
        Ok(self)
    }

    /// Leaves tokens as they are until something happens to their session.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::SessionPolicy;
    ///
    /// let policy = SessionPolicy::default().without_renewal();
    /// # let _ = policy;
    /// ```
    #[must_use]
    pub fn without_renewal(mut self) -> Self {
        self.renew_every = None;
        self
    }

    /// Sets for how long a renewed token's predecessor still works, at what it was.
    ///
    /// Requests that were under way when the token was renewed carry the predecessor. Logins, elevations
    /// and logouts have no grace.
    ///
    /// # Errors
    ///
    /// If it is longer than 5 minutes.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_session_guard::{ConfigError, SessionPolicy};
    ///
    /// // Slow clients send requests with the old token for a while.
    /// let policy = SessionPolicy::default()
    ///     .renew_every(Duration::from_secs(15 * 60))?
    ///     .grace(Duration::from_secs(30))?;
    /// # let _ = policy;
    /// # Ok::<(), ConfigError>(())
    /// ```
    pub fn grace(mut self, time: Duration) -> Result<Self, ConfigError> {
        if time > minutes(5) {
            return Err(ConfigError::Limit {
                name: "grace time",
                reason: "a replaced token that works for longer than 5 minutes is a second token: choose seconds",
            });
        }
        self.grace = time;
        Ok(self)
    }

    /// Sets what happens when a renewed token's predecessor comes after its grace time.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::{SessionPolicy, TokenReuse};
    ///
    /// let policy = SessionPolicy::default().on_reuse(TokenReuse::Report);
    /// # let _ = policy;
    /// ```
    #[must_use]
    pub fn on_reuse(mut self, reuse: TokenReuse) -> Self {
        self.on_reuse = reuse;
        self
    }

    /// Sets how often a connection that waits for its session's [end](crate::AuthenticatedSession::ended) asks the store, or
    /// a shared list, whether the session still lives: every 30 seconds unless set.
    ///
    /// It bounds how long such a connection outlives a session that another node has ended, if the store does not hear of
    /// changes by itself. What ends in this process is told at once. Each waiting connection costs one read an interval:
    /// 3,000 connections cost 100 reads a second at 30 seconds.
    ///
    /// # Errors
    ///
    /// If it is shorter than a second or longer than an hour.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_session_guard::{ConfigError, SessionPolicy};
    ///
    /// let policy = SessionPolicy::default().recheck_every(Duration::from_secs(5))?;
    /// # let _ = policy;
    /// # Ok::<(), ConfigError>(())
    /// ```
    pub fn recheck_every(mut self, interval: Duration) -> Result<Self, ConfigError> {
        if !(Duration::from_secs(1)..=hours(1)).contains(&interval) {
            return Err(ConfigError::Limit {
                name: "recheck interval",
                reason: "connections would burden the store, or outlive their sessions: choose 1 second to 1 hour",
            });
        }
        self.recheck_every = interval;
        Ok(self)
    }

    /// Lets a [remembered](crate::Login::remembered) login last this long, used or not.
    ///
    /// Without this setting a remembered login has the limits of any other; the browser only keeps its
    /// cookie when it closes. With it, this time takes the place of the absolute timeout and there is no
    /// idle timeout, but what such a session is worth falls: once it was not used for the idle timeout, or
    /// its user's last proof is older than the absolute timeout, it is at
    /// [`AAL1`](crate::AssuranceLevel::AAL1) at most, until its user proves more again
    /// ([`elevate`](crate::Session::elevate)) or logs in.
    ///
    /// NIST SP 800-63B-4 asks for a new authentication after at most 30 days at AAL1, where an idle
    /// timeout is optional (2.1.3), and after 24 hours or 1 hour of inactivity at AAL2 (2.2.3). So with 30
    /// days here and [`aal2`](Self::aal2), both hold. It advises against session secrets that outlive the
    /// browser (5.1): remember where the user asks for it, not by default.
    ///
    /// # Errors
    ///
    /// If it is shorter than a second or longer than [`MAX_ABSOLUTE`](Self::MAX_ABSOLUTE).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_session_guard::{ConfigError, SessionPolicy};
    ///
    /// let thirty_days = Duration::from_secs(30 * 24 * 3600);
    /// let policy = SessionPolicy::aal2().remember_for(thirty_days)?;
    /// assert_eq!(policy.remembered_timeout(), Some(thirty_days));
    /// # Ok::<(), ConfigError>(())
    /// ```
    pub fn remember_for(mut self, time: Duration) -> Result<Self, ConfigError> {
        self.remembered = Some(limit("remembered time", time)?);
        Ok(self)
    }

    /// How long a remembered login lasts, if it lasts longer than others.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::SessionPolicy;
    ///
    /// assert_eq!(SessionPolicy::default().remembered_timeout(), None);
    /// ```
    #[must_use]
    pub const fn remembered_timeout(&self) -> Option<Duration> {
        self.remembered
    }

    /// The idle timeout, if there is one.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::SessionPolicy;
    ///
    /// assert_eq!(SessionPolicy::aal1().idle_timeout(), None);
    /// ```
    #[must_use]
    pub const fn idle_timeout(&self) -> Option<Duration> {
        self.idle
    }

    /// The absolute timeout.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_session_guard::SessionPolicy;
    ///
    /// assert_eq!(SessionPolicy::aal3().absolute_timeout(), Duration::from_secs(12 * 3600));
    /// ```
    #[must_use]
    pub const fn absolute_timeout(&self) -> Duration {
        self.absolute
    }

    /// How often an idle timer is written back: a sixteenth of the idle timeout, at most a minute.
    ///
    /// `None` without an idle timeout.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_session_guard::SessionPolicy;
    ///
    /// assert_eq!(SessionPolicy::high_value().touch_interval(), Some(Duration::from_millis(18_750)));
    /// assert_eq!(SessionPolicy::aal2().touch_interval(), Some(Duration::from_secs(60)));
    /// ```
    #[must_use]
    pub fn touch_interval(&self) -> Option<Duration> {
        self.idle.map(touch_interval)
    }

    pub(crate) const fn renewal_interval(&self) -> Option<Duration> {
        self.renew_every
    }

    pub(crate) const fn recheck_interval(&self) -> Duration {
        self.recheck_every
    }

    pub(crate) const fn grace_time(&self) -> Duration {
        self.grace
    }

    pub(crate) const fn token_reuse(&self) -> TokenReuse {
        self.on_reuse
    }

    /// When a session that begins at `now` ends at the latest.
    pub(crate) fn absolute_expiry(&self, now: Timestamp, remembered: bool) -> Timestamp {
        let longest = self.remembered.filter(|_| remembered);
        now.after(longest.unwrap_or(self.absolute))
    }

    /// Whether a session has the limits of a remembered one.
    pub(crate) const fn remembers(&self, persistent: bool) -> bool {
        persistent && self.remembered.is_some()
    }

    /// Whether a session would have ended by now if it were not remembered.
    pub(crate) fn has_lapsed(&self, seen: Timestamp, proved: Timestamp, now: Timestamp) -> bool {
        let idle = self.idle.is_some_and(|idle| now >= seen.after(idle));
        idle || now >= proved.after(self.absolute)
    }

    /// When a session ends however much it is used: at the limit that it was given, its login's or this
    /// policy's, whichever is the earliest.
    ///
    /// All count from its creation, so a stricter policy holds for the sessions that are there, and a token that
    /// was signed with a stolen key lives no longer than any other.
    pub(crate) fn absolute_end(&self, state: &State) -> Timestamp {
        let allowed = self.absolute_expiry(state.created_at, state.persistent);
        let end = state.absolute_expiry.min(allowed);
        let asked = state.limits().absolute;
        asked.map_or(end, |limit| end.min(state.created_at.after(limit)))
    }

    /// How long a session may go unused: its login's limit or this policy's, whichever is shorter.
    pub(crate) fn idle_limit(&self, state: &State) -> Option<Duration> {
        let allowed = self.idle.filter(|_| !self.remembers(state.persistent));
        shorter(allowed, state.limits().idle)
    }

    /// When a session ends unless it is used.
    pub(crate) fn idle_end(&self, state: &State) -> Option<Timestamp> {
        let limit = self.idle_limit(state)?;
        Some(state.last_seen_at.after(limit))
    }

    /// Whether a session has ended by `now`.
    pub(crate) fn has_ended(&self, state: &State, now: Timestamp) -> bool {
        now >= self.absolute_end(state) || self.idle_end(state).is_some_and(|end| now >= end)
    }

    /// How often the idle timer of this session is written back: a sixteenth of its limit, at most a minute.
    ///
    /// A remembered session has a timer too: it does not end at the policy's idle timeout, it is lowered.
    pub(crate) fn touch_interval_of(&self, state: &State) -> Option<Duration> {
        shorter(self.idle, state.limits().idle).map(touch_interval)
    }
}

/// The shorter of two limits, of which either may be missing.
fn shorter(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, None) => one,
        (None, other) => other,
    }
}

/// A sixteenth of an idle limit, at most a minute.
fn touch_interval(idle: Duration) -> Duration {
    (idle / 16).min(minutes(1))
}

impl Default for SessionPolicy {
    /// The same as [`aal2`](Self::aal2).
    fn default() -> Self {
        Self::aal2()
    }
}

fn limit(name: &'static str, time: Duration) -> Result<Duration, ConfigError> {
    if (Duration::from_secs(1)..=SessionPolicy::MAX_ABSOLUTE).contains(&time) {
        return Ok(time);
    }
    Err(ConfigError::Limit {
        name,
        reason: "choose between 1 second and 400 days",
    })
}
