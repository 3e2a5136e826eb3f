//! [`FaultyStore`]: a store that counts its calls and fails on demand.

use std::{
    error::Error,
    fmt,
    str::FromStr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use crate::{
    session::{
        authentication::Subject,
        id::{Claim, SessionId},
        record::Record,
        time::Timestamp,
    },
    store::{
        Created, Removed, Replaced, Revision, SessionStore, StoreError, StoreErrorKind,
        StoreFuture, Stored,
    },
};

/// A store around another one that counts the calls and fails as many as it is told to.
///
/// A clone is another handle to the same counts and faults. [`live_records`](SessionStore::live_records)
/// is neither counted nor failed.
///
/// # Examples
///
/// The second write from now fails, as if the store were down:
///
/// ```
/// use tower_session_guard::{MemoryStore, testing::FaultyStore};
///
/// let store = FaultyStore::new(MemoryStore::new());
/// store.fail("write".parse()?, 1, 1);
/// assert_eq!(store.calls("load".parse()?), 0);
/// # Ok::<(), tower_session_guard::testing::UnknownOperation>(())
/// ```
#[derive(Clone, Debug)]
pub struct FaultyStore<S> {
    inner: S,
    shared: Arc<Shared>,
}

/// Which calls are meant: those of one operation, or all that change something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreOperation {
    /// [`SessionStore::load`].
    Load,
    /// [`SessionStore::create`].
    Create,
    /// [`SessionStore::replace`].
    Replace,
    /// [`SessionStore::remove`].
    Remove,
    /// [`SessionStore::sessions_of`].
    SessionsOf,
    /// [`SessionStore::remove_all_of`].
    RemoveAllOf,
    /// Any of create, replace, remove and `remove_all_of`.
    Write,
}

#[derive(Debug, Default)]
struct Shared {
    calls: [AtomicU64; StoreOperation::EACH.len()],
    faults: Mutex<Vec<Fault>>,
}

#[derive(Clone, Copy, Debug)]
struct Fault {
    of: StoreOperation,
    times: u64,
    after: u64,
    once_written: bool,
}

// ===== impl FaultyStore =====

impl<S> FaultyStore<S> {
    /// Wraps a store; nothing fails yet.
    pub fn new(inner: S) -> Self {
        Self {
            inner,
            shared: Arc::default(),
        }
    }

    /// How many calls there were since the store was wrapped, failed ones included.
    #[must_use]
    pub fn calls(&self, operation: StoreOperation) -> u64 {
        let each = StoreOperation::EACH.iter().zip(&self.shared.calls);
        let matching = each.filter(|(each, _)| operation.includes(**each));
        matching.map(|(_, calls)| calls.load(Relaxed)).sum()
    }

    /// After `after` more calls of `operation`, fails the next `times` before anything is written.
    ///
    /// The error's kind is [`StoreErrorKind::Unavailable`]. It takes the place of what was asked for this
    /// operation before; with `times` 0 nothing of it fails any longer.
    pub fn fail(&self, operation: StoreOperation, times: u64, after: u64) {
        self.plan(operation, times, after, false);
    }

    /// The same, but what was asked is done first and only its answer is lost.
    ///
    /// The error's kind is [`StoreErrorKind::Timeout`].
    pub fn fail_once_written(&self, operation: StoreOperation, times: u64, after: u64) {
        self.plan(operation, times, after, true);
    }

    fn plan(&self, of: StoreOperation, times: u64, after: u64, once_written: bool) {
        let mut faults = self.shared.faults();
        faults.retain(|fault| fault.of != of);
        if times > 0 {
            faults.push(Fault {
                of,
                times,
                after,
                once_written,
            });
        }
    }

    async fn call<T>(
        &self,
        operation: StoreOperation,
        call: StoreFuture<'_, T>,
    ) -> Result<T, StoreError> {
        match self.shared.note(operation) {
            None => call.await,
            Some(fault) if fault.once_written => {
                let _lost = call.await?;
                Err(StoreError::with_source(
                    StoreErrorKind::Timeout,
                    "the answer was lost on purpose",
                ))
            }
            Some(_) => Err(StoreError::unavailable("the store fails on purpose")),
        }
    }
}

impl Shared {
    /// Counts a call, and says whether it is to fail.
    fn note(&self, operation: StoreOperation) -> Option<Fault> {
        let each = StoreOperation::EACH.iter().zip(&self.calls);
        for (_, calls) in each.filter(|(each, _)| **each == operation) {
            calls.fetch_add(1, Relaxed);
        }
        let mut due = None;
        for fault in self.faults().iter_mut() {
            if !fault.of.includes(operation) {
                continue;
            }
            if fault.after > 0 {
                fault.after -= 1;
            } else if fault.times > 0 {
                fault.times -= 1;
                due = due.or(Some(*fault));
            }
        }
        due
    }

