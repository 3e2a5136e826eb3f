//! The files, and what is done to them. All of this blocks.
//!
//! ```text
//! lock                     held by the one who writes
//! new                      the next file, until it is complete
//! sessions/ID              8 bytes of revision, then the record
//! subjects/HASH/ID         an empty file for each session of a subject
//! ```

use std::{
    fs::{self, DirBuilder, File},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};
use tower_session_guard::{
    Record, SessionId, Subject, Timestamp,
    store::{Created, Removed, Replaced, Revision, StoreError, StoreErrorKind, Stored},
};

#[derive(Debug)]
pub(crate) struct Files {
    root: PathBuf,
}

/// Held by the one process and thread that writes.
struct Writing(#[expect(dead_code, reason = "the lock goes with the file")] File);

impl Files {
    pub(crate) fn open(root: &Path) -> Result<Self, StoreError> {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        for folder in [root.join("sessions"), root.join("subjects")] {
            builder.create(folder).map_err(failure)?;
        }
        Ok(Self {
            root: root.to_owned(),
        })
    }

    /// A reader needs no lock: a file appears whole, by its renaming.
    pub(crate) fn load(
        &self,
        id: &SessionId,
        now: Timestamp,
    ) -> Result<Option<Stored>, StoreError> {
        let stored = self.read(id)?;
        Ok(stored.filter(|stored| !stored.record.is_expired(now)))
    }

    pub(crate) fn create(&self, id: &SessionId, record: &Record) -> Result<Created, StoreError> {
        let writing = self.writing()?;
        if self.session(id).try_exists().map_err(failure)? {
            return Ok(Created::Occupied);
        }
        // The index entry first: a crash in between leaves an entry without a session, which is passed over.
        if let Some(subject) = record.subject() {
            let folder = self.subject(subject);
            fs::create_dir_all(&folder).map_err(failure)?;
            File::create(folder.join(name(id))).map_err(failure)?;
            sync(&folder)?;
            sync(&self.root.join("subjects"))?;
        }
        let revision = Revision::new(1);
        self.write(&writing, id, revision, record)?;
        Ok(Created::Created(revision))
    }

    pub(crate) fn replace(
        &self,
        id: &SessionId,
        expected: Revision,
        record: &Record,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        let writing = self.writing()?;
        let Some(stored) = self.load(id, now)? else {
            return Ok(Replaced::Gone);
        };
        if stored.revision != expected {
            return Ok(Replaced::Conflict);
        }
        if stored.record.subject() != record.subject() {
            let why = "a session keeps its subject for as long as it lives";
            return Err(StoreError::with_source(StoreErrorKind::Unsupported, why));
        }
        let revision = Revision::new(expected.get() + 1);
        self.write(&writing, id, revision, record)?;
        Ok(Replaced::Replaced(revision))
    }

    pub(crate) fn remove(&self, id: &SessionId) -> Result<Removed, StoreError> {
        let writing = self.writing()?;
        // Bytes that are not a record are no reason to keep a session that is to end.
        let record = self.read(id).ok().flatten().map(|stored| stored.record);
        self.delete(&writing, id, record.as_ref().and_then(Record::subject))
    }

    /// What is removed or expires meanwhile may or may not be in the list, and nothing of another subject.
    pub(crate) fn sessions_of(
        &self,
        subject: &Subject,
        now: Timestamp,
    ) -> Result<Vec<(SessionId, Record)>, StoreError> {
        let mut sessions = Vec::new();
        for id in ids_in(&self.subject(subject))? {
            if let Some(stored) = self.load(&id, now)?
                && stored.record.subject() == Some(subject)
            {
                sessions.push((id, stored.record));
            }
        }
        Ok(sessions)
    }

    /// Nothing is created or replaced meanwhile, so the list is whole.
    pub(crate) fn remove_all_of(
        &self,
        subject: &Subject,
        except: Option<&SessionId>,
    ) -> Result<usize, StoreError> {
        let writing = self.writing()?;
        let mut removed = 0;
        for id in ids_in(&self.subject(subject))? {
            if except != Some(&id)
                && let Some(stored) = self.read(&id)?
                && stored.record.subject() == Some(subject)
                && self.delete(&writing, &id, Some(subject))? == Removed::Removed
            {
                removed += 1;
            }
        }
        Ok(removed)
    }

    pub(crate) fn sweep(&self, now: Timestamp) -> Result<usize, StoreError> {
        let writing = self.writing()?;
        let mut swept = 0;
        for id in ids_in(&self.root.join("sessions"))? {
            if let Some(stored) = self.read(&id)?
                && stored.record.is_expired(now)
                && self.delete(&writing, &id, stored.record.subject())? == Removed::Removed
            {
                swept += 1;
            }
        }
        Ok(swept)
    }

    /// Waits until no other process or thread writes. The operating system unlocks what a killed one held.
    fn writing(&self) -> Result<Writing, StoreError> {
        let lock = File::create(self.root.join("lock")).map_err(failure)?;
        lock.lock().map_err(failure)?;
        Ok(Writing(lock))
    }

    fn read(&self, id: &SessionId) -> Result<Option<Stored>, StoreError> {
        let bytes = match fs::read(self.session(id)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failure(error)),
        };
        let Some((revision, record)) = bytes.split_first_chunk() else {
            return Err(StoreError::new(StoreErrorKind::Corrupt));
        };
        let revision = Revision::new(u64::from_be_bytes(*revision));
        Ok(Some(Stored::new(Record::decode(record)?, revision)))
    }

    /// Once this returns, the file is on the disk, whole; if it does not, the old one is.
    fn write(
        &self,
        _: &Writing,
        id: &SessionId,
        revision: Revision,
        record: &Record,
    ) -> Result<(), StoreError> {
        let new = self.root.join("new");
        let mut file = File::create(&new).map_err(failure)?;
        file.write_all(&revision.get().to_be_bytes())
            .and_then(|()| file.write_all(&record.encode()))
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::rename(&new, self.session(id)))
            .map_err(failure)?;
        sync(&self.root.join("sessions"))
    }

    /// The session first: whatever happens to its index entry then, it is dead.
    fn delete(
        &self,
        _: &Writing,
        id: &SessionId,
        subject: Option<&Subject>,
    ) -> Result<Removed, StoreError> {
        match fs::remove_file(self.session(id)) {
            Ok(()) => sync(&self.root.join("sessions"))?,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Removed::Absent),
            Err(error) => return Err(failure(error)),
        }
        if let Some(folder) = subject.map(|subject| self.subject(subject)) {
            let _passed_over_if_left = fs::remove_file(folder.join(name(id)));
            let _stays_unless_empty = fs::remove_dir(folder);
        }
        Ok(Removed::Removed)
    }

    fn session(&self, id: &SessionId) -> PathBuf {
        self.root.join("sessions").join(name(id))
    }

    /// By the digest: a subject is any text, and a file's name is not.
    fn subject(&self, subject: &Subject) -> PathBuf {
        let digest = Sha256::digest(subject.as_str().as_bytes());
        self.root.join("subjects").join(hex(&digest))
    }
}

/// The ids that name the files of a folder; none if there is no such folder.
fn ids_in(folder: &Path) -> Result<Vec<SessionId>, StoreError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failure(error)),
    };
    let mut ids = Vec::new();
    for entry in entries {
        let name = entry.map_err(failure)?.file_name();
        ids.extend(name.to_str().and_then(id_of));
    }
    Ok(ids)
}

/// In hexadecimal: the text form of an id differs in case alone, and some file systems do not.
fn name(id: &SessionId) -> String {
    hex(id.as_bytes())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn id_of(name: &str) -> Option<SessionId> {
    let number = u128::from_str_radix(name, 16).ok()?;
    let id = SessionId::from_bytes(number.to_be_bytes());
    (self::name(&id) == name).then_some(id)
}

/// Makes what was created, renamed or deleted in a folder outlast a power cut.
fn sync(folder: &Path) -> Result<(), StoreError> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    // Windows has no such thing.
    if cfg!(unix) {
        synced.map_err(failure)
    } else {
        Ok(())
    }
}

fn failure(error: io::Error) -> StoreError {
    let kind = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StoreErrorKind::Full,
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => StoreErrorKind::Unsupported,
        _ => StoreErrorKind::Unavailable,
    };
    StoreError::with_source(kind, error)
}
