//! Pages: how an index is read and emptied, a bounded piece at a time.

use crate::session::{head::RecordHead, id::SessionId, record::RecordError};

/// Where a page of an index ended, as its store remembers it.
///
/// Opaque to everybody else, and good only for the key and the store that it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(Box<[u8]>);

impl Cursor {
    /// The cursor with these bytes.
    #[must_use]
    pub fn new(bytes: impl Into<Box<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes that the store chose.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Some of the sessions under a key.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Page {
    /// The live sessions of this page, in no particular order; perhaps none.
    pub heads: Vec<ListedHead>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<Cursor>,
}

impl Page {
    /// A page of these sessions.
    #[must_use]
    pub const fn new(heads: Vec<ListedHead>, next: Option<Cursor>) -> Self {
        Self { heads, next }
    }
}

/// One session in a page.
#[derive(Debug)]
#[non_exhaustive]
pub struct ListedHead {
    /// The session's id.
    pub id: SessionId,
    /// Whether its creation asked to be counted.
    pub counted: bool,
    /// What the record says apart from its data, or why this release cannot read it.
    pub head: Result<RecordHead, RecordError>,
}

impl ListedHead {
    /// A session that is listed.
    #[must_use]
    pub const fn new(id: SessionId, counted: bool, head: Result<RecordHead, RecordError>) -> Self {
        Self { id, counted, head }
    }
}

/// What became of some of the sessions under a key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "sessions after `next` may be alive"]
#[non_exhaustive]
pub struct EndedPage {
    /// How many records this call removed.
    pub ended: usize,
    /// Where the next page begins; `None` after the last.
    pub next: Option<Cursor>,
}

impl EndedPage {
    /// A page of which so many records were removed.
    pub const fn new(ended: usize, next: Option<Cursor>) -> Self {
        Self { ended, next }
    }
}

/// Whether a session counts towards the limit of its owner's sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counting {
    /// It counts.
    Counted,
    /// It is listed and ended like any other, and does not count.
    LeftOut,
}
