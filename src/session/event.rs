//! [`SessionEvent`]: facts for an auditor, and the [`Observer`] that hears them.

use std::fmt;

use super::{
    authentication::Subject, ended::EndCause, id::SessionId, state::State, time::Timestamp,
};

macro_rules! kinds {
    (@ends) => { None };
    (@ends $cause:ident) => { Some(EndCause::$cause) };
    ($($(#[$doc:meta])* $kind:ident = $name:literal at $severity:ident $(ends $cause:ident)?,)*) => {
        /// What happened, one kind per cause.
        ///
        /// [`as_str`](Self::as_str) gives the name under which it is logged.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum EventKind {
            $($(#[$doc])* $kind,)*
        }

        impl EventKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$kind),*];

            /// The kind's name in snake case.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }

            /// How much attention it deserves.
            #[must_use]
            pub const fn severity(self) -> Severity {
                match self { $(Self::$kind => Severity::$severity,)* }
            }

            /// Why a session ended, if that is what it tells of.
            ///
            /// [`Ended`](EndCause::Ended) is for kinds that do not say it more exactly. A token of a session
            /// that ended before, as with [`RevokedToken`](Self::RevokedToken), is no end of a session.
            #[must_use]
            pub const fn end_cause(self) -> Option<EndCause> {
                match self { $(Self::$kind => kinds!(@ends $($cause)?),)* }
            }
        }
    };
}

