//! [`StoreError`]: a store that could not do what it was asked.

use std::{error::Error, fmt};

use crate::{error::with_sources, session::record::RecordError};

/// A store that could not do what it was asked. The request that needed it fails.
///
/// Made by the authors of stores, read by operators: [`kind`](Self::kind) says what to look at,
/// [`source`](Error::source) holds the engine's own error. It never holds a token or a secret.
///
/// # Examples
///
/// A store wraps what its engine reports:
///
/// ```
/// use tower_session_guard::store::{StoreError, StoreErrorKind};
///
/// let engine = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
/// let error = StoreError::unavailable(engine);
/// assert_eq!(error.kind(), StoreErrorKind::Unavailable);
/// ```
pub struct StoreError {
    kind: StoreErrorKind,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// What went wrong in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The engine cannot be reached or refused to answer.
    Unavailable,
    /// The engine did not answer in time: a write may have happened or not.
    Timeout,
    /// The store is full of sessions that may not be removed for this one. Nothing was written.
    Full,
    /// The engine holds something that is not a record of this release.
    Corrupt,
    /// The engine, as it is set up, cannot do what was asked. Nothing was written.
    Unsupported,
}

impl StoreError {
    /// An error of this kind.
    #[must_use]
    pub const fn new(kind: StoreErrorKind) -> Self {
        Self { kind, source: None }
    }

    /// An error of this kind with what caused it.
    #[must_use]
    pub fn with_source(
        kind: StoreErrorKind,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self {
            kind,
            source: Some(source.into()),
        }
    }

    /// The engine cannot be reached or refused to answer, for this reason.
    #[must_use]
    pub fn unavailable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::with_source(StoreErrorKind::Unavailable, source)
    }

    /// What went wrong.
    #[must_use]
    pub const fn kind(&self) -> StoreErrorKind {
        self.kind
    }
}

impl fmt::Debug for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        with_sources(self, f)
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            StoreErrorKind::Unavailable => "the session store cannot be reached",
            StoreErrorKind::Timeout => "the session store did not answer in time",
            StoreErrorKind::Full => "the session store is full",
            StoreErrorKind::Corrupt => "the session store holds a damaged or unknown record",
            StoreErrorKind::Unsupported => "the session store cannot do what was asked",
        })
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl From<RecordError> for StoreError {
    /// Bytes that are not a record are [`Corrupt`](StoreErrorKind::Corrupt).
    fn from(error: RecordError) -> Self {
        Self::with_source(StoreErrorKind::Corrupt, error)
    }
}
