//! [`KeySourceError`]: why a provider's keys cannot be had. For the log.

use std::{error::Error, fmt};

use super::set::NoKeySet;

/// What went wrong when a provider was asked for its keys; an operator reads it in the log.
pub(super) struct KeySourceError {
    kind: Kind,
    source: Option<Box<dyn Error + Send + Sync>>,
}

#[derive(Clone, Copy)]
enum Kind {
    Fetch,
    Timeout,
    NoKeySet(NoKeySet),
}

impl KeySourceError {
    pub(super) fn fetch(source: Box<dyn Error + Send + Sync>) -> Self {
        Self {
            kind: Kind::Fetch,
            source: Some(source),
        }
    }

    pub(super) const fn timeout() -> Self {
        Self {
            kind: Kind::Timeout,
            source: None,
        }
    }
}

impl From<NoKeySet> for KeySourceError {
    fn from(reason: NoKeySet) -> Self {
        Self {
            kind: Kind::NoKeySet(reason),
            source: None,
        }
    }
}

impl fmt::Display for KeySourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Fetch => f.write_str("the provider's keys could not be fetched")?,
            Kind::Timeout => f.write_str("the provider's keys did not come in time")?,
            Kind::NoKeySet(reason) => reason.fmt(f)?,
        }
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for KeySourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for KeySourceError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
