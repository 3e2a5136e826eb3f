//! [`SessionStore`]: where sessions live when the cookie holds only a reference to them.
//!
//! [`MemoryStore`] keeps them in the process. Any other engine can: implement the trait and hold the
//! result to `testing::store_contract` (feature `testing`).

mod cutoff;
mod cutoffs;
mod error;
pub mod feed;
mod lease;
mod memory;
mod outcome;
mod paging;
pub mod revocation;
mod shards;
mod sweep;
pub mod time_limit;

use std::{fmt, pin::Pin, sync::Arc};

use crate::session::{
    id::{SessionId, VerifiedId},
    record::Record,
    time::Timestamp,
};

pub use self::{
    cutoff::{Admitted, Cutoff},
    error::{StoreError, StoreErrorKind},
    lease::Lease,
    memory::MemoryStore,
    outcome::{Created, Removed, Replaced, Revision, Stored},
    paging::{Counting, Cursor, EndedPage, ListedHead, Page},
    sweep::Sweep,
};
pub use crate::session::{head::RecordHead, index::IndexKey};

/// What an operation of a [`SessionStore`] returns: a boxed future, so that the trait is object-safe.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// What [`SessionStore::changed`] returns: a boxed future that holds on to nothing of the caller's.
pub type Changed = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where sessions live: conditional operations on one session, and an index of bounded pages.
///
/// The layer decides what a session is and whether a client may have it. A store keeps
/// [records](Record) and answers truthfully. Of a record it reads [`expires_at`](Record::expires_at),
/// [`absolute_expiry`](Record::absolute_expiry), [`index_keys`](Record::index_keys), and, for lists, the
/// [head](RecordHead); never its data.
///
/// # The contract
///
/// *Time.* `now` comes from the layer's clock and alone decides what has expired. A record whose
/// `expires_at` is `now` or earlier is *expired*: invisible to [`load`](Self::load) and to
/// [`heads`](Self::heads), [`Gone`](Replaced::Gone) to [`replace`](Self::replace). An engine's
/// own time to live only collects garbage. It may be late by any amount; it must not be early by the
/// engine's clock. A store whose engine has no time to live implements [`Sweep`].
///
/// *Conditional writes.* [`create`](Self::create) writes only where nothing is,
/// [`replace`](Self::replace) only over the revision it was given. Neither ever does the other's work: no
/// operation is an upsert, and a session that is gone stays gone. Of writes that run at the same time
/// with the same revision, exactly one is told `Replaced`.
///
/// *Consistency.* A record has two parts. Its *authority* is that it exists, whose it is, its level and its
/// secrets; its *data* is all else. For both, an operation that begins after a write was answered, on any node,
/// sees that write: a replica or a cache that lags may not answer `load`. A store that documents a bound may
/// let another node see *data* that is older by that bound, never authority.
///
/// A store that answers [`try_load`](Self::try_load) from a node's own copies goes by a [`Lease`]. Such an answer may be
/// older than a write that was answered on another node, by the lease's time at most; with an exact lease it shows no
/// authority that was taken away before [`endings_hold`](Self::endings_hold) was answered. [`load`](Self::load) has no
/// such allowance, and a node sees its own writes in both.
///
/// *Index.* A record is listed under each of its [keys](Record::index_keys), which stay the same for as long as
/// the record lives. An entry is written before its record and taken away after it, so that a crash leaves at
/// worst an entry without a record; such an entry is passed over, and may be taken away once its record can no
/// longer appear. An entry that is in the index from the first page to the last is in one of them.
///
/// *Cut-offs.* A [cut-off](Cutoff) never falls and is kept for as long as it says, with
/// [slack](Cutoff::SLACK), whatever happens to the sessions of its key.
///
/// *Bounded work.* Every operation does bounded work and holds no thread or engine for longer; what is long is
/// paged, and the layer goes on from page to page.
///
/// *Failures.* An operation that failed may have written or not, unless it says that it did not. A store
/// never answers an outcome that it does not know to be true: what times out is an error. Bytes that are
/// not a record of this release are an error too ([`Corrupt`](StoreErrorKind::Corrupt)), neither an absent
/// session nor a reason to remove one. They do not stand in the way of [`remove`](Self::remove),
/// [`heads`](Self::heads) or [`end_listed`](Self::end_listed).
///
/// *Dropped futures.* A future does nothing before its first poll. One dropped half-way leaves the
/// write done or not done, never half done.
///
/// Ids are 128 random bits and never used again once they were created.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no session store",
    note = "implement it, and hold the implementation to `testing::store_contract`",
    note = "the stores in Redis, PostgreSQL, SQLite, DynamoDB and Firestore are crates of the same version as this one: `cargo tree -i tower-session-guard` shows whether there are two"
)]
pub trait SessionStore: fmt::Debug + Send + Sync + 'static {
    /// The live record under a verified id, strongly consistent.
    ///
    /// Whether what the client presented opens it is for the layer to decide. Reading changes nothing. For one request
    /// the layer asks for at most sixteen sessions, up to eight of them side by side, and for one as a rule.
    ///
    /// # Errors
    ///
    /// If the store cannot say whether there is one, or holds bytes there that are not a record.
    fn load<'a>(&'a self, id: VerifiedId<'a>, now: Timestamp) -> StoreFuture<'a, Option<Stored>>;

    /// The record that [`load`](Self::load) would return, if the store has it without waiting.
    ///
    /// `None` means "ask `load`", and is the default. A store on a server may answer from its node's own copies, within
    /// the bounds that the contract names under *Consistency*.
    fn try_load(&self, id: VerifiedId<'_>, now: Timestamp) -> Option<Stored> {
        let _ = (id, now);
        None
    }

    /// Writes the record of a new session, unless there is one under that id, expired or not, and lists it
    /// under each of its keys.
    ///
    /// `counting` says whether the session counts towards the limit of its owner's sessions; the answer says how
    /// many of them count.
    ///
    /// # Errors
    ///
    /// If it may not have been written. Nothing may then point at a session that a client could present.
    fn create<'a>(
        &'a self,
        id: &'a SessionId,
        record: &'a Record,
        counting: Counting,
        now: Timestamp,
    ) -> StoreFuture<'a, Created>;

    /// Replaces the live record under `id`, if its revision is still `revision`.
    ///
    /// A record that has [expired](Record::expires_at) by `now` is written like any other: that is how a session is
    /// ended only if nobody has changed it.
    ///
    /// # Errors
    ///
    /// If it is not known whether the record was replaced. [`Unsupported`](StoreErrorKind::Unsupported) if the
    /// keys of the new record are not those of the one that is there; nothing was written then.
    fn replace<'a>(
        &'a self,
        id: &'a SessionId,
        revision: Revision,
        record: &'a Record,
        now: Timestamp,
    ) -> StoreFuture<'a, Replaced>;

    /// Removes the record under `id`, whatever its revision, and whether this release can read it or not.
    ///
    /// With a key, only a record that is listed under that key; another is left as it is and answered
    /// [`Absent`](Removed::Absent).
    ///
    /// # Errors
    ///
    /// If it is not known that nothing is left to remove.
    fn remove<'a>(
        &'a self,
        id: &'a SessionId,
        listed_under: Option<&'a IndexKey>,
    ) -> StoreFuture<'a, Removed>;

    /// Some of the live sessions under `key`, without their data: at most `limit`, after those of an earlier
    /// page.
    ///
    /// A page may be short, or empty, and still be followed by another. The list may lag behind logins that run
    /// at the same time, and never holds a session of another key.
    ///
    /// # Errors
    ///
    /// If sessions of this page may be missing for another reason.
    fn heads<'a>(
        &'a self,
        key: &'a IndexKey,
        after: Option<&'a Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> StoreFuture<'a, Page>;

    /// Removes some of the records under `key`, but for the one under `except`: at most `limit`, after those
    /// of an earlier page.
    ///
    /// Once the pages from the first to the last were answered, every record whose `create` was answered before
    /// the first was asked for is gone, on every node, also one that was being replaced meanwhile. A record that
    /// is created meanwhile may survive: the [cut-off](Self::raise_cutoff) comes first and is for those. Of records
    /// that had expired, the number holds those that the store still had.
    ///
    /// # Errors
    ///
    /// If a record of this page may be left. Those removed until then stay removed.
    fn end_listed<'a>(
        &'a self,
        key: &'a IndexKey,
        after: Option<&'a Cursor>,
        limit: usize,
        except: Option<&'a SessionId>,
    ) -> StoreFuture<'a, EndedPage>;

    /// Remembers that everything under `key` up to a moment has ended.
    ///
    /// What is kept is [raised](Cutoff::raised_by), in one step: of cut-offs at the same time none is lost.
    ///
    /// # Errors
    ///
    /// If it may not be remembered.
    fn raise_cutoff<'a>(
        &'a self,
        key: &'a IndexKey,
        cutoff: &'a Cutoff,
        now: Timestamp,
    ) -> StoreFuture<'a, ()>;

    /// The cut-off of `key`, strongly consistent; `None` once its time is over, or where none was.
    ///
    /// # Errors
    ///
    /// If the store cannot say whether there is one.
    fn cutoff<'a>(&'a self, key: &'a IndexKey, now: Timestamp) -> StoreFuture<'a, Option<Cutoff>>;

    /// Waits until everything that was ended before this call holds on every node, those included that answer
    /// [`try_load`](Self::try_load) from copies of their own; `None`, the default, if there is nothing to wait for.
    ///
    /// The layer awaits it once after the last write that ended something, before it acknowledges that. A session
    /// that was removed, one whose secret was replaced without a time of grace and one whose level was lowered count as
    /// ended. It may take as long as the longest [lease](Lease) of any node. No time limit of the store's applies to that.
    ///
    /// # Errors
    ///
    /// If it is not known for how long to wait. What was ended is ended all the same.
    fn endings_hold(&self) -> Option<StoreFuture<'_, ()>> {
        None
    }

    /// A future that is ready once the record under `id` may have changed since this call, on any node; `None`, the
    /// default, if the store does not hear of changes on other nodes.
    ///
    /// Ask for it first and [`load`](Self::load) then: a change after that load makes the future ready, within the
    /// store's [lease](Lease) unless a connection is lost meanwhile. It may be ready though nothing changed, as when the
    /// store may have missed something.
    fn changed(&self, id: &SessionId) -> Option<Changed> {
        let _ = id;
        None
    }

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
                id: VerifiedId<'a>,
                now: Timestamp,
            ) -> StoreFuture<'a, Option<Stored>> {
                (**self).load(id, now)
            }

            fn try_load(&self, id: VerifiedId<'_>, now: Timestamp) -> Option<Stored> {
                (**self).try_load(id, now)
            }

            fn create<'a>(
                &'a self,
                id: &'a SessionId,
                record: &'a Record,
                counting: Counting,
                now: Timestamp,
            ) -> StoreFuture<'a, Created> {
                (**self).create(id, record, counting, now)
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

            fn remove<'a>(
                &'a self,
                id: &'a SessionId,
                listed_under: Option<&'a IndexKey>,
            ) -> StoreFuture<'a, Removed> {
                (**self).remove(id, listed_under)
            }

            fn heads<'a>(
                &'a self,
                key: &'a IndexKey,
                after: Option<&'a Cursor>,
                limit: usize,
                now: Timestamp,
            ) -> StoreFuture<'a, Page> {
                (**self).heads(key, after, limit, now)
            }

            fn end_listed<'a>(
                &'a self,
                key: &'a IndexKey,
                after: Option<&'a Cursor>,
                limit: usize,
                except: Option<&'a SessionId>,
            ) -> StoreFuture<'a, EndedPage> {
                (**self).end_listed(key, after, limit, except)
            }

            fn raise_cutoff<'a>(
                &'a self,
                key: &'a IndexKey,
                cutoff: &'a Cutoff,
                now: Timestamp,
            ) -> StoreFuture<'a, ()> {
                (**self).raise_cutoff(key, cutoff, now)
            }

            fn cutoff<'a>(
                &'a self,
                key: &'a IndexKey,
                now: Timestamp,
            ) -> StoreFuture<'a, Option<Cutoff>> {
                (**self).cutoff(key, now)
            }

            fn endings_hold(&self) -> Option<StoreFuture<'_, ()>> {
                (**self).endings_hold()
            }

            fn changed(&self, id: &SessionId) -> Option<Changed> {
                (**self).changed(id)
            }

            fn live_records<'a>(&'a self, now: Timestamp) -> StoreFuture<'a, Option<u64>> {
                (**self).live_records(now)
            }
        }
    };
}

store_behind_a_pointer!(Arc);
store_behind_a_pointer!(Box);