kinds! {
    /// A guest session began, because data was put into it.
    Created = "created" at Info,
    /// A guest session ended, because the last of its data was removed.
    GuestEnded = "guest_ended" at Info ends Ended,
    /// A user logged in where nobody was logged in: a new session began, and the guest session that the
    /// request came with, if any, ended.
    LoggedIn = "logged_in" at Info,
    /// The subject who was logged in logged in again: a new session replaced theirs.
    Reauthenticated = "reauthenticated" at Info ends Replaced,
    /// Another subject logged in: a new session began and the other subject's ended.
    SubjectSwitched = "subject_switched" at Info ends Replaced,
    /// The assurance level rose and the token was replaced.
    Elevated = "elevated" at Info,
    /// An elevation was given up and the token was replaced.
    SteppedDown = "stepped_down" at Info,
    /// A user began to act as another subject: a new session with another token took the place of theirs. The event names
    /// the subject and the [actor](SessionEvent::actor).
    ImpersonationBegan = "impersonation_began" at Warning ends Replaced,
    /// An actor returned to a session of their own, with another token.
    ImpersonationEnded = "impersonation_ended" at Info ends Replaced,
    /// An impersonation, or the return from one, was refused: no user was logged in, a user acted already or did not act, the
    /// session is bound to a device, or it ended or its token was replaced meanwhile.
    ImpersonationRefused = "impersonation_refused" at Warning,
    /// The application asked for a fresh token.
    Renewed = "renewed" at Info,
    /// The policy asked for a fresh token.
    RenewedByPolicy = "renewed_by_policy" at Info,
    /// The session ended at the application's word.
    LoggedOut = "logged_out" at Info ends Logout,
    /// A token signed with an older key was signed again with the current one.
    TokenReSigned = "token_re_signed" at Info,

    /// The session was not used for as long as the idle timeout.
    ExpiredIdle = "expired_idle" at Info ends Expired,
    /// The session reached its absolute limit.
    ExpiredAbsolute = "expired_absolute" at Info ends Expired,
    /// A cookie of ours does not have the form of a token.
    TokenMalformed = "token_malformed" at Info,
    /// A token names a key that is not in the ring.
    TokenUnknownKey = "token_unknown_key" at Info,
    /// A token's MAC does not verify.
    TokenForged = "token_forged" at Warning,
    /// A token's own limit has passed.
    TokenExpired = "token_expired" at Info ends Expired,
    /// A token was issued later than now, beyond what clocks may differ.
    TokenFromTheFuture = "token_from_the_future" at Warning,
    /// Tokens of several live sessions came under one name: the request counts as anonymous. A browser sends them
    /// after a change of the cookie's scope, or where somebody plants.
    DuplicateTokens = "duplicate_tokens" at Warning,
    /// More than eight different valid tokens came under one name; the others were passed over.
    TooManyTokens = "too_many_tokens" at Warning,
    /// A well-signed token names a session that is not there: it expired, or it was ended. A store cannot tell which.
    UnknownSession = "unknown_session" at Info,
    /// A token came that a login, an elevation or a step-down had replaced, or a minute before a binding to a device.
    SupersededToken = "superseded_token" at Warning,
    /// A token came whose session was ended: logged out or revoked.
    RevokedToken = "revoked_token" at Warning,
    /// A token came after a renewal had replaced it and its grace time was over; the session was left alone.
    RenewedTokenReused = "renewed_token_reused" at Alert,
    /// A token came after a renewal had replaced it and its grace time was over; the session was ended.
    SessionEndedByReuse = "session_ended_by_reuse" at Alert ends Reused,
    /// A token names a session that is not of its cookie's kind.
    TokenMismatch = "token_mismatch" at Alert,

    /// A login was dropped because the handler answered 5xx or did not finish.
    LoginDropped = "login_dropped" at Info,
    /// An elevation was dropped because the handler answered 5xx or did not finish.
    ElevationDropped = "elevation_dropped" at Info,
    /// A renewal was dropped because the handler did not finish.
    RenewalDropped = "renewal_dropped" at Info,
    /// An impersonation, or the return from one, was dropped because the handler answered 5xx or did not finish.
    ImpersonationDropped = "impersonation_dropped" at Info,
    /// Data was dropped because the handler answered 5xx or did not finish.
    DataDropped = "data_dropped" at Info,
    /// An update failed on the value that another request had written meanwhile; the response was withheld.
    UpdateFailed = "update_failed" at Warning,
    /// With what another request had written meanwhile, the session's data would be too large; the response was withheld.
    DataTooLarge = "data_too_large" at Warning,
    /// A login, or an impersonation, was refused because its subject is empty or too long.
    LoginRefused = "login_refused" at Warning,
    /// An elevation was refused because the session ended or its token was replaced meanwhile.
    ElevationRefused = "elevation_refused" at Warning,
    /// An elevation was asked for while nobody was logged in.
    ElevationWithoutLogin = "elevation_without_login" at Warning,
    /// A step-down was asked for while nobody was logged in.
    StepDownWithoutLogin = "step_down_without_login" at Warning,
    /// A renewal was asked for where there is no session.
    RenewalWithoutSession = "renewal_without_session" at Info,
    /// A renewal was skipped because the token had been replaced meanwhile.
    RenewalSkipped = "renewal_skipped" at Info,
    /// A write or a renewal was dropped because its session had ended, or its token was replaced, meanwhile; nothing was
    /// brought back.
    ResurrectionBlocked = "resurrection_blocked" at Warning,
    /// Data was dropped because its request came with a replaced token.
    RetiredTokenDataDropped = "retired_token_data_dropped" at Info,
    /// Data was dropped because its request came with tokens of several live sessions.
    DuplicateTokensDataDropped = "duplicate_tokens_data_dropped" at Warning,
    /// A login or a logout ended a session that was not the request's own, but whose token came with it too.
    PresentedSessionEnded = "presented_session_ended" at Info ends Ended,
    /// Something was marked after the response's head had left; it changed nothing.
    LateMark = "late_mark" at Warning,

    /// Data was dropped because its session is suspended for the client that sent the request.
    SuspendedSessionDataDropped = "suspended_session_data_dropped" at Warning,
    /// A login was refused because everything of its subject, or of its tag, ended while it was under way.
    LoginEndedUnderWay = "login_ended_under_way" at Warning,
    /// A login was refused because its subject has as many sessions as the layer allows.
    LoginOverLimit = "login_over_limit" at Warning,
    /// A session was ended because its subject logged in once more than the layer allows at a time.
    SessionEvicted = "session_evicted" at Info ends Revoked,

    /// A session came from a client with another user agent.
    ClientUserAgentChanged = "client_user_agent_changed" at Info,
    /// A session came from a client in another network.
    ClientAddressChanged = "client_address_changed" at Info,
    /// A session came from a client with another proof, or with none.
    ClientProofChanged = "client_proof_changed" at Warning,
    /// A session was suspended for a client that it does not belong to: the request counts as anonymous.
    SessionSuspended = "session_suspended" at Warning,
    /// A session was ended because another client used it.
    SessionEndedByBinding = "session_ended_by_binding" at Alert ends Reused,

    /// A session that is bound to a device came without the device's cookie, a minute or more after the binding, or one that
    /// must be bound came unbound: the request counts as anonymous, and the session was left alone. The device's browser may have failed to refresh the
    /// cookie, or somebody else has the session's token.
    UnboundUse = "unbound_use" at Warning,
    /// Data was dropped because its request came with the token of a bound session and without the device's cookie, or because it
    /// crossed with the binding of a self-contained session.
    UnboundUseDataDropped = "unbound_use_data_dropped" at Info,

    /// A session was bound to a key of its user's device.
    DeviceBound = "device_bound" at Info,
    /// The device of a bound session proved that it has the key.
    DeviceProved = "device_proved" at Info,
    /// A registration or a refresh of a session's device was refused, for the event's [reason](SessionEvent::reason).
    DeviceRefused = "device_refused" at Warning,
    /// The browser of a bound session says that it could not have the bound cookie renewed, for the event's
    /// [reason](SessionEvent::reason), and the request came without. A thief of the token can say so too.
    DeviceSkipped = "device_skipped" at Info,
    /// A registration was refused since its session is bound to another key.
    ///
    /// Somebody else has what the login's answer said.
    OtherDeviceRefused = "other_device_refused" at Warning,
    /// A registration that took up a repeated offer was refused, since its session is bound by now.
    ///
    /// A browser sends one after most logins: the page after the login repeats the offer while the browser takes up the
    /// first.
    SecondRegistrationRefused = "second_registration_refused" at Info,

    /// A new session's id was taken already; another was drawn.
    IdCollision = "id_collision" at Warning,
    /// The store failed to answer a load; the request was refused.
    StoreFailedLoad = "store_failed_load" at Alert,
    /// The store failed to carry out a write; the response was withheld.
    StoreFailedWrite = "store_failed_write" at Alert,
    /// The store failed to list or to end sessions; some may be left.
    StoreFailedControl = "store_failed_control" at Alert,
    /// A session was ended from outside its own requests.
    SessionRevoked = "session_revoked" at Info ends Revoked,
    /// All sessions of a subject were ended.
    ///
    /// It names the subject and no session, since nobody knows them all. A connection that outlives its request is told by
    /// [`AuthenticatedSession::ended`](crate::AuthenticatedSession::ended) if its session is among them.
    SubjectRevoked = "subject_revoked" at Info ends Revoked,
    /// All sessions of a subject were ended but the one that the event names as the exception.
    ///
    /// Which of the others there were it does not name: see [`SubjectRevoked`](Self::SubjectRevoked).
    OtherSessionsRevoked = "other_sessions_revoked" at Info ends Revoked,
    /// All sessions whose login named a tag were ended.
    ///
    /// It names neither them nor their subjects: see [`SubjectRevoked`](Self::SubjectRevoked).
    TagRevoked = "tag_revoked" at Info ends Revoked,
    /// What was written into a self-contained session was dropped: the key of its token is expiring.
    ExpiringKeyDataDropped = "expiring_key_data_dropped" at Warning,
    /// A response that depended on a live session may be kept by shared caches: its handler said so. Told at most once a
    /// minute for each path.
    SharedCacheAllowed = "shared_cache_allowed" at Warning,
    /// Two session layers around the same service use one cookie; the request was refused.
    LayersShareCookie = "layers_share_cookie" at Alert,
    /// A cookie left for a browser that drops it: it has `Secure`, and the page came over plain HTTP. Told at most once
    /// a minute.
    CookieNotKept = "cookie_not_kept" at Warning,
    /// The list of ended tokens is half full: it should hold more, or sessions should be shorter.
    EndedTokensHalfFull = "ended_tokens_half_full" at Alert,
    /// The list of ended tokens is full: logins are refused until entries expire.
    EndedTokensFull = "ended_tokens_full" at Alert,
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How much attention an event deserves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Severity {
    /// Part of ordinary life.
    Info,
    /// Rare in ordinary life; many of them are an attack or a mistake.
    Warning,
    /// An operator should look.
    Alert,
}

/// One fact about a session, with no token, secret, key or client address in it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionEvent {
    /// What happened.
    pub kind: EventKind,
    /// When.
    pub at: Timestamp,
    /// The session that it happened to, or that began, where one is known.
    pub session: Option<SessionId>,
    /// The session or token id that took its place.
    pub successor: Option<SessionId>,
    /// The session that was spared where all others ended.
    pub except: Option<SessionId>,
    /// Who was, or is now, logged in there.
    pub subject: Option<Subject>,
    /// Who acts, or acted, as that subject.
    pub actor: Option<Subject>,
    /// Why, as a name in snake case, where the kind does not say it: of
    /// [`DeviceRefused`](EventKind::DeviceRefused) and [`DeviceSkipped`](EventKind::DeviceSkipped).
    pub reason: Option<&'static str>,
}

