//! A folder that is deleted at the end of a test.

use std::{
    env, fs,
    path::PathBuf,
    process,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::Duration,
};

use own_store::FileStore;

/// A time limit that no busy machine reaches.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Relaxed);
        let name = format!("own-store-{}-{number}", process::id());
        Self(env::temp_dir().join(name))
    }

    /// A store in the folder.
    pub(crate) fn open(&self) -> FileStore {
        FileStore::open(&self.0).unwrap().with_time_limit(PATIENCE)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
