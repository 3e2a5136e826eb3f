//! [`Change`]: how an update makes the value under a key the next one.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use serde::{Serialize, de::DeserializeOwned};
use smol_str::SmolStr;

use super::{
    data::{DataError, DataKey},
    entries::{Entries, Entry, Keep},
    time::Timestamp,
};

/// A value as the session's data holds it; `None` if there is none.
type Value<'a> = Option<&'a [u8]>;

type Function = dyn Fn(Value<'_>) -> Result<Option<Box<[u8]>>, DataError> + Send + Sync;

/// How the value under a key becomes the next one.
///
/// It runs once when the handler makes it, and again only if the value is another one by then.
#[derive(Clone)]
pub(crate) struct Change {
    name: SmolStr,
    keep: Keep,
    change: Arc<Function>,
    /// The value that it ran on last, and what it made of that.
    last: Option<Run>,
}

#[derive(Clone)]
struct Run {
    before: Option<Box<[u8]>>,
    after: Option<Box<[u8]>>,
}

/// An update that fails on the value that another request has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UpdateFailed;

impl Change {
    pub(crate) fn of<T>(
        key: &DataKey<T>,
        at: Timestamp,
        change: impl Fn(Option<T>) -> Option<T> + Send + Sync + 'static,
    ) -> Self
    where
        T: Serialize + DeserializeOwned + 'static,
    {
        let name = SmolStr::new(key.name());
        let of = name.clone();
        let change = move |before: Value<'_>| {
            let named = |error: DataError| error.under(&of);
            let before = before.map(DataKey::decode).transpose().map_err(named)?;
            let after = change(before).map(|value| DataKey::<T>::encode(&value));
            Ok(after.transpose().map_err(named)?.map(Vec::into_boxed_slice))
        };
        Self {
            name,
            keep: key.keep(at),
            change: Arc::new(change),
            last: None,
        }
    }

    /// The one that removes this value, and fails on any other: somebody else has it then.
    pub(crate) fn taking(name: &str, value: &[u8], keep: Keep) -> Self {
        let taken: Box<[u8]> = value.into();
        let change = move |before: Value<'_>| {
            if before == Some(&*taken) {
                Ok(None)
            } else {
                Err(DataError::contended())
            }
        };
        Self {
            name: SmolStr::new(name),
            keep,
            change: Arc::new(change),
            last: Some(Run {
                before: Some(value.into()),
                after: None,
            }),
        }
    }

    /// The name of the entry that it changes.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Runs it on what these entries hold. It may panic, as the handler that it is a part of.
    pub(crate) fn run(&mut self, entries: &Entries, now: Timestamp) -> Result<(), DataError> {
        let before = entries.get(&self.name, now);
        if !self.ran_on(before) {
            let after = (self.change)(before)?;
            let before = before.map(Into::into);
            self.last = Some(Run { before, after });
        }
        Ok(())
    }

    /// Whether what it made last is what it makes of these entries.
    pub(crate) fn fits(&self, entries: &Entries, now: Timestamp) -> bool {
        self.ran_on(entries.get(&self.name, now))
    }

    fn ran_on(&self, value: Value<'_>) -> bool {
        let last = self.last.as_ref();
        last.is_some_and(|last| last.before.as_deref() == value)
    }

    /// The entries with the next value in place.
    ///
    /// The handler is gone, so a panic is a failure like any other: what else it marked still counts.
    pub(crate) fn apply(&self, entries: &Entries, now: Timestamp) -> Result<Entries, UpdateFailed> {
        let before = entries.get(&self.name, now);
        if let Some(last) = self.last.as_ref().filter(|_| self.ran_on(before)) {
            return Ok(self.put(entries, last.after.as_deref(), now));
        }
        match catch_unwind(AssertUnwindSafe(|| (self.change)(before))) {
            Ok(Ok(after)) => Ok(self.put(entries, after.as_deref(), now)),
            Ok(Err(_)) | Err(_) => Err(UpdateFailed),
        }
    }

    fn put(&self, entries: &Entries, value: Value<'_>, now: Timestamp) -> Entries {
        match value {
            Some(value) => {
                let entry = Entry {
                    name: &self.name,
                    value,
                    keep: self.keep,
                };
                entries.with(entry, now)
            }
            None => entries.without(&self.name, now),
        }
    }
}

