//! [`Mark`]: what a handler says happened, and when it counts; [`Login`]: the facts of a login.

use std::{borrow::Borrow, time::Duration};

use serde::{Serialize, de::DeserializeOwned};
use smol_str::SmolStr;

use super::{
    authentication::{AssuranceLevel, Subject},
    brought::Brought,
    change::Change,
    data::{DataError, DataKey},
    device::Thumbprint,
    entries::Keep,
    event::EventKind,
    extra::{Limits, MAX_ACR_LEN, MAX_TAGS},
    impersonation::Impersonation,
    methods::{MAX_METHOD_LEN, MAX_METHODS},
    step_up::StepUp,
    time::Timestamp,
};

/// The facts of a login: who, how strongly, since when.
///
/// A bare subject is a login at [`AAL1`](AssuranceLevel::AAL1), proved now.
///
/// # Examples
///
/// ```
/// use tower_session_guard::{AssuranceLevel, Login, Session};
///
/// fn passkey_verified(session: &Session, user: u64) {
///     session.login(Login::new(user).at_level(AssuranceLevel::AAL2).labelled("Firefox on Linux"));
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "hand it to Session::login"]
pub struct Login {
    pub(crate) subject: Subject,
    pub(crate) level: AssuranceLevel,
    pub(crate) authenticated_at: Option<Timestamp>,
    pub(crate) remembered: bool,
    pub(crate) label: Option<SmolStr>,
    pub(crate) limits: Limits,
    pub(crate) tags: Vec<SmolStr>,
    /// The only key that may be bound to the session.
    pub(crate) device: Option<Thumbprint>,
    pub(crate) methods: Vec<SmolStr>,
    pub(crate) acr: Option<SmolStr>,
    pub(crate) data: Brought,
}

impl Login {
    /// The longest label kept, in bytes.
    pub const MAX_LABEL_LEN: usize = 128;

    /// How many tags a login may name.
    pub const MAX_TAGS: usize = MAX_TAGS;

    /// How many methods a login may name.
    pub const MAX_METHODS: usize = MAX_METHODS;

    /// The longest name of a method, in bytes.
    pub const MAX_METHOD_LEN: usize = MAX_METHOD_LEN;

    /// A login of `subject` at [`AAL1`](AssuranceLevel::AAL1), proved now.
    pub fn new(subject: impl Into<Subject>) -> Self {
        Self {
            subject: subject.into(),
            level: AssuranceLevel::AAL1,
            authenticated_at: None,
            remembered: false,
            label: None,
            limits: Limits::NONE,
            tags: Vec::new(),
            device: None,
            methods: Vec::new(),
            acr: None,
            data: Brought::default(),
        }
    }

    /// Puts a value under `key` into the session that begins, in the place of one that is carried or kept.
    ///
    /// [`Session::insert`](crate::Session::insert) after the login does the same. This is for a login that is made elsewhere
    /// than it is marked: by a hook [at arrival](crate::SessionLayer::login_at_arrival), say. A session that has no room for the
    /// value does not begin: the response becomes 503.
    ///
    /// # Errors
    ///
    /// If the value does not turn into JSON that reads back as it was.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::{DataError, DataKey, Login};
    ///
    /// const TENANT: DataKey<String> = DataKey::new("tenant");
    ///
    /// fn verified(user: u64, tenant: &str) -> Result<Login, DataError> {
    ///     Login::new(user).insert(&TENANT, tenant)
    /// }
    /// # assert!(verified(42, "acme").is_ok());
    /// ```
    pub fn insert<T, V>(mut self, key: &DataKey<T>, value: &V) -> Result<Self, DataError>
    where
        T: Serialize + DeserializeOwned + Borrow<V>,
        V: Serialize + ?Sized,
    {
        self.data.insert(key, value)?;
        Ok(self)
    }

