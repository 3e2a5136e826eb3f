//! [`RevocationList`]: the list of ended tokens as a trait, so that several processes can share one.

use std::fmt;

use super::{Admitted, Cutoff, Standing};
use crate::{
    session::{
        authentication::Subject,
        id::SessionId,
        index::{IndexKey, TagDigest},
        live::Live,
        time::Timestamp,
    },
    store::{Changed, StoreFuture},
};

/// Which self-contained tokens no longer hold, although their MAC does: a list that processes share.
///
/// [`Endings::Shared`](crate::Endings::Shared) takes one.
///
/// # The contract
///
/// Each call is one step: of calls at the same time, each decides on the whole of what the others did, on
/// every node. The tokens of a session are a *family*, which the id of its first token names. A session never has
/// two live tokens. An entry of a family has a bounded size, however often its token was replaced, and is kept
/// until the time that the call names, with [slack](Cutoff::SLACK).
///
/// *Issuing.* [`may_reissue`](Self::may_reissue), [`replace`](Self::replace) and [`issue`](Self::issue) come right
/// before a token leaves, with the time that will stand in it. [`end_all`](Self::end_all) and
/// [`end_others`](Self::end_others) end all of those tokens, also if they were issued by a clock that is ahead of
/// the caller's by up to a minute.
///
/// *Room.* A list is bounded. Once it is full, what lets tokens leave fails
/// ([`Full`](crate::store::StoreErrorKind::Full)), while endings are still remembered in room kept for them.
///
/// *Failures.* A list never answers what it does not know to be true. An error makes the request fail:
/// before its handler, or instead of the handler's answer. What the call was to end may have ended or not.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no list of ended tokens",
    note = "a list in this process is `Endings::this_process()`; one that processes share is `RedisRevocations` of the crate `tower-session-guard-redis`, of the same version as this one"
)]
pub trait RevocationList: fmt::Debug + Send + Sync + 'static {
    /// What a token is worth at `now`.
    ///
    /// # Errors
    ///
    /// If the list cannot say so.
    fn standing<'a>(&'a self, token: IssuedToken<'a>, now: Timestamp) -> StoreFuture<'a, Standing>;

    /// What [`standing`](Self::standing) would answer, if it opens the session and the list knows it without waiting.
    ///
    /// `None` means "ask `standing`", and is the default. A list on a server may answer from its node's own copy, for
    /// as long as its [lease](crate::store::Lease) lets it: the answer may then be older than an ending on another node by the lease's
    /// time at most, and with an exact lease never older than an ending for which
    /// [`endings_hold`](Self::endings_hold) was answered.
    fn try_standing(&self, token: IssuedToken<'_>, now: Timestamp) -> Option<Standing> {
        let _ = (token, now);
        None
    }

    /// Whether a token may leave again under the same id, issued at `now`: only while it is
    /// [`Current`](Standing::Current).
    ///
    /// # Errors
    ///
    /// If the list cannot say so, or is full.
    fn may_reissue<'a>(&'a self, token: IssuedToken<'a>, now: Timestamp) -> StoreFuture<'a, bool>;

    /// How the session of a token ended, whatever its token is by now; `None` while it goes on.
    ///
    /// Unlike [`standing`](Self::standing) it passes over a token that was replaced. A session whose keys were
    /// [ended](Self::end_all) counts as [`Ended`](Ending::Ended), as its token was issued.
    ///
    /// # Errors
    ///
    /// If the list cannot say so.
    fn ending<'a>(
        &'a self,
        token: IssuedToken<'a>,
        now: Timestamp,
    ) -> StoreFuture<'a, Option<Ending>>;

    /// Ends a session, whatever its token is by now, and says whether this call did; `until` is when the session
    /// ends at the latest.
    ///
    /// # Errors
    ///
    /// If it may not have ended.
    fn end<'a>(
        &'a self,
        family: &'a SessionId,
        how: Ending,
        until: Timestamp,
        now: Timestamp,
    ) -> StoreFuture<'a, bool>;

    /// Puts `successor` in the place of a token: for a [renewal](Replacement::Renewed) or a [binding](Replacement::Bound) if
    /// the token is [`Current`](Standing::Current), for a change of privilege also in its [grace time](Standing::Grace).
    ///
    /// Tells when the successor is to be issued: at `now`, or just after a cut-off that spared this session; `None`
    /// if nothing was replaced. `until` is when the session ends at the latest.
    ///
    /// # Errors
    ///
    /// If it may not have been replaced, or the list is full.
    fn replace<'a>(
        &'a self,
        token: IssuedToken<'a>,
        successor: SessionId,
        how: Replacement,
        until: Timestamp,
        now: Timestamp,
    ) -> StoreFuture<'a, Option<Timestamp>>;

    /// Ends every session under `key` whose token was issued at the cut-off's time or earlier, or until this
    /// call was made by a clock that is ahead by up to a minute.
    ///
    /// # Errors
    ///
    /// If they may not have ended.
    fn end_all<'a>(
        &'a self,
        key: &'a IndexKey,
        cutoff: &'a Cutoff,
        now: Timestamp,
    ) -> StoreFuture<'a, ()>;

    /// The same, but for the session of this token; false, and nothing changes, if the token no longer opens it.
    ///
    /// # Errors
    ///
    /// If they may not have ended.
    fn end_others<'a>(
        &'a self,
        keep: IssuedToken<'a>,
        key: &'a IndexKey,
        cutoff: &'a Cutoff,
        now: Timestamp,
    ) -> StoreFuture<'a, bool>;

    /// When a token of a new login under these keys is to be issued: at `now`, or just after what ended; `None`
    /// if a cut-off of one of them [ends](Cutoff::ends) a login that was admitted then.
    ///
    /// # Errors
    ///
    /// If the list cannot say so, or is full.
    fn issue<'a>(
        &'a self,
        keys: &'a [IndexKey],
        admitted: &'a Admitted,
        now: Timestamp,
    ) -> StoreFuture<'a, Option<Timestamp>>;

    /// Waits until everything that was ended before this call holds on every node, as
    /// [`SessionStore::endings_hold`](crate::SessionStore::endings_hold) does.
    ///
    /// # Errors
    ///
    /// If it is not known for how long to wait. What was ended is ended all the same.
    fn endings_hold(&self) -> Option<StoreFuture<'_, ()>> {
        None
    }

    /// A future that is ready once the session of this family, or everything under some key, may have ended since this
    /// call, on any node; `None`, the default, if the list does not hear of that. It may be ready though nothing ended.
    fn changed(&self, family: &SessionId) -> Option<Changed> {
        let _ = family;
        None
    }

    /// How full the list was when it last answered, as far as it knows; it does not wait to find out.
    fn occupancy(&self) -> Occupancy {
        Occupancy::Low
    }
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// A logout, a revocation, or the reuse of a renewed token.
    Ended,
    /// A login put another session in its place: a late request carries its token honestly.
    Superseded,
}

