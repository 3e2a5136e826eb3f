//! [`SessionStore`]: where sessions live when the cookie holds only a reference to them.
//!
//! [`MemoryStore`] keeps them in the process. Any other engine can: implement the trait and hold the
//! result to `testing::store_contract` (feature `testing`).

#[cfg(feature = "dynamodb")]
mod dynamodb;
mod error;
#[cfg(feature = "firestore")]
mod firestore;
mod memory;
mod outcome;
#[cfg(feature = "redis")]
pub mod redis;
pub mod revocation;
mod shards;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod sql;
#[cfg(feature = "_network")]
mod time_limit;

use std::{fmt, pin::Pin, sync::Arc};

use crate::session::{
    authentication::Subject,
    id::{Claim, SessionId},
    record::Record,
    time::Timestamp,
};

#[cfg(feature = "dynamodb")]
pub use self::dynamodb::DynamoDbStore;
#[cfg(feature = "firestore")]
pub use self::firestore::FirestoreStore;
#[cfg(feature = "redis")]
pub use self::redis::{RedisRevocations, RedisStore};
#[cfg(feature = "postgres")]
pub use self::sql::PostgresStore;
#[cfg(feature = "sqlite")]
pub use self::sql::SqliteStore;
pub use self::{
    error::{StoreError, StoreErrorKind},
    memory::MemoryStore,
    outcome::{Created, Removed, Replaced, Revision, Stored},
};

/// What an operation of a [`SessionStore`] returns: a boxed future, so that the trait is object-safe.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Where sessions live: six conditional operations, each atomic on one session.
///
/// The layer decides what a session is and whether a client may have it; a store only keeps
/// [records](Record) and answers truthfully. It never looks into a record beyond
/// [`expires_at`](Record::expires_at) and [`subject`](Record::subject).
///
/// # The contract
///
/// *Time.* `now` comes from the layer's clock and alone decides what has expired. A record whose
/// `expires_at` is `now` or earlier is *expired*: invisible to [`load`](Self::load) and to
/// [`sessions_of`](Self::sessions_of), [`Gone`](Replaced::Gone) to [`replace`](Self::replace). An engine's
/// own time to live only collects garbage. It may be late by any amount; it must not be early by the
/// engine's clock.
///
/// *Conditional writes.* [`create`](Self::create) writes only where nothing is,
/// [`replace`](Self::replace) only over the revision it was given. Neither ever does the other's work: no
/// operation is an upsert, and a session that is gone stays gone. Of writes that run at the same time
/// with the same revision, exactly one is told `Replaced`.
///
/// *Consistency.* An operation that begins after a write was answered, on any node, sees that write. A
/// replica or a cache that lags may not answer `load`.
///
/// *Subjects.* The record under one id keeps its subject for as long as it lives: the layer never
/// replaces it by a record of another. An index entry is written before its record and taken away after
/// it, so that a crash leaves at worst an entry without a record; such an entry is passed over.
///
/// *Failures.* An operation that failed may have written or not, unless it says that it did not. A store
/// never answers an outcome that it does not know to be true: what times out is an error. Bytes that are
/// not a record are an error too ([`Corrupt`](StoreErrorKind::Corrupt)), neither an absent session nor a
/// reason to remove one.
///
/// *Dropped futures.* A future does nothing before its first poll. One dropped half-way leaves the
/// write done or not done, never half done.
///
/// Ids are 128 random bits and never used again once they were created.
pub trait SessionStore: fmt::Debug + Send + Sync + 'static {
    /// The live record under the claim's id, strongly consistent.
    ///
    /// Whether the claim's secret opens it is for the layer to decide. Reading changes nothing.
    ///
    /// # Errors
    ///
    /// If the store cannot say whether there is one, or holds bytes there that are not a record.
    fn load<'a>(&'a self, claim: &'a Claim, now: Timestamp) -> StoreFuture<'a, Option<Stored>>;

    /// The record that [`load`](Self::load) would return, if the store has it without waiting.
    ///
    /// A store may implement this if the record is in this process's own memory, and if that memory is the
    /// authority and not a cache. `None` means: ask `load`. The default returns `None` always.
    fn try_load(&self, claim: &Claim, now: Timestamp) -> Option<Stored> {
        let _ = (claim, now);
        None
    }

    /// Writes the record of a new session, unless there is one under that id, expired or not.
    ///
    /// # Errors
    ///
    /// If it may not have been written. Nothing may then point at a session that a client could present.
    fn create<'a>(
        &'a self,
        id: &'a SessionId,
        record: &'a Record,
        now: Timestamp,
    ) -> StoreFuture<'a, Created>;

    /// Replaces the live record under `id`, if its revision is still `revision`.
    ///
    /// # Errors
    ///
    /// If it is not known whether the record was replaced.
    fn replace<'a>(
        &'a self,
        id: &'a SessionId,
        revision: Revision,
        record: &'a Record,
        now: Timestamp,
    ) -> StoreFuture<'a, Replaced>;

    /// Removes the record under `id`, whatever its revision.
    ///
    /// # Errors
    ///
    /// If it is not known that nothing is left under `id`.
    fn remove<'a>(&'a self, id: &'a SessionId) -> StoreFuture<'a, Removed>;

    /// The live sessions of `subject`, in no particular order.
    ///
    /// The list may lag behind logins that run at the same time, and never holds a session of another
    /// subject.
    ///
    /// # Errors
    ///
    /// If the list may be incomplete for another reason.
    fn sessions_of<'a>(
        &'a self,
        subject: &'a Subject,
        now: Timestamp,
    ) -> StoreFuture<'a, Vec<(SessionId, Record)>>;

    /// Removes the records of `subject`, but for the one under `except`, and says how many.
    ///
    /// Every record whose `create` was answered before this was called is gone when this answers, on
    /// every node, also one that is being replaced meanwhile. A record that is created meanwhile may
    /// survive. Of records that had expired, the number holds those that the store still had.
    ///
    /// # Errors
    ///
    /// If a record may be left. Those removed until then stay removed.
    fn remove_all_of<'a>(
        &'a self,
        subject: &'a Subject,
        except: Option<&'a SessionId>,
    ) -> StoreFuture<'a, usize>;

    /// How many live records there are, where that is cheap to tell: for operators and tests.
    ///
    /// # Errors
    ///
    /// If the store cannot be asked.
    fn live_records<'a>(&'a self, now: Timestamp) -> StoreFuture<'a, Option<u64>> {
        let _ = now;
        Box::pin(async { Ok(None) })
    }
}

