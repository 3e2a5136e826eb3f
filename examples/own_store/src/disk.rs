//! What the other files do with the disk: whole writes, names, and errors.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Write},
    path::Path,
};

use tower_session_guard::store::{StoreError, StoreErrorKind};

/// Once this returns, the file is on the disk, whole; if it does not, the old one is.
///
/// `new` is where the bytes are until they are complete: one writer at a time.
pub(crate) fn write(path: &Path, new: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let mut file = File::create(new).map_err(failure)?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(new, path))
        .map_err(failure)?;
    path.parent().map_or(Ok(()), sync)
}

/// Makes what was created, renamed or deleted in a folder outlast a power cut.
pub(crate) fn sync(folder: &Path) -> Result<(), StoreError> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    // Windows has no such thing.
    if cfg!(unix) {
        synced.map_err(failure)
    } else {
        Ok(())
    }
}

/// False if there was no such file.
pub(crate) fn delete(path: &Path) -> Result<bool, StoreError> {
    Ok(found(fs::remove_file(path))?.is_some())
}

/// The names in a folder, in order; none if there is no such folder.
pub(crate) fn names_in(folder: &Path) -> Result<Vec<String>, StoreError> {
    let mut names = Vec::new();
    for entry in found(fs::read_dir(folder))?.into_iter().flatten() {
        let name = entry.map_err(failure)?.file_name();
        names.extend(name.into_string());
    }
    names.sort_unstable();
    Ok(names)
}

/// `None` where the file or folder is not there.
pub(crate) fn found<T>(answer: io::Result<T>) -> Result<Option<T>, StoreError> {
    match answer {
        Ok(it) => Ok(Some(it)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failure(error)),
    }
}

/// The name of the file for these bytes. In hexadecimal: other texts differ in case alone, which some file systems
/// do not tell apart.
pub(crate) fn name(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes that [`name`] names.
pub(crate) fn named(name: &str) -> Option<[u8; 16]> {
    let number = u128::from_str_radix(name, 16).ok()?;
    let bytes = number.to_be_bytes();
    (self::name(&bytes) == name).then_some(bytes)
}

pub(crate) fn failure(error: io::Error) -> StoreError {
    let kind = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StoreErrorKind::Full,
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => StoreErrorKind::Unsupported,
        _ => StoreErrorKind::Unavailable,
    };
    StoreError::with_source(kind, error)
}
