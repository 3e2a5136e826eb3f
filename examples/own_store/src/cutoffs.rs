//! [`Cutoffs`]: until when everything of an owner or a tag has ended.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tower_session_guard::{
    Timestamp,
    store::{Cutoff, IndexKey, StoreError, StoreErrorKind},
};

use crate::disk::{delete, found, name, names_in, write};

/// ```text
/// cutoffs/KEY       the 32 bytes of a cut-off
/// ```
#[derive(Debug)]
pub(crate) struct Cutoffs {
    folder: PathBuf,
}

impl Cutoffs {
    pub(crate) fn new(root: &Path) -> Self {
        Self {
            folder: root.join("cutoffs"),
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn of(&self, key: &IndexKey, now: Timestamp) -> Result<Option<Cutoff>, StoreError> {
        let cutoff = read(&self.path(key))?;
        Ok(cutoff.filter(|cutoff| !is_over(cutoff, now)))
    }

    /// The caller holds the lock, so of two at the same time none is lost.
    pub(crate) fn raise(
        &self,
        key: &IndexKey,
        cutoff: &Cutoff,
        new: &Path,
    ) -> Result<(), StoreError> {
        let path = self.path(key);
        let raised = match read(&path)? {
            Some(held) => held.raised_by(cutoff),
            None => *cutoff,
        };
        write(&path, new, &raised.to_bytes())
    }

    /// Deletes up to `limit` cut-offs whose time is over, and says how many.
    pub(crate) fn sweep(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let mut swept = 0;
        for name in names_in(&self.folder)? {
            if swept == limit {
                break;
            }
            let path = self.folder.join(name);
            if read(&path)?.is_some_and(|cutoff| is_over(&cutoff, now)) {
                delete(&path)?;
                swept += 1;
            }
        }
        Ok(swept)
    }

    fn path(&self, key: &IndexKey) -> PathBuf {
        self.folder.join(name(&key.digest()))
    }
}

/// Damaged bytes are an error: a login that cannot read its cut-off must not go on.
fn read(path: &Path) -> Result<Option<Cutoff>, StoreError> {
    let Some(bytes) = found(fs::read(path))? else {
        return Ok(None);
    };
    let cutoff = Cutoff::from_bytes(&bytes);
    let cutoff = cutoff.ok_or(StoreError::new(StoreErrorKind::Corrupt))?;
    Ok(Some(cutoff))
}

fn is_over(cutoff: &Cutoff, now: Timestamp) -> bool {
    now >= cutoff.until.after(Cutoff::SLACK)
}
