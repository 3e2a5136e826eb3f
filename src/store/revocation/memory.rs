//! [`MemoryRevocations`]: the list in memory as one that layers can share.

use std::sync::Arc;

use super::{IssuedToken, Retirement, RevocationList, Revocations, Standing};
use crate::{
    session::{authentication::Subject, id::SessionId, time::Timestamp},
    store::StoreFuture,
};

/// A list in the memory of this process, for layers with settings of their own that are to share one.
///
/// A clone is the same list. A single layer needs none: it has its own.
#[derive(Clone, Debug)]
pub struct MemoryRevocations(Arc<Revocations>);

impl MemoryRevocations {
    /// An empty list.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Revocations::new()))
    }
}

impl Default for MemoryRevocations {
    /// The same as [`new`](Self::new).
    fn default() -> Self {
        Self::new()
    }
}

impl RevocationList for MemoryRevocations {
    fn standing<'a>(&'a self, token: IssuedToken<'a>, now: Timestamp) -> StoreFuture<'a, Standing> {
        Box::pin(async move {
            Ok(self
                .0
                .standing(token.id, token.subject, token.issued_at, now))
        })
    }

    fn may_reissue<'a>(&'a self, token: IssuedToken<'a>, now: Timestamp) -> StoreFuture<'a, bool> {
        Box::pin(async move {
            Ok(self
                .0
                .may_reissue(token.id, token.subject, token.issued_at, now))
        })
    }

    fn retire<'a>(
        &'a self,
        id: &'a SessionId,
        how: Retirement,
        until: Timestamp,
        now: Timestamp,
    ) -> StoreFuture<'a, bool> {
        Box::pin(async move { Ok(self.0.retire(id, how, until, now)) })
    }

    fn retire_of<'a>(
        &'a self,
        token: IssuedToken<'a>,
        how: Retirement,
        until: Timestamp,
        now: Timestamp,
    ) -> StoreFuture<'a, Option<Timestamp>> {
        Box::pin(async move {
            Ok(self
                .0
                .retire_of(token.id, token.subject, token.issued_at, how, until, now))
        })
    }

    fn end_family<'a>(
        &'a self,
        id: &'a SessionId,
        until: Timestamp,
        now: Timestamp,
    ) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            self.0.end_family(id, until, now);
            Ok(())
        })
    }

    fn end_subject<'a>(
        &'a self,
        subject: &'a Subject,
        now: Timestamp,
        until: Timestamp,
    ) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            self.0.end_subject(subject, now, until);
            Ok(())
        })
    }

    fn end_others<'a>(
        &'a self,
        keep: IssuedToken<'a>,
        now: Timestamp,
        until: Timestamp,
    ) -> StoreFuture<'a, bool> {
        Box::pin(async move {
            Ok(keep.subject.is_some_and(|subject| {
                self.0
                    .end_others(subject, keep.id, keep.issued_at, now, until)
            }))
        })
    }

    fn issue_time<'a>(
        &'a self,
        subject: &'a Subject,
        now: Timestamp,
    ) -> StoreFuture<'a, Timestamp> {
        Box::pin(async move { Ok(self.0.issue_time(subject, now)) })
    }
}
