//! [`Files`]: the folder, and what is done in it. All of this blocks.
//!
//! ```text
//! lock              held by the one who writes
//! new               the next file, until it is complete
//! sessions/ID       a session
//! index/, counts/   which sessions are listed under a key
//! cutoffs/          when everything under a key ended
//! ```

use std::{
    fs::{DirBuilder, File},
    path::{Path, PathBuf},
};

use tower_session_guard::{
    Record, SessionId, Timestamp,
    store::{
        Counting, Created, Cursor, Cutoff, EndedPage, IndexKey, ListedHead, Page, RecordHead,
        Removed, Replaced, Revision, StoreError, StoreErrorKind, Stored,
    },
};

use crate::{
    cutoffs::Cutoffs,
    disk::{self, failure, found, name, named, names_in, sync},
    index::Index,
    session_file::{SessionFile, keys_of},
};

#[derive(Debug)]
pub(crate) struct Files {
    root: PathBuf,
    sessions: PathBuf,
    index: Index,
    cutoffs: Cutoffs,
}

/// Held by the one process and thread that writes.
struct Writing(#[expect(dead_code, reason = "the lock goes with the file")] File);

/// What is in a session's file: nothing that was written here, if it is damaged.
type Held = Option<SessionFile>;

impl Files {
    pub(crate) fn open(root: &Path) -> Result<Self, StoreError> {
        let files = Self {
            root: root.to_owned(),
            sessions: root.join("sessions"),
            index: Index::new(root),
            cutoffs: Cutoffs::new(root),
        };
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        let [entries, counts] = files.index.folders();
        for folder in [&files.sessions, entries, counts, files.cutoffs.folder()] {
            builder.create(folder).map_err(failure)?;
        }
        Ok(files)
    }

    /// A reader needs no lock: a file appears whole, by its renaming.
    pub(crate) fn load(
        &self,
        id: &SessionId,
        now: Timestamp,
    ) -> Result<Option<Stored>, StoreError> {
        let Some(held) = found(SessionFile::read(&self.session(id)))? else {
            return Ok(None);
        };
        let file = held.ok_or(StoreError::new(StoreErrorKind::Corrupt))?;
        let record = Record::decode(&file.record)?;
        Ok((!record.is_expired(now)).then(|| Stored::new(record, file.revision)))
    }

    pub(crate) fn create(
        &self,
        id: &SessionId,
        record: &Record,
        counting: Counting,
    ) -> Result<Created, StoreError> {
        let writing = self.writing()?;
        if self.session(id).try_exists().map_err(failure)? {
            return Ok(Created::Occupied);
        }
        let file = SessionFile::new(Revision::new(1), counting, record);
        // The index entries first: a crash in between leaves entries without a session, which are passed over.
        let mut sessions = None;
        for key in &file.keys {
            let count = self.index.add(key, id, counting)?;
            // The owner's key is the first.
            sessions.get_or_insert(count);
        }
        self.write(&writing, id, &file)?;
        Ok(Created::Created {
            revision: file.revision,
            sessions: sessions.unwrap_or(0),
        })
    }

    pub(crate) fn replace(
        &self,
        id: &SessionId,
        expected: Revision,
        record: &Record,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        let writing = self.writing()?;
        let Some(held) = found(SessionFile::read_head(&self.session(id)))? else {
            return Ok(Replaced::Gone);
        };
        let held = held.ok_or(StoreError::new(StoreErrorKind::Corrupt))?;
        if RecordHead::decode(&held.record)?.expires_at() <= now {
            return Ok(Replaced::Gone);
        }
        if held.revision != expected {
            return Ok(Replaced::Conflict);
        }
        if held.keys != keys_of(record) {
            let why = "a session keeps its owners and tags for as long as it lives";
            return Err(StoreError::with_source(StoreErrorKind::Unsupported, why));
        }
        let revision = Revision::new(expected.get() + 1);
        let file = SessionFile::new(revision, held.counting, record);
        self.write(&writing, id, &file)?;
        Ok(Replaced::Replaced(revision))
    }

    pub(crate) fn remove(
        &self,
        id: &SessionId,
        listed_under: Option<&IndexKey>,
    ) -> Result<Removed, StoreError> {
        let writing = self.writing()?;
        let held = self.read_head(id)?.filter(|held| match listed_under {
            Some(key) => self.is_listed(id, held, key),
            None => true,
        });
        let removed = self.delete(&writing, held.map(|held| (*id, held)))?;
        Ok(if removed > 0 {
            Removed::Removed
        } else {
            Removed::Absent
        })
    }

    pub(crate) fn heads(
        &self,
        key: &IndexKey,
        after: Option<&Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page, StoreError> {
        let (ids, next) = self.index.page(&key.digest(), after, limit)?;
        let mut heads = Vec::new();
        for id in ids {
            let held = self.read_head(&id)?;
            // An entry may have outlived its session.
            let Some(held) = held.filter(|held| self.is_listed(&id, held, key)) else {
                continue;
            };
            // A damaged file is listed too, so that its session can be ended.
            let record = held.as_ref().map_or(&[][..], |file| &file.record);
            let head = RecordHead::decode(record);
            let is_over = |head: &RecordHead| head.expires_at() <= now;
            if !head.as_ref().is_ok_and(is_over) {
                heads.push(ListedHead::new(
                    id,
                    counting(&held) == Counting::Counted,
                    head,
                ));
            }
        }
        Ok(Page::new(heads, next))
    }

    pub(crate) fn end_listed(
        &self,
        key: &IndexKey,
        after: Option<&Cursor>,
        limit: usize,
        except: Option<&SessionId>,
    ) -> Result<EndedPage, StoreError> {
        let writing = self.writing()?;
        let (ids, next) = self.index.page(&key.digest(), after, limit)?;
        let mut listed = Vec::new();
        for id in ids.into_iter().filter(|id| Some(id) != except) {
            match self.read_head(&id)? {
                Some(held) if self.is_listed(&id, &held, key) => listed.push((id, held)),
                // Nothing is being created meanwhile, so this entry has outlived its session.
                _ => self.index.remove(&key.digest(), &id, Counting::LeftOut)?,
            }
        }
        Ok(EndedPage::new(self.delete(&writing, listed)?, next))
    }

    pub(crate) fn raise_cutoff(&self, key: &IndexKey, cutoff: &Cutoff) -> Result<(), StoreError> {
        let _writing = self.writing()?;
        self.cutoffs.raise(key, cutoff, &self.root.join("new"))
    }

    pub(crate) fn cutoff(
        &self,
        key: &IndexKey,
        now: Timestamp,
    ) -> Result<Option<Cutoff>, StoreError> {
        self.cutoffs.of(key, now)
    }

    /// Deletes up to `limit` sessions and cut-offs that are over.
    pub(crate) fn sweep(&self, now: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let ids: Vec<_> = names_in(&self.sessions)?;
        let mut left = limit as usize;
        // Others may write between two of these.
        for some in ids.chunks(64) {
            let writing = self.writing()?;
            let mut expired = Vec::new();
            for id in some
                .iter()
                .filter_map(|name| named(name))
                .map(SessionId::from_bytes)
            {
                let held = self.read_head(&id)?;
                let record = held.as_ref().and_then(|held| held.as_ref());
                let head = record.and_then(|file| RecordHead::decode(&file.record).ok());
                if head.is_some_and(|head| head.expires_at() <= now) {
                    expired.extend(held.map(|held| (id, held)));
                }
            }
            expired.truncate(left);
            left -= self.delete(&writing, expired)?;
            if left == 0 {
                return Ok(limit.into());
            }
        }
        let _writing = self.writing()?;
        left -= self.cutoffs.sweep(now, left)?;
        Ok(u64::from(limit) - left as u64)
    }

    /// Waits until no other process or thread writes. The operating system unlocks what a killed one held.
    fn writing(&self) -> Result<Writing, StoreError> {
        let lock = File::create(self.root.join("lock")).map_err(failure)?;
        lock.lock().map_err(failure)?;
        Ok(Writing(lock))
    }

    fn read_head(&self, id: &SessionId) -> Result<Option<Held>, StoreError> {
        found(SessionFile::read_head(&self.session(id)))
    }

    /// Of a damaged file only its index entry tells.
    fn is_listed(&self, id: &SessionId, held: &Held, key: &IndexKey) -> bool {
        match held {
            Some(file) => file.keys.contains(&key.digest()),
            None => self.index.lists(&key.digest(), id).unwrap_or(false),
        }
    }

    fn write(&self, _: &Writing, id: &SessionId, file: &SessionFile) -> Result<(), StoreError> {
        disk::write(&self.session(id), &self.root.join("new"), &file.encode())
    }

    /// The sessions first: whatever happens to their index entries then, they are dead.
    fn delete(
        &self,
        _: &Writing,
        sessions: impl IntoIterator<Item = (SessionId, Held)>,
    ) -> Result<usize, StoreError> {
        let mut deleted = Vec::new();
        for (id, held) in sessions {
            if disk::delete(&self.session(&id))? {
                deleted.push((id, held));
            }
        }
        if !deleted.is_empty() {
            sync(&self.sessions)?;
        }
        for (id, held) in &deleted {
            for key in held.iter().flat_map(|file| &file.keys) {
                self.index.remove(key, id, counting(held))?;
            }
        }
        Ok(deleted.len())
    }

    fn session(&self, id: &SessionId) -> PathBuf {
        self.sessions.join(name(id.as_bytes()))
    }
}

/// A damaged session counts: too many are allowed, too few are not.
fn counting(held: &Held) -> Counting {
    held.as_ref()
        .map_or(Counting::Counted, |file| file.counting)
}
