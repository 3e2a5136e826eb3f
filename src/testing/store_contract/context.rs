//! [`Context`]: what a check works with.

use std::{
    fmt::Debug,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tokio::task::JoinSet;

use super::{
    freshness::{Freshness, Path},
    under_test::StoreUnderTest,
};
use crate::{
    session::{
        authentication::Subject,
        id::{Claim, SessionId},
        record::Record,
        time::Timestamp,
    },
    store::{
        Counting, Created, IndexKey, ListedHead, Removed, Replaced, Revision, SessionStore,
        StoreError, Stored,
    },
    testing::{RecordBuilder, claim_for},
};

pub(super) const HOUR: Duration = Duration::from_secs(3600);
pub(super) const MILLISECOND: Duration = Duration::from_millis(1);

/// How often a node is looked at while something about it must or may not change.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Why a check did not hold.
#[derive(Debug)]
pub(super) enum Failure {
    Broken(String),
    Skipped(&'static str),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Broken(format!("the store failed: {error:?}"))
    }
}

/// Fails unless `found` is `expected`; `what` says which fact it is.
pub(super) fn expect<T>(what: &str, found: T, expected: T) -> Result<(), Failure>
where
    T: Debug + PartialEq,
{
    if found == expected {
        return Ok(());
    }
    let [found, expected] = [found, expected].map(|value| {
        let text = format!("{value:?}");
        text.chars().take(600).collect::<String>()
    });
    Err(Failure::Broken(format!(
        "{what}: expected {expected}, found {found}"
    )))
}

/// A moment of the caller's, and the steady clock from there on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    begin: Timestamp,
    began: Instant,
}

impl Clock {
    pub(super) const fn new(begin: Timestamp, began: Instant) -> Self {
        Self { begin, began }
    }
}

/// A store under test, and fresh ids, records and subjects for it.
#[derive(Clone)]
pub(super) struct Context {
    under_test: StoreUnderTest,
    clock: Clock,
    freshness: Freshness,
    seed: u64,
    ids: Arc<AtomicU64>,
}

impl Context {
    pub(super) fn new(under_test: StoreUnderTest, clock: Clock, freshness: Freshness) -> Self {
        Self {
            under_test,
            clock,
            freshness,
            seed: RandomState::new().hash_one(()),
            ids: Arc::default(),
        }
    }

    pub(super) fn store(&self) -> &dyn SessionStore {
        &*self.under_test.store
    }

    pub(super) fn second_node(&self) -> Result<&dyn SessionStore, Failure> {
        let node = self.under_test.second_node.as_deref();
        node.ok_or(Failure::Skipped("there is no second node"))
    }

    /// The second node, or the only one.
    pub(super) fn other_node(&self) -> &dyn SessionStore {
        self.second_node().unwrap_or(self.store())
    }

    pub(super) const fn freshness(&self) -> Freshness {
        self.freshness
    }

    /// Does this to the path of the second node.
    pub(super) async fn set_path(&self, path: Path) -> Result<(), Failure> {
        let set = self.under_test.path.as_ref();
        set.ok_or(Failure::Skipped(
            "there is no way to disturb the path of the second node",
        ))?(path)
        .await;
        Ok(())
    }

    pub(super) async fn restart(&self) -> Result<(), Failure> {
        let restart = self.under_test.restart.as_ref();
        restart.ok_or(Failure::Skipped("there is no way to restart the engine"))?().await;
        Ok(())
    }

    /// How many sessions of one owner the suite makes.
    pub(super) const fn volume(&self) -> usize {
        self.under_test.volume
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.begin.after(self.clock.began.elapsed())
    }

    /// An id that no other check of any run has.
    pub(super) fn id(&self) -> SessionId {
        let number = self.ids.fetch_add(1, Relaxed);
        let mut bytes = [0; SessionId::LEN];
        bytes[..8].copy_from_slice(&self.seed.to_be_bytes());
        bytes[8..].copy_from_slice(&number.to_be_bytes());
        SessionId::from_bytes(bytes)
    }

    pub(super) fn ids(&self, count: usize) -> Vec<SessionId> {
        (0..count).map(|_| self.id()).collect()
    }

    pub(super) fn subject(&self, name: &str) -> Subject {
        Subject::from(format!("{name}-{:016x}", self.seed))
    }

    pub(super) fn guest(&self) -> RecordBuilder {
        RecordBuilder::new(self.now())
    }

    pub(super) fn member(&self, subject: &Subject) -> RecordBuilder {
        self.guest().subject(subject.as_str())
    }

    pub(super) async fn load(&self, id: &SessionId) -> Result<Option<Stored>, Failure> {
        self.load_at(id, self.now()).await
    }

    pub(super) async fn load_at(
        &self,
        id: &SessionId,
        now: Timestamp,
    ) -> Result<Option<Stored>, Failure> {
        let claim = claim(id);
        let loaded = self.store().load((&claim).into(), now).await?;
        let began = Instant::now();
        loop {
            let is_due = began.elapsed() >= self.freshness.time();
            let at_hand = self.store().try_load((&claim).into(), now);
            if at_hand.is_none() || at_hand == loaded {
                break;
            }
            // Comparable only if nobody wrote meanwhile, as other tasks of a check may do.
            if self.store().load((&claim).into(), now).await? != loaded {
                break;
            }
            // A copy may be older for a time.
            if is_due {
                expect("try_load", at_hand, loaded.clone())?;
            }
            pause(LOOK_EVERY).await;
        }
        Ok(loaded)
    }

