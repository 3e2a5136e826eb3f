//! [`Turns`]: writes to one file, one after the other.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock, Mutex, PoisonError, Weak},
};

use tokio::sync::{Mutex as Queue, MutexGuard};

static OF_FILES: LazyLock<Mutex<HashMap<PathBuf, Weak<Queue<()>>>>> = LazyLock::new(Mutex::default);

/// A queue of writers, in the order in which they came.
///
/// SQLite has one place for a writer, and its own wait for that place knows no order, so that one of many may wait
/// beyond every limit.
#[derive(Clone, Debug, Default)]
pub(super) struct Turns(Arc<Queue<()>>);

impl Turns {
    /// The queue that all stores of this process share that opened this file.
    pub(super) fn of_file(path: &Path) -> Self {
        // Links lead to the same file.
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let mut files = OF_FILES.lock().unwrap_or_else(PoisonError::into_inner);
        files.retain(|_, queue| queue.strong_count() > 0);
        let queue = files.get(&path).and_then(Weak::upgrade).unwrap_or_default();
        files.insert(path, Arc::downgrade(&queue));
        Self(queue)
    }

    pub(super) async fn next(&self) -> MutexGuard<'_, ()> {
        self.0.lock().await
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use test_support::scratch::Scratch;

    use super::{OF_FILES, Turns};

    #[tokio::test]
    async fn stores_on_one_file_share_its_queue() {
        let scratch = Scratch::new("sqlite");
        let paths = ["a", "b"].map(|name| scratch.path().join(name));
        for path in &paths {
            fs::write(path, "").unwrap();
        }
        let (one, other) = (Turns::of_file(&paths[0]), Turns::of_file(&paths[1]));
        let link = scratch.path().join(".").join("a");
        let again = Turns::of_file(&link);
        let _turn = one.next().await;
        assert!(again.0.try_lock().is_err());
        assert!(other.0.try_lock().is_ok());
        let known = paths[0].canonicalize().unwrap();
        assert!(OF_FILES.lock().unwrap().contains_key(&known));
    }
}