    /// Says by which method the user proved who they are, such as `password` or `passkey`; once for each of several.
    ///
    /// The session keeps each name with the time of the proof, for
    /// [`methods`](crate::AuthenticatedSession::methods) and for guards that ask for
    /// [one of them](crate::RequireAuthentication::by). The names are the application's; an identity provider's `amr` has
    /// those of RFC 8176. A name that is empty or longer than [`MAX_METHOD_LEN`](Self::MAX_METHOD_LEN) is not kept, nor is
    /// a fifth one: a guard for it refuses.
    ///
    /// # Examples
    ///
    /// A federated login counts from what happened at the identity provider, and not from its arrival here:
    ///
    /// ```
    /// use tower_session_guard::{AssuranceLevel, Login, Timestamp};
    ///
    /// struct IdToken { sub: String, amr: Vec<String>, acr: String, auth_time: u64 }
    ///
    /// fn federated(token: &IdToken) -> Login {
    ///     let login = Login::new(&token.sub)
    ///         .at_level(if token.acr == "phr" { AssuranceLevel::AAL3 } else { AssuranceLevel::AAL1 })
    ///         .acr(&token.acr)
    ///         .authenticated_at(Timestamp::from_unix_seconds(token.auth_time));
    ///     token.amr.iter().fold(login, Login::by)
    /// }
    /// # let token = IdToken { sub: "42".into(), amr: vec!["pwd".into()], acr: "phr".into(), auth_time: 0 };
    /// # let _ = federated(&token);
    /// ```
    pub fn by(mut self, method: impl AsRef<str>) -> Self {
        self.methods.push(SmolStr::new(method.as_ref()));
        self
    }

    /// Keeps the authentication context class that an identity provider named (`acr` of an ID token), for
    /// [`AuthenticatedSession::acr`](crate::AuthenticatedSession::acr).
    ///
    /// What it means is the application's to say: set the [level](Self::at_level) by it. One that is empty or longer than
    /// 64 bytes is not kept.
    pub fn acr(mut self, class: impl AsRef<str>) -> Self {
        let class = class.as_ref();
        let is_kept = (1..=MAX_ACR_LEN).contains(&class.len());
        self.acr = is_kept.then(|| SmolStr::new(class));
        self
    }

    /// Sets how strongly the user proved who they are.
    pub const fn at_level(mut self, level: AssuranceLevel) -> Self {
        self.level = level;
        self
    }

    /// Sets when the user proved it, where that was earlier: an identity provider's `auth_time`.
    ///
    /// A time in the future counts as now.
    pub const fn authenticated_at(mut self, at: Timestamp) -> Self {
        self.authenticated_at = Some(at);
        self
    }

    /// Asks the browser to keep the cookie when it closes, for as long as the session can last.
    ///
    /// That is as long as any other's, or what [`SessionPolicy::remember_for`](crate::SessionPolicy::remember_for)
    /// says; the cookie's lifetime never decides. Do so where the user asked for it.
    pub const fn remembered(mut self) -> Self {
        self.remembered = true;
        self
    }

    /// Ends the session once it was not used for `limit`, where the policy would let it live longer.
    ///
    /// Less than a second counts as a second. A longer limit than the policy's changes nothing.
    pub fn idle(mut self, limit: Duration) -> Self {
        self.limits.idle = Some(limit.max(Duration::from_secs(1)));
        self
    }

    /// Ends the session this long after the login, where the policy would let it live longer.
    ///
    /// Less than a second counts as a second. A longer limit than the policy's changes nothing.
    pub fn absolute(mut self, limit: Duration) -> Self {
        self.limits.absolute = Some(limit.max(Duration::from_secs(1)));
        self
    }

    /// Tags the session, so that whoever knows the tag can end it: an identity provider's `sid`, say.
    ///
    /// The session keeps a digest of the tag and of the layer's audience. A login may name up to
    /// [`MAX_TAGS`](Self::MAX_TAGS) tags; one with more logs nobody in, as one with an unusable subject.
    pub fn tagged(mut self, tag: impl AsRef<str>) -> Self {
        self.tags.push(SmolStr::new(tag.as_ref()));
        self
    }

    /// Lets only the key with this SHA-256 thumbprint (RFC 7638) be bound to the session, by Device Bound Session Credentials: an
    /// identity provider vouched for it.
    ///
    /// It does not require that the session is bound: see [`DeviceBinding::required_for`](crate::DeviceBinding::required_for).
    ///
    /// Requires the feature `dbsc`.
    #[cfg(feature = "dbsc")]
    pub const fn bound_to(mut self, thumbprint: [u8; 32]) -> Self {
        self.device = Some(Thumbprint(thumbprint));
        self
    }

    /// Whether the login can be: with a usable subject and no more tags than a session holds.
    pub(crate) fn is_usable(&self) -> bool {
        self.subject.is_valid() && self.tags.len() <= MAX_TAGS
    }

    /// Whether it names nothing that most sessions do not have, its methods aside.
    pub(crate) fn is_basic(&self) -> bool {
        self.limits == Limits::NONE
            && self.tags.is_empty()
            && self.device.is_none()
            && self.acr.is_none()
    }

