//! [`MemoryRevocations`]: the list in memory as one that layers can share.

use std::sync::Arc;

use super::{
    Admitted, Cutoff, Ending, IssuedToken, Occupancy, Replacement, RevocationList, Revocations,
    Standing,
};
use crate::{
    session::{id::SessionId, index::IndexKey, time::Timestamp},
    store::StoreFuture,
};

/// A list in the memory of this process, for layers with settings of their own that are to share one.
///
/// A clone is the same list. It is bounded: it holds at most
/// [`DEFAULT_MAX_ENTRIES`](Self::DEFAULT_MAX_ENTRIES), or as many as
/// [`with_max_entries`](Self::with_max_entries) says. An entry is a session that ended or whose token was replaced,
/// until it would have ended by itself, or an owner or a tag whose sessions all ended. A logout costs about 120
/// bytes until then, a session whose token was replaced about 250.
#[derive(Clone, Debug)]
pub struct MemoryRevocations(pub(crate) Arc<Revocations>);

impl MemoryRevocations {
    /// How many entries a list of [`new`](Self::new) holds: a million, in about 250 MB at most.
    pub const DEFAULT_MAX_ENTRIES: usize = 1_000_000;

    /// An empty list.
    #[must_use]
    pub fn new() -> Self {
        Self::with_max_entries(Self::DEFAULT_MAX_ENTRIES)
    }

    /// An empty list that holds at most `max` entries, and a sixteenth more of endings.
    #[must_use]
    pub fn with_max_entries(max: usize) -> Self {
        Self(Arc::new(Revocations::new(max)))
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
        Box::pin(async move { Ok(self.0.standing(token, now)) })
    }

    fn may_reissue<'a>(&'a self, token: IssuedToken<'a>, now: Timestamp) -> StoreFuture<'a, bool> {
        Box::pin(async move { Ok(self.0.may_reissue(token, now)?) })
    }

    fn ending<'a>(
        &'a self,
        token: IssuedToken<'a>,
        _: Timestamp,
    ) -> StoreFuture<'a, Option<Ending>> {
        Box::pin(async move { Ok(self.0.ending(token)) })
    }

    fn end<'a>(
        &'a self,
        family: &'a SessionId,
        how: Ending,
        until: Timestamp,
        now: Timestamp,
    ) -> StoreFuture<'a, bool> {
        Box::pin(async move { Ok(self.0.end(family, how, until, now)?) })
    }

    fn replace<'a>(
        &'a self,
        token: IssuedToken<'a>,
        successor: SessionId,
        how: Replacement,
        until: Timestamp,
        now: Timestamp,
    ) -> StoreFuture<'a, Option<Timestamp>> {
        Box::pin(async move { Ok(self.0.replace(token, successor, how, until, now)?) })
    }

    fn end_all<'a>(
        &'a self,
        key: &'a IndexKey,
        cutoff: &'a Cutoff,
        now: Timestamp,
    ) -> StoreFuture<'a, ()> {
        Box::pin(async move { Ok(self.0.end_all(key, cutoff, None, now)?) })
    }

    fn end_others<'a>(
        &'a self,
        keep: IssuedToken<'a>,
        key: &'a IndexKey,
        cutoff: &'a Cutoff,
        now: Timestamp,
    ) -> StoreFuture<'a, bool> {
        Box::pin(async move { Ok(self.0.end_others(keep, key, cutoff, now)?) })
    }

    fn issue<'a>(
        &'a self,
        keys: &'a [IndexKey],
        admitted: &'a Admitted,
        now: Timestamp,
    ) -> StoreFuture<'a, Option<Timestamp>> {
        Box::pin(async move { Ok(self.0.issue(keys, admitted, now)?) })
    }

    fn occupancy(&self) -> Occupancy {
        self.0.occupancy()
    }
}
