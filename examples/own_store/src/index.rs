//! [`Index`]: which sessions are listed under a key, and how many of them count.

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
};

use tower_session_guard::{
    SessionId,
    store::{Counting, Cursor, StoreError, StoreErrorKind},
};

use crate::{
    disk::{delete, failure, found, name, named, names_in, sync},
    session_file::KeyDigest,
};

/// ```text
/// index/KEY/XX/ID   an empty file for each session under a key, in a folder for each first byte of an id
/// counts/KEY        as many bytes as sessions under the key count
/// ```
///
/// The folders between keep a page short: it reads a 256th of what is listed, or as much as it answers.
#[derive(Debug)]
pub(crate) struct Index {
    entries: PathBuf,
    counts: PathBuf,
}

impl Index {
    pub(crate) fn new(root: &Path) -> Self {
        Self {
            entries: root.join("index"),
            counts: root.join("counts"),
        }
    }

    pub(crate) fn folders(&self) -> [&Path; 2] {
        [&self.entries, &self.counts]
    }

    /// Lists a session under a key, and says how many count by then.
    ///
    /// A crash before the session is written leaves the count one too high, until nothing is listed under the key.
    /// That is allowed: it may be too high, and never too low.
    pub(crate) fn add(
        &self,
        key: &KeyDigest,
        id: &SessionId,
        counting: Counting,
    ) -> Result<usize, StoreError> {
        let (folder, bucket) = (self.folder(key), self.bucket(key, id));
        fs::create_dir_all(&bucket).map_err(failure)?;
        File::create(bucket.join(name(id.as_bytes()))).map_err(failure)?;
        for changed in [&bucket, &folder, &self.entries] {
            sync(changed)?;
        }
        let count = self.counts.join(name(key));
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(count)
            .map_err(failure)?;
        if counting == Counting::Counted {
            file.write_all(&[1])
                .and_then(|()| file.sync_all())
                .map_err(failure)?;
            sync(&self.counts)?;
        }
        let len = file.metadata().map_err(failure)?.len();
        Ok(usize::try_from(len).unwrap_or(usize::MAX))
    }

    /// Takes a session off a key's list, if it is there.
    pub(crate) fn remove(
        &self,
        key: &KeyDigest,
        id: &SessionId,
        counting: Counting,
    ) -> Result<(), StoreError> {
        let bucket = self.bucket(key, id);
        if !delete(&bucket.join(name(id.as_bytes())))? {
            return Ok(());
        }
        let _stays_unless_empty = fs::remove_dir(bucket);
        let count = self.counts.join(name(key));
        if fs::remove_dir(self.folder(key)).is_ok() {
            delete(&count)?;
        } else if counting == Counting::Counted
            && let Some(count) = found(OpenOptions::new().write(true).open(count))?
        {
            let len = count.metadata().map_err(failure)?.len();
            count.set_len(len.saturating_sub(1)).map_err(failure)?;
        }
        Ok(())
    }

    pub(crate) fn lists(&self, key: &KeyDigest, id: &SessionId) -> Result<bool, StoreError> {
        let entry = self.bucket(key, id).join(name(id.as_bytes()));
        entry.try_exists().map_err(failure)
    }

    /// At most `limit` of the ids under a key that come after a page's end, in order, and where the next page
    /// begins.
    ///
    /// It needs no lock: an entry that is there from the first page to the last has its place in the order.
    pub(crate) fn page(
        &self,
        key: &KeyDigest,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<(Vec<SessionId>, Option<Cursor>), StoreError> {
        let after = after.map(place).transpose()?;
        let first = after.map_or(String::new(), |id| name(&id.as_bytes()[..1]));
        let (mut page, folder) = (Vec::new(), self.folder(key));
        for bucket in names_in(&folder)?.iter().filter(|name| **name >= first) {
            let names = names_in(&folder.join(bucket))?;
            let ids = names.iter().filter_map(|name| named(name));
            for id in ids.map(SessionId::from_bytes) {
                if after.is_some_and(|after| id <= after) {
                    continue;
                }
                page.push(id);
                if page.len() >= limit {
                    return Ok((page, Some(Cursor::new(*id.as_bytes()))));
                }
            }
        }
        Ok((page, None))
    }

    fn folder(&self, key: &KeyDigest) -> PathBuf {
        self.entries.join(name(key))
    }

    fn bucket(&self, key: &KeyDigest, id: &SessionId) -> PathBuf {
        self.folder(key).join(name(&id.as_bytes()[..1]))
    }
}

/// A cursor is the last id of its page.
fn place(cursor: &Cursor) -> Result<SessionId, StoreError> {
    let bytes = cursor.as_bytes().try_into();
    let refused = |_| StoreError::with_source(StoreErrorKind::Unsupported, "a foreign cursor");
    bytes.map(SessionId::from_bytes).map_err(refused)
}