    /// Names the session in lists, so that a person recognises it; cut to 128 bytes.
    pub fn labelled(mut self, label: impl AsRef<str>) -> Self {
        let label = label.as_ref();
        let mut end = label.len().min(Self::MAX_LABEL_LEN);
        while !label.is_char_boundary(end) {
            end -= 1;
        }
        self.label = Some(SmolStr::new(&label[..end]));
        self
    }
}

impl<S> From<S> for Login
where
    S: Into<Subject>,
{
    fn from(subject: S) -> Self {
        Self::new(subject)
    }
}

/// What a handler says happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Login(Login),
    Elevate(StepUp),
    Impersonate(Impersonation),
    EndImpersonation,
    StepDown,
    Renew,
    Logout,
    Insert {
        name: SmolStr,
        value: Box<[u8]>,
        keep: Keep,
    },
    Remove {
        name: SmolStr,
    },
    Update(Change),
}

/// What a mark does to a session's privilege, which decides when it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It gives privilege or changes data: it counts if the handler succeeded.
    Raises,
    /// It changes neither: it counts if the handler answered.
    Keeps,
    /// It takes privilege away: it counts whatever becomes of the handler.
    Lowers,
}

impl Mark {
    pub(crate) const fn effect(&self) -> Effect {
        match self {
            Self::Login(_)
            | Self::Elevate(_)
            | Self::Impersonate(_)
            | Self::EndImpersonation
            | Self::Insert { .. }
            | Self::Remove { .. }
            | Self::Update(_) => Effect::Raises,
            Self::Renew => Effect::Keeps,
            Self::StepDown | Self::Logout => Effect::Lowers,
        }
    }

    /// What to tell where it does not count; `None` for what always counts.
    pub(crate) const fn dropped(&self) -> Option<EventKind> {
        match self {
            Self::Login(_) => Some(EventKind::LoginDropped),
            Self::Elevate(_) => Some(EventKind::ElevationDropped),
            Self::Impersonate(_) | Self::EndImpersonation => Some(EventKind::ImpersonationDropped),
            Self::Renew => Some(EventKind::RenewalDropped),
            Self::Insert { .. } | Self::Remove { .. } | Self::Update(_) => {
                Some(EventKind::DataDropped)
            }
            Self::StepDown | Self::Logout => None,
        }
    }

    /// Whether it raises the level of the session as it is, so that the answer claims too much where the
    /// session or its token is gone by then.
    pub(crate) const fn elevates(&self) -> bool {
        match self {
            Self::Elevate(_) => true,
            Self::Login(_)
            | Self::Impersonate(_)
            | Self::EndImpersonation
            | Self::StepDown
            | Self::Renew
            | Self::Logout
            | Self::Insert { .. }
            | Self::Remove { .. }
            | Self::Update(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use smol_str::SmolStr;

    use super::{Change, Effect, Keep, Login, Mark, StepUp};
    use crate::session::{
        authentication::AssuranceLevel, data::DataKey, event::EventKind, time::Timestamp,
    };

    /// R10: what always counts is never told as dropped, and all else is.
    #[test]
    fn every_mark_that_may_not_count_is_told_by_a_name_of_its_own_kind() {
        let name = SmolStr::new("k");
        let value = Box::default();
        for (mark, effect, dropped) in [
            (
                Mark::Login(Login::new("alice")),
                Effect::Raises,
                Some(EventKind::LoginDropped),
            ),
            (
                Mark::Elevate(StepUp::to(AssuranceLevel::AAL2)),
                Effect::Raises,
                Some(EventKind::ElevationDropped),
            ),
            (
                Mark::Insert {
                    name: name.clone(),
                    value,
                    keep: Keep::Subject,
                },
                Effect::Raises,
                Some(EventKind::DataDropped),
            ),
            (
                Mark::Remove { name },
                Effect::Raises,
                Some(EventKind::DataDropped),
            ),
            (
                Mark::Update(Change::of(
                    &DataKey::<u8>::new("k"),
                    Timestamp::from_unix_seconds(0),
                    |value| value,
                )),
                Effect::Raises,
                Some(EventKind::DataDropped),
            ),
            (Mark::Renew, Effect::Keeps, Some(EventKind::RenewalDropped)),
            (Mark::StepDown, Effect::Lowers, None),
            (Mark::Logout, Effect::Lowers, None),
        ] {
            assert_eq!(
                (mark.effect(), mark.dropped()),
                (effect, dropped),
                "{mark:?}"
            );
        }
    }
}