    /// Loads the record and fails unless it is this one at this revision.
    pub(super) async fn expect_stored(
        &self,
        id: &SessionId,
        record: &Record,
        revision: Revision,
    ) -> Result<(), Failure> {
        let expected = Stored::new(record.clone(), revision);
        expect("load", self.load(id).await?, Some(expected))
    }

    pub(super) async fn expect_nothing(&self, id: &SessionId) -> Result<(), Failure> {
        expect("load", self.load(id).await?, None)
    }

    /// Creates a record and fails unless the store says so.
    pub(super) async fn create(
        &self,
        id: &SessionId,
        record: &Record,
    ) -> Result<Revision, Failure> {
        let create = self
            .store()
            .create(id, record, Counting::Counted, self.now());
        match create.await? {
            Created::Created { revision, .. } => Ok(revision),
            other @ Created::Occupied => broken("create of a new id", "Created", other),
        }
    }

    pub(super) async fn replace(
        &self,
        id: &SessionId,
        revision: Revision,
        record: &Record,
    ) -> Result<Replaced, Failure> {
        let replace = self.store().replace(id, revision, record, self.now());
        Ok(replace.await?)
    }

    /// Replaces a record and fails unless the store says so.
    pub(super) async fn replace_now(
        &self,
        id: &SessionId,
        revision: Revision,
        record: &Record,
    ) -> Result<Revision, Failure> {
        match self.replace(id, revision, record).await? {
            Replaced::Replaced(revision) => Ok(revision),
            other => broken("replace of the present revision", "Replaced", other),
        }
    }

    pub(super) async fn remove(&self, id: &SessionId) -> Result<Removed, Failure> {
        Ok(self.store().remove(id, None).await?)
    }

    /// The ids of a subject's sessions, in order.
    pub(super) async fn listed(&self, subject: &Subject) -> Result<Vec<SessionId>, Failure> {
        self.listed_at(subject, self.now()).await
    }

    pub(super) async fn listed_at(
        &self,
        subject: &Subject,
        now: Timestamp,
    ) -> Result<Vec<SessionId>, Failure> {
        let key = owner(subject);
        let heads = list(self.store(), &key, now).await?;
        Ok(heads.into_iter().map(|listed| listed.id).collect())
    }

    /// Ends a subject's sessions, page by page, and says how many.
    pub(super) async fn remove_all_of(
        &self,
        subject: &Subject,
        except: Option<&SessionId>,
    ) -> Result<usize, Failure> {
        end(self.store(), &owner(subject), except).await
    }

    /// Runs `task` for each number below `count`, all at once, the odd ones on the second node.
    pub(super) async fn in_parallel<T, F>(
        &self,
        count: usize,
        task: impl Fn(Self, usize) -> F,
    ) -> Result<Vec<T>, Failure>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        let mut tasks = JoinSet::new();
        for number in 0..count {
            let mut context = self.clone();
            if let (1, Some(node)) = (number % 2, &self.under_test.second_node) {
                context.under_test.store = Arc::clone(node);
            }
            tasks.spawn(task(context, number));
        }
        let mut results = Vec::with_capacity(count);
        while let Some(result) = tasks.join_next().await {
            let panicked = |_| Failure::Broken("the store panicked".to_owned());
            results.push(result.map_err(panicked)??);
        }
        Ok(results)
    }
}

/// How many entries a page of this suite may have: few, so that there are several.
pub(super) const PAGE: usize = 50;

/// A subject's key in the audience of the suite's records, which is the empty one.
pub(super) fn owner(subject: &Subject) -> IndexKey {
    IndexKey::owner("", subject)
}

/// The sessions under a key, page by page, in the order of their ids.
pub(super) async fn list(
    store: &dyn SessionStore,
    key: &IndexKey,
    now: Timestamp,
) -> Result<Vec<ListedHead>, Failure> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = store.heads(key, after.as_ref(), PAGE, now).await?;
        if page.heads.len() > PAGE {
            return broken("a page", "at most 50 sessions", page.heads.len());
        }
        found.extend(page.heads);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    found.sort_unstable_by_key(|listed| listed.id);
    // A store may come upon an entry twice while the index grows.
    found.dedup_by_key(|listed| listed.id);
    Ok(found)
}

/// Ends the sessions under a key, page by page, and says how many.
pub(super) async fn end(
    store: &dyn SessionStore,
    key: &IndexKey,
    except: Option<&SessionId>,
) -> Result<usize, Failure> {
    let (mut ended, mut after) = (0, None);
    loop {
        let page = store.end_listed(key, after.as_ref(), PAGE, except).await?;
        ended += page.ended;
        after = page.next;
        if after.is_none() {
            return Ok(ended);
        }
    }
}

pub(super) fn claim(id: &SessionId) -> Claim {
    claim_for(id, [0; 16])
}

pub(super) fn broken<T>(what: &str, expected: &str, found: impl Debug) -> Result<T, Failure> {
    Err(Failure::Broken(format!(
        "{what}: expected {expected}, found {found:?}"
    )))
}

/// Lets `time` pass, without keeping a runtime's thread.
pub(super) async fn pause(time: Duration) {
    // Not a timer of Tokio's: the runtime may have been built without.
    let _ended = tokio::task::spawn_blocking(move || std::thread::sleep(time)).await;
}