/// How a token is replaced by the next one of its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Replacement {
    /// An elevation or a step-down: the token is dead at once.
    Elevated,
    /// A renewal: the token works until `grace_until`.
    Renewed {
        /// When the token itself stops working.
        grace_until: Timestamp,
    },
    /// A binding to a device: the token is [`Crossing`](Standing::Crossing) until `crossing_until`, and nothing replaces it
    /// then. Later it is [`Superseded`](Standing::Superseded), never [`Reused`](Standing::Reused): the page after a login
    /// carries it honestly. A renewal or a change of privilege of the successor makes it so earlier.
    Bound {
        /// When the token itself stops working.
        crossing_until: Timestamp,
    },
}

/// How full a list is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Occupancy {
    /// Less than half.
    Low,
    /// Half or more: an operator should look.
    High,
    /// Full: only endings are remembered.
    Full,
}

impl Occupancy {
    /// So many entries, of so many that there may be.
    #[must_use]
    pub const fn new(entries: usize, max: usize) -> Self {
        if entries >= max {
            Self::Full
        } else if entries >= max / 2 {
            Self::High
        } else {
            Self::Low
        }
    }
}

/// A token as a list knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IssuedToken<'a> {
    /// The id of its session's first token.
    pub(crate) family: &'a SessionId,
    /// Its id, which no other token has, unless it was issued anew.
    pub(crate) id: &'a SessionId,
    /// Whose it is, unless it is a guest's.
    pub(crate) subject: Option<&'a Subject>,
    /// Who acts as the subject.
    pub(crate) actor: Option<&'a Subject>,
    pub(crate) tags: &'a [TagDigest],
    pub(crate) audience: &'a str,
    /// When it was issued.
    pub(crate) issued_at: Timestamp,
}

impl<'a> IssuedToken<'a> {
    /// A guest's token, or one of a subject in the empty audience, without tags: for tests of lists.
    #[must_use]
    pub const fn new(
        family: &'a SessionId,
        id: &'a SessionId,
        subject: Option<&'a Subject>,
        issued_at: Timestamp,
    ) -> Self {
        Self {
            family,
            id,
            subject,
            actor: None,
            tags: &[],
            audience: "",
            issued_at,
        }
    }

    /// The token that opened a session, in the layer's audience, which its MAC says.
    pub(crate) fn of(live: &'a Live, audience: &'a str) -> Self {
        let extra = live.state.extra.as_deref();
        Self {
            family: live.family(),
            id: &live.id,
            subject: live.subject(),
            actor: extra.and_then(|extra| extra.actor.as_ref()),
            tags: extra.map_or(&[], |extra| &extra.tags),
            audience,
            issued_at: live.state.last_seen_at,
        }
    }

    /// The id of its session's first token.
    #[must_use]
    pub const fn family(&self) -> &'a SessionId {
        self.family
    }

    /// Its id, which no other token has, unless it was issued anew.
    #[must_use]
    pub const fn id(&self) -> &'a SessionId {
        self.id
    }

    /// When it was issued.
    #[must_use]
    pub const fn issued_at(&self) -> Timestamp {
        self.issued_at
    }

    /// The keys that end it: its owners', then its tags'; none of a guest's token.
    #[must_use]
    pub fn keys(&self) -> Vec<IndexKey> {
        let owners = self.subject.into_iter().chain(self.actor);
        let owners = owners.map(|owner| IndexKey::owner(self.audience, owner));
        let tags = self.tags.iter().map(|tag| IndexKey::of_tag(*tag));
        owners.chain(tags).collect()
    }
}
