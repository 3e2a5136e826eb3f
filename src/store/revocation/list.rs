//! [`RevocationList`]: the list of ended tokens as a trait, so that several processes can share one.

use std::fmt;

use super::{Retirement, Standing};
use crate::{
    session::{authentication::Subject, id::SessionId, live::Live, time::Timestamp},
    store::StoreFuture,
};

/// Which self-contained tokens no longer hold, although their MAC does: a list that processes share.
///
/// [`SessionLayer::with_revocations`](crate::SessionLayer::with_revocations) takes one. A layer without keeps
/// a list in its own memory, which other processes know nothing of and a restart forgets.
///
/// # The contract
///
/// Each call is one step: of calls at the same time, each decides on the whole of what the others did, on
/// every node. A session's tokens are a chain, in which each renewal or elevation names the successor, and a
/// session never has two live tokens. Entries are kept until the time that the call names, with some slack,
/// and may go then.
///
/// *Issuing.* [`may_reissue`](Self::may_reissue), [`retire_of`](Self::retire_of) and
/// [`issue_time`](Self::issue_time) come right before a token leaves, with the time that will stand in it.
/// [`end_subject`](Self::end_subject) and [`end_others`](Self::end_others) end all of those tokens, also if
/// they were issued by a clock that is ahead of the caller's by up to half a minute.
///
/// *Failures.* A list never answers what it does not know to be true. An error makes the request fail:
/// before its handler, or instead of the handler's answer. What the call was to end may have ended or not.
pub trait RevocationList: fmt::Debug + Send + Sync + 'static {
    /// What a token is worth at `now`.
    ///
    /// # Errors
    ///
    /// If the list cannot say so.
    fn standing<'a>(&'a self, token: IssuedToken<'a>, now: Timestamp) -> StoreFuture<'a, Standing>;

    /// Whether a token may leave again under the same id, issued at `now`: only while it is
    /// [`Good`](Standing::Current).
    ///
    /// # Errors
    ///
    /// If the list cannot say so.
    fn may_reissue<'a>(&'a self, token: IssuedToken<'a>, now: Timestamp) -> StoreFuture<'a, bool>;

    /// Retires the token of this id, if its standing allows that, and says whether it did.
    ///
    /// What is done to a token in its grace time is done to its successor too. `until` is when the
    /// session ends at the latest.
    ///
    /// # Errors
    ///
    /// If it may not have been retired.
    fn retire<'a>(
        &'a self,
        id: &'a SessionId,
        how: Retirement,
        until: Timestamp,
        now: Timestamp,
    ) -> StoreFuture<'a, bool>;

    /// The same, unless everything that was issued to the token's subject at that time has ended; tells
    /// when the successor is to be issued: at `now`, or just after a cut-off that spared this token.
    ///
    /// # Errors
    ///
    /// If it may not have been retired.
    fn retire_of<'a>(
        &'a self,
        token: IssuedToken<'a>,
        how: Retirement,
        until: Timestamp,
        now: Timestamp,
    ) -> StoreFuture<'a, Option<Timestamp>>;

    /// Ends the session of a token that was renewed, with every token that it had since.
    ///
    /// # Errors
    ///
    /// If it may not have ended.
    fn end_family<'a>(
        &'a self,
        id: &'a SessionId,
        until: Timestamp,
        now: Timestamp,
    ) -> StoreFuture<'a, ()>;

    /// Ends every session of `subject`; `until` is when the last token issued by `now` expires.
    ///
    /// # Errors
    ///
    /// If they may not have ended.
    fn end_subject<'a>(
        &'a self,
        subject: &'a Subject,
        now: Timestamp,
        until: Timestamp,
    ) -> StoreFuture<'a, ()>;

    /// The same, but for the session of this token; false, and nothing changes, if the token no longer
    /// holds or belongs to no subject.
    ///
    /// # Errors
    ///
    /// If they may not have ended.
    fn end_others<'a>(
        &'a self,
        keep: IssuedToken<'a>,
        now: Timestamp,
        until: Timestamp,
    ) -> StoreFuture<'a, bool>;

    /// When a token of a new login of `subject` is to be issued: at `now`, or just after what ended.
    ///
    /// # Errors
    ///
    /// If the list cannot say so.
    fn issue_time<'a>(&'a self, subject: &'a Subject, now: Timestamp)
    -> StoreFuture<'a, Timestamp>;
}

/// A token as a list knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct IssuedToken<'a> {
    /// Its id, which no other token has, unless it was issued anew.
    pub id: &'a SessionId,
    /// Whose it is; `None` for a guest session.
    pub subject: Option<&'a Subject>,
    /// When it was issued.
    pub issued_at: Timestamp,
}

impl<'a> IssuedToken<'a> {
    /// A token of these facts.
    #[must_use]
    pub const fn new(
        id: &'a SessionId,
        subject: Option<&'a Subject>,
        issued_at: Timestamp,
    ) -> Self {
        Self {
            id,
            subject,
            issued_at,
        }
    }

    /// The token that opened a session.
    pub(crate) fn of(live: &'a Live) -> Self {
        Self::new(&live.id, live.subject(), live.state.last_seen_at)
    }
}