    fn faults(&self) -> MutexGuard<'_, Vec<Fault>> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> SessionStore for FaultyStore<S>
where
    S: SessionStore,
{
    fn load<'a>(&'a self, claim: &'a Claim, now: Timestamp) -> StoreFuture<'a, Option<Stored>> {
        Box::pin(self.call(StoreOperation::Load, self.inner.load(claim, now)))
    }

    fn create<'a>(
        &'a self,
        id: &'a SessionId,
        record: &'a Record,
        now: Timestamp,
    ) -> StoreFuture<'a, Created> {
        Box::pin(self.call(StoreOperation::Create, self.inner.create(id, record, now)))
    }

    fn replace<'a>(
        &'a self,
        id: &'a SessionId,
        revision: Revision,
        record: &'a Record,
        now: Timestamp,
    ) -> StoreFuture<'a, Replaced> {
        let call = self.inner.replace(id, revision, record, now);
        Box::pin(self.call(StoreOperation::Replace, call))
    }

    fn remove<'a>(&'a self, id: &'a SessionId) -> StoreFuture<'a, Removed> {
        Box::pin(self.call(StoreOperation::Remove, self.inner.remove(id)))
    }

    fn sessions_of<'a>(
        &'a self,
        subject: &'a Subject,
        now: Timestamp,
    ) -> StoreFuture<'a, Vec<(SessionId, Record)>> {
        let call = self.inner.sessions_of(subject, now);
        Box::pin(self.call(StoreOperation::SessionsOf, call))
    }

    fn remove_all_of<'a>(
        &'a self,
        subject: &'a Subject,
        except: Option<&'a SessionId>,
    ) -> StoreFuture<'a, usize> {
        let call = self.inner.remove_all_of(subject, except);
        Box::pin(self.call(StoreOperation::RemoveAllOf, call))
    }

    fn live_records<'a>(&'a self, now: Timestamp) -> StoreFuture<'a, Option<u64>> {
        self.inner.live_records(now)
    }
}

// ===== impl StoreOperation =====

impl StoreOperation {
    /// Every operation by itself, without [`Write`](Self::Write).
    pub const EACH: [Self; 6] = [
        Self::Load,
        Self::Create,
        Self::Replace,
        Self::Remove,
        Self::SessionsOf,
        Self::RemoveAllOf,
    ];

    /// The operation's name, as its method is called; `write` for [`Write`](Self::Write).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Create => "create",
            Self::Replace => "replace",
            Self::Remove => "remove",
            Self::SessionsOf => "sessions_of",
            Self::RemoveAllOf => "remove_all_of",
            Self::Write => "write",
        }
    }

    const fn is_write(self) -> bool {
        !matches!(self, Self::Load | Self::SessionsOf)
    }

    fn includes(self, call: Self) -> bool {
        self == call || self == Self::Write && call.is_write()
    }
}

impl FromStr for StoreOperation {
    type Err = UnknownOperation;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let mut all = Self::EACH.into_iter().chain([Self::Write]);
        all.find(|operation| operation.name() == name)
            .ok_or(UnknownOperation(()))
    }
}

/// A text that names no [`StoreOperation`].
#[derive(Debug)]
pub struct UnknownOperation(());

impl fmt::Display for UnknownOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "an operation is load, create, replace, remove, sessions_of, remove_all_of or write",
        )
    }
}

impl Error for UnknownOperation {}

#[cfg(test)]
mod tests {
    use super::{FaultyStore, StoreOperation};
    use crate::{
        session::{id::SessionId, time::Timestamp},
        store::{Created, MemoryStore, Removed, SessionStore, StoreErrorKind},
        testing::{RecordBuilder, claim_for},
    };

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_000_000);
    const ID: SessionId = SessionId::from_bytes([1; 16]);

    #[tokio::test]
    async fn a_failed_write_wrote_nothing_and_the_next_one_works() {
        let store = FaultyStore::new(MemoryStore::new());
        let record = RecordBuilder::new(NOW).build();
        store.fail(StoreOperation::Write, 1, 1);
        assert_eq!(store.remove(&ID).await.unwrap(), Removed::Absent);
        let error = store.create(&ID, &record, NOW).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
        let claim = claim_for(&ID, [0; 16]);
        assert_eq!(store.load(&claim, NOW).await.unwrap(), None);
        let created = store.create(&ID, &record, NOW).await.unwrap();
        assert!(matches!(created, Created::Created(_)));
        assert_eq!(store.calls(StoreOperation::Write), 3);
        assert_eq!(store.calls(StoreOperation::Create), 2);
        assert_eq!(store.calls(StoreOperation::Load), 1);
    }

    #[tokio::test]
    async fn a_lost_answer_leaves_the_write_done() {
        let store = FaultyStore::new(MemoryStore::new());
        store.fail_once_written(StoreOperation::Create, 5, 0);
        let record = RecordBuilder::new(NOW).build();
        let error = store.create(&ID, &record, NOW).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Timeout);
        store.fail(StoreOperation::Create, 0, 0);
        let created = store.create(&ID, &record, NOW).await.unwrap();
        assert_eq!(created, Created::Occupied);
    }

    #[test]
    fn operations_are_read_back_from_their_names() {
        for operation in StoreOperation::EACH
            .into_iter()
            .chain([StoreOperation::Write])
        {
            assert_eq!(
                operation.name().parse::<StoreOperation>().unwrap(),
                operation
            );
        }
        assert!("drop".parse::<StoreOperation>().is_err());
    }
}