/// Of the same closure, not of one that does the same.
impl PartialEq for Change {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
            && self.keep == other.keep
            && Arc::ptr_eq(&self.change, &other.change)
    }
}

impl Eq for Change {}

/// Shows no value.
impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Change")
            .field("name", &self.name)
            .field("keep", &self.keep)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    };

    use super::{Change, UpdateFailed};
    use crate::session::{
        data::{DataErrorKind, DataKey},
        entries::{Entries, Entry, Keep},
        time::Timestamp,
    };

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_800_000_000);

    const COUNT: DataKey<u8> = DataKey::new("count");

    fn holding(value: &[u8]) -> Entries {
        let entry = Entry {
            name: "count",
            value,
            keep: Keep::Subject,
        };
        Entries::default().with(entry, NOW)
    }

    /// An update that counts up, and how often it ran.
    fn counted() -> (Change, Arc<AtomicUsize>) {
        let runs = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&runs);
        let update = Change::of(&COUNT, NOW, move |count| {
            seen.fetch_add(1, SeqCst);
            Some(count.unwrap_or(0) + 1)
        });
        (update, runs)
    }

    /// R11: once where nobody comes between, so that what the handler saw is what is settled.
    #[test]
    fn it_runs_again_only_on_another_value() {
        let (mut update, runs) = counted();
        let entries = holding(b"1");
        update.run(&entries, NOW).unwrap();
        assert_eq!(update.apply(&entries, NOW).unwrap(), holding(b"2"));
        assert_eq!(runs.load(SeqCst), 1);
        // Another key changed meanwhile.
        let other = Entry {
            name: "other",
            value: b"1",
            keep: Keep::Subject,
        };
        let applied = update.apply(&entries.with(other, NOW), NOW).unwrap();
        assert_eq!(applied, holding(b"2").with(other, NOW));
        assert_eq!(runs.load(SeqCst), 1);
        assert_eq!(update.apply(&holding(b"7"), NOW).unwrap(), holding(b"8"));
        assert_eq!(runs.load(SeqCst), 2);
    }

    #[test]
    fn it_removes_what_it_makes_nothing_of() {
        let mut update = Change::of(&COUNT, NOW, |_| None);
        update.run(&holding(b"1"), NOW).unwrap();
        assert!(update.apply(&holding(b"1"), NOW).unwrap().is_empty());
        assert!(update.apply(&holding(b"2"), NOW).unwrap().is_empty());
    }

    #[test]
    fn a_value_that_it_cannot_take_fails_it() {
        let (mut update, runs) = counted();
        let refused = update.run(&holding(b"\"text\""), NOW).unwrap_err();
        assert_eq!(refused.kind(), DataErrorKind::Decode);
        assert!(refused.to_string().contains("\"count\""), "{refused}");
        assert_eq!(update.apply(&holding(b"\"text\""), NOW), Err(UpdateFailed));
        assert_eq!(runs.load(SeqCst), 0);
    }

    /// R10: the handler is gone by then, and its other marks must not be lost with it.
    #[test]
    fn a_panic_on_another_value_is_a_failure() {
        let mut update = Change::of(&COUNT, NOW, |count| {
            // Without the hook, which would print it.
            if count == Some(9) {
                std::panic::resume_unwind(Box::new("asked to"));
            }
            count
        });
        update.run(&holding(b"1"), NOW).unwrap();
        assert_eq!(update.apply(&holding(b"9"), NOW), Err(UpdateFailed));
        assert_eq!(update.apply(&holding(b"1"), NOW).unwrap(), holding(b"1"));
    }

    #[test]
    fn it_equals_its_clones_and_prints_no_value() {
        let (mut update, _) = counted();
        update.run(&holding(b"41"), NOW).unwrap();
        assert_eq!(update, update.clone());
        assert_ne!(update, counted().0);
        let printed = format!("{update:?}");
        assert!(printed.contains("count"), "{printed}");
        assert!(
            !printed.contains("41") && !printed.contains("52"),
            "{printed}"
        );
    }
}
