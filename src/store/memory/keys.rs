//! [`Keys`]: what a record is listed under.

use std::slice;

use super::index::KeyDigest;
use crate::session::record::Record;

/// The digests of the keys that a record is listed under. The one key that most sessions have is held in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Keys {
    One(KeyDigest),
    Others(Box<[KeyDigest]>),
}

impl Keys {
    pub(super) fn of(record: &Record) -> Self {
        let mut keys = record.fields.index_keys().map(|key| key.digest());
        match (keys.next(), keys.next()) {
            (Some(key), None) => Self::One(key),
            (first, second) => Self::Others(first.into_iter().chain(second).chain(keys).collect()),
        }
    }

    pub(super) const fn as_slice(&self) -> &[KeyDigest] {
        match self {
            Self::One(key) => slice::from_ref(key),
            Self::Others(keys) => keys,
        }
    }

    pub(super) fn contains(&self, key: &KeyDigest) -> bool {
        self.as_slice().contains(key)
    }
}
