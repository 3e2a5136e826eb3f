//! [`Sweep`]: deletes what a store still keeps although its time is over.

use std::{fmt, sync::Arc};

use super::StoreFuture;
use crate::session::time::Timestamp;

/// A store whose engine deletes nothing by itself.
///
/// Expired sessions and cut-offs whose time is over are invisible at once, and stay until a sweep deletes them. A
/// [`Sweeper`](crate::Sweeper) sweeps a store from time to time. Stores in Redis, DynamoDB and Firestore have a time to
/// live instead, and [`MemoryStore`](super::MemoryStore) clears away a few expired sessions at each write.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no store that can be swept",
    note = "a store whose engine deletes what has expired needs no sweep: `MemoryStore`, and those in Redis, DynamoDB and Firestore",
    note = "for another store implement `Sweep`; a cache has its store as `Cached::store`, of which a clone can be swept"
)]
pub trait Sweep: fmt::Debug + Send + Sync + 'static {
    /// Deletes up to `limit` sessions that had [expired](crate::Record::expires_at) by `now` and cut-offs whose time, with
    /// their [slack](super::Cutoff::SLACK), was over by then. Says how many of both.
    ///
    /// A number below `limit` says that nothing is left but what somebody else is writing or deleting. Sweeps that run at
    /// the same time, on any node, delete no more than one of them would.
    ///
    /// # Errors
    ///
    /// If something may be left for another reason. What was deleted until then stays deleted.
    fn sweep<'a>(&'a self, now: Timestamp, limit: u32) -> StoreFuture<'a, u64>;
}

impl<S> Sweep for Arc<S>
where
    S: Sweep + ?Sized,
{
    fn sweep<'a>(&'a self, now: Timestamp, limit: u32) -> StoreFuture<'a, u64> {
        (**self).sweep(now, limit)
    }
}