macro_rules! store_behind_a_pointer {
    ($pointer:ident) => {
        impl<S> SessionStore for $pointer<S>
        where
            S: SessionStore + ?Sized,
        {
            fn load<'a>(
                &'a self,
                claim: &'a Claim,
                now: Timestamp,
            ) -> StoreFuture<'a, Option<Stored>> {
                (**self).load(claim, now)
            }

            fn try_load(&self, claim: &Claim, now: Timestamp) -> Option<Stored> {
                (**self).try_load(claim, now)
            }

            fn create<'a>(
                &'a self,
                id: &'a SessionId,
                record: &'a Record,
                now: Timestamp,
            ) -> StoreFuture<'a, Created> {
                (**self).create(id, record, now)
            }

            fn replace<'a>(
                &'a self,
                id: &'a SessionId,
                revision: Revision,
                record: &'a Record,
                now: Timestamp,
            ) -> StoreFuture<'a, Replaced> {
                (**self).replace(id, revision, record, now)
            }

            fn remove<'a>(&'a self, id: &'a SessionId) -> StoreFuture<'a, Removed> {
                (**self).remove(id)
            }

            fn sessions_of<'a>(
                &'a self,
                subject: &'a Subject,
                now: Timestamp,
            ) -> StoreFuture<'a, Vec<(SessionId, Record)>> {
                (**self).sessions_of(subject, now)
            }

            fn remove_all_of<'a>(
                &'a self,
                subject: &'a Subject,
                except: Option<&'a SessionId>,
            ) -> StoreFuture<'a, usize> {
                (**self).remove_all_of(subject, except)
            }

            fn live_records<'a>(&'a self, now: Timestamp) -> StoreFuture<'a, Option<u64>> {
                (**self).live_records(now)
            }
        }
    };
}

store_behind_a_pointer!(Arc);
store_behind_a_pointer!(Box);
