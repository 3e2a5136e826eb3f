//! [`SessionFile`]: what is in the file of one session.
//!
//! ```text
//! 8 bytes       the revision
//! 1 byte        1 if the session counts towards its owner's limit, else 0
//! 1 byte        the number of keys that it is listed under
//! 16 bytes      for each key, its digest
//! the rest      the record
//! ```
//!
//! The keys stand outside the record, so that a session can be ended whose record a later release wrote.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use tower_session_guard::{
    Record,
    store::{Counting, IndexKey, Revision},
};

/// Half a SHA-256 digest of a key: a key is up to 500 bytes long, and a file's name is not.
pub(crate) type KeyDigest = [u8; 16];

#[derive(Clone, Debug)]
pub(crate) struct SessionFile {
    pub(crate) revision: Revision,
    pub(crate) counting: Counting,
    pub(crate) keys: Vec<KeyDigest>,
    pub(crate) record: Vec<u8>,
}

impl SessionFile {
    /// The longest part before the record: it has two owners and eight tags at most.
    const MAX_HEAD_LEN: usize = 8 + 1 + 1 + 10 * size_of::<KeyDigest>();

    pub(crate) fn new(revision: Revision, counting: Counting, record: &Record) -> Self {
        Self {
            revision,
            counting,
            keys: keys_of(record),
            record: record.encode(),
        }
    }

    /// Reads the file whole. `Ok(None)` means that these bytes were not written here.
    pub(crate) fn read(path: &Path) -> io::Result<Option<Self>> {
        Ok(Self::decode(&std::fs::read(path)?))
    }

    /// Reads no more than the record's head needs: a list does not load what sessions hold.
    pub(crate) fn read_head(path: &Path) -> io::Result<Option<Self>> {
        let len = Self::MAX_HEAD_LEN + Record::MAX_HEAD_LEN;
        let mut bytes = Vec::with_capacity(len);
        File::open(path)?.take(len as u64).read_to_end(&mut bytes)?;
        Ok(Self::decode(&bytes))
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = self.revision.get().to_be_bytes().to_vec();
        bytes.push(u8::from(self.counting == Counting::Counted));
        bytes.push(self.keys.len() as u8);
        bytes.extend(self.keys.as_flattened());
        bytes.extend(&self.record);
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (revision, rest) = bytes.split_first_chunk()?;
        let ([counting, keys], rest) = rest.split_first_chunk()?;
        let (keys, record) = rest.split_at_checked(usize::from(*keys) * size_of::<KeyDigest>())?;
        let (keys, _) = keys.as_chunks();
        Some(Self {
            revision: Revision::new(u64::from_be_bytes(*revision)),
            counting: match counting {
                0 => Counting::LeftOut,
                _ => Counting::Counted,
            },
            keys: keys.to_vec(),
            record: record.to_vec(),
        })
    }
}

/// The digests of all keys that a record is listed under, its owner's first.
pub(crate) fn keys_of(record: &Record) -> Vec<KeyDigest> {
    let keys = record.index_keys();
    keys.iter().map(IndexKey::digest).collect()
}