impl SessionEvent {
    /// An event of this kind with nothing else known.
    #[must_use]
    pub const fn new(kind: EventKind, at: Timestamp) -> Self {
        Self {
            kind,
            at,
            session: None,
            successor: None,
            except: None,
            subject: None,
            actor: None,
            reason: None,
        }
    }

    /// The same about this session.
    #[must_use]
    pub const fn of(mut self, session: SessionId) -> Self {
        self.session = Some(session);
        self
    }

    /// The same with the session that took its place.
    #[must_use]
    pub const fn succeeded_by(mut self, successor: SessionId) -> Self {
        self.successor = Some(successor);
        self
    }

    /// The same with the session that was spared.
    #[must_use]
    pub const fn except(mut self, spared: SessionId) -> Self {
        self.except = Some(spared);
        self
    }

    /// The same for this reason.
    #[must_use]
    pub const fn because(mut self, reason: &'static str) -> Self {
        self.reason = Some(reason);
        self
    }

    /// The same about whoever is logged in in this state, and who acts as that subject.
    #[must_use]
    pub(crate) fn whose(mut self, state: &State) -> Self {
        let who = state.authentication.as_ref();
        self.subject = who.map(|who| who.subject.clone());
        self.actor = state.actor().cloned();
        self
    }

    /// The same about this subject.
    #[must_use]
    pub fn by(mut self, subject: Option<Subject>) -> Self {
        self.subject = subject;
        self
    }
}

/// Hears every [`SessionEvent`].
///
/// It is called within the request, so it must not block: count, log, or hand on to a channel.
pub trait Observer: fmt::Debug + Send + Sync + 'static {
    /// Takes note of `event`.
    fn observe(&self, event: &SessionEvent);
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::EventKind;

    #[test]
    fn every_cause_has_a_name_of_its_own() {
        let names: HashSet<_> = EventKind::ALL.iter().map(|kind| kind.as_str()).collect();
        assert_eq!(names.len(), EventKind::ALL.len());
        // A log shows the name that a dashboard asks for.
        assert!(
            EventKind::ALL
                .iter()
                .all(|kind| names.contains(&*kind.to_string()))
        );
    }
}
