//! What the operations of a store answer.

use crate::session::record::Record;

/// Which version of a record this is: a write replaces only the one that its writer has read.
///
/// Every write of a record gives it another one. What the number is, is the store's own affair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Revision(u64);

impl Revision {
    /// The revision with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The revision's number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// A record and the revision that it was read at.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stored {
    /// The record.
    pub record: Record,
    /// Its revision.
    pub revision: Revision,
}

impl Stored {
    /// What a store found.
    #[must_use]
    pub const fn new(record: Record, revision: Revision) -> Self {
        Self { record, revision }
    }
}

/// What became of a [`create`](super::SessionStore::create).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a session that was not created must not be handed out"]
#[non_exhaustive]
pub enum Created {
    /// The record is there.
    Created {
        /// The revision that it is at.
        revision: Revision,
        /// How many sessions of the record's first owner count, this one included if it does; 0 for a guest's.
        ///
        /// It may count sessions that are gone, and never misses one.
        sessions: usize,
    },
    /// Another record has the id; it was left as it is.
    Occupied,
}

/// What became of a [`replace`](super::SessionStore::replace).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a token whose record was not written must not be handed out"]
#[non_exhaustive]
pub enum Replaced {
    /// The new record is there, at this revision.
    Replaced(Revision),
    /// Somebody else wrote since that revision was read; their record was left as it is.
    Conflict,
    /// There is no live record under the id; nothing was written.
    Gone,
}

/// What became of a [`remove`](super::SessionStore::remove). Either way nothing is left that was to be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "who removed a session may matter"]
#[non_exhaustive]
pub enum Removed {
    /// This call removed the record. Of calls at the same time, one is told so.
    Removed,
    /// There was none. An expired record may be answered so too.
    Absent,
}
