//! [`Cached`]: a node's copies in front of a store without a flaw, with a flaw of their own.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio::time::sleep;
use tower_session_guard::{
    MemoryStore, Record, SessionId, SessionStore, Timestamp, VerifiedId,
    store::{
        Counting, Created, Cursor, Cutoff, EndedPage, IndexKey, Page, Removed, Replaced, Revision,
        StoreError, StoreErrorKind, StoreFuture, Stored,
    },
    testing::store_contract::Path,
};

use super::lock;

/// What a node's copies may get wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CopyFlaw {
    Nothing,
    /// A copy of what the node wrote itself stays until the node is told.
    OwnWritesStay,
    /// A record is kept although it changed while it was read.
    FillsAreUnguarded,
    /// Copies outlive the connection that keeps them up to date.
    KeptOverAReconnect,
    /// Copies are trusted from when an answer came.
    TrustedFromTheAnswer,
    /// Copies are trusted for ever.
    TrustedForever,
    /// A copy answers where only the store may.
    LoadAnswersFromCopies,
    /// An ending is acknowledged at once.
    NothingWaits,
    /// What an ending by a key removed stays until the node is told.
    OwnEndingsStay,
    /// Nodes are told of what is gone, and of nothing that was replaced.
    ReplacementsAreNotTold,
}

/// How long what a node is told takes on an open path.
const DELAY: Duration = Duration::from_millis(10);

/// How long a read takes: longer than that.
const READ: Duration = Duration::from_millis(20);

/// What changed, and when; `None` for everything of a key.
type Change = (Instant, Option<SessionId>);

/// A node. A clone is the same node.
#[derive(Clone, Debug)]
pub(crate) struct Cached {
    flaw: CopyFlaw,
    lease: Duration,
    engine: MemoryStore,
    log: Arc<Mutex<Vec<Change>>>,
    node: Arc<Mutex<Node>>,
}

#[derive(Debug)]
struct Node {
    copies: HashMap<SessionId, Stored>,
    /// How far it was told, and how often anything was forgotten.
    told: usize,
    forgotten: usize,
    trusted_until: Instant,
    path: Path,
    is_connected: bool,
}

impl Cached {
    pub(crate) fn new(flaw: CopyFlaw, lease: Duration) -> Self {
        Self {
            flaw,
            lease,
            engine: MemoryStore::new(),
            log: Arc::default(),
            node: Arc::new(Mutex::new(Node {
                copies: HashMap::new(),
                told: 0,
                forgotten: 0,
                trusted_until: Instant::now(),
                path: Path::Open,
                is_connected: true,
            })),
        }
    }

    pub(crate) fn second_node(&self) -> Self {
        Self {
            node: Self::new(self.flaw, self.lease).node,
            ..self.clone()
        }
    }

    pub(crate) fn set_path(&self, path: Path) {
        let mut node = lock(&self.node);
        node.path = path;
        if path == Path::Cut {
            node.is_connected = false;
            node.trusted_until = Instant::now();
        }
    }

    fn is(&self, flaw: CopyFlaw) -> bool {
        self.flaw == flaw
    }

    /// Takes what the node was told by now, and what its last fence proves.
    fn hear(&self) {
        let (log, mut node) = (lock(&self.log), lock(&self.node));
        let now = Instant::now();
        let delay = match node.path {
            Path::Open => DELAY,
            Path::Slow(by) => by,
            _ => return,
        };
        if !node.is_connected {
            node.is_connected = true;
            node.told = log.len();
            node.forgotten += 1;
            if !self.is(CopyFlaw::KeptOverAReconnect) {
                node.copies.clear();
            }
        }
        while let Some((at, changed)) = log.get(node.told) {
            if now < *at + delay {
                break;
            }
            node.told += 1;
            node.forgotten += 1;
            match changed {
                Some(id) => drop(node.copies.remove(id)),
                None => node.copies.clear(),
            }
        }
        let sent = if self.is(CopyFlaw::TrustedFromTheAnswer) {
            now
        } else {
            now.checked_sub(delay).unwrap_or(now)
        };
        node.trusted_until = node.trusted_until.max(sent + self.lease);
    }

    fn copy(&self, id: &SessionId, now: Timestamp) -> Option<Stored> {
        self.hear();
        let node = lock(&self.node);
        let is_trusted = self.is(CopyFlaw::TrustedForever) || Instant::now() < node.trusted_until;
        let copy = node.copies.get(id).filter(|_| is_trusted)?;
        (!copy.record.is_expired(now)).then(|| copy.clone())
    }

    /// A write was done; `None` if it is not known which records changed.
    fn wrote(&self, id: Option<&SessionId>) {
        lock(&self.log).push((Instant::now(), id.copied()));
        let mut node = lock(&self.node);
        let stays = match id {
            Some(_) => CopyFlaw::OwnWritesStay,
            None => CopyFlaw::OwnEndingsStay,
        };
        if self.is(stays) {
            return;
        }
        node.forgotten += 1;
        match id {
            Some(id) => drop(node.copies.remove(id)),
            None => node.copies.clear(),
        }
    }

    fn reach(&self) -> Result<(), StoreError> {
        match lock(&self.node).path {
            Path::Open | Path::Slow(_) => Ok(()),
            _ => Err(StoreError::new(StoreErrorKind::Unavailable)),
        }
    }

    async fn load_now(
        &self,
        id: VerifiedId<'_>,
        now: Timestamp,
    ) -> Result<Option<Stored>, StoreError> {
        if self.is(CopyFlaw::LoadAnswersFromCopies)
            && let Some(copy) = self.copy(id.get(), now)
        {
            return Ok(Some(copy));
        }
        self.reach()?;
        self.hear();
        let noted = lock(&self.node).forgotten;
        let stored = self.engine.load(id, now).await?;
        // Only where it may go wrong, so that the suite is done soon.
        if self.is(CopyFlaw::FillsAreUnguarded) {
            sleep(READ).await;
            self.hear();
        }
        let mut node = lock(&self.node);
        let is_guarded = !self.is(CopyFlaw::FillsAreUnguarded);
        if let Some(stored) = &stored
            && (node.forgotten == noted || !is_guarded)
            && node.is_connected
        {
            node.copies.insert(*id.get(), stored.clone());
        }
        Ok(stored)
    }
}

impl SessionStore for Cached {
    fn load<'a>(&'a self, id: VerifiedId<'a>, now: Timestamp) -> StoreFuture<'a, Option<Stored>> {
        Box::pin(self.load_now(id, now))
    }

    fn try_load(&self, id: VerifiedId<'_>, now: Timestamp) -> Option<Stored> {
        self.copy(id.get(), now)
    }

    fn create<'a>(
        &'a self,
        id: &'a SessionId,
        record: &'a Record,
        counting: Counting,
        now: Timestamp,
    ) -> StoreFuture<'a, Created> {
        self.engine.create(id, record, counting, now)
    }

    fn replace<'a>(
        &'a self,
        id: &'a SessionId,
        revision: Revision,
        record: &'a Record,
        now: Timestamp,
    ) -> StoreFuture<'a, Replaced> {
        Box::pin(async move {
            self.reach()?;
            let answer = self.engine.replace(id, revision, record, now).await;
            if self.is(CopyFlaw::ReplacementsAreNotTold) {
                lock(&self.node).copies.remove(id);
            } else {
                self.wrote(Some(id));
            }
            answer
        })
    }

    fn remove<'a>(
        &'a self,
        id: &'a SessionId,
        listed_under: Option<&'a IndexKey>,
    ) -> StoreFuture<'a, Removed> {
        Box::pin(async move {
            self.reach()?;
            let answer = self.engine.remove(id, listed_under).await;
            self.wrote(Some(id));
            answer
        })
    }

    fn heads<'a>(
        &'a self,
        key: &'a IndexKey,
        after: Option<&'a Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> StoreFuture<'a, Page> {
        self.engine.heads(key, after, limit, now)
    }

    fn end_listed<'a>(
        &'a self,
        key: &'a IndexKey,
        after: Option<&'a Cursor>,
        limit: usize,
        except: Option<&'a SessionId>,
    ) -> StoreFuture<'a, EndedPage> {
        Box::pin(async move {
            self.reach()?;
            let answer = self.engine.end_listed(key, after, limit, except).await;
            self.wrote(None);
            answer
        })
    }

    fn raise_cutoff<'a>(
        &'a self,
        key: &'a IndexKey,
        cutoff: &'a Cutoff,
        now: Timestamp,
    ) -> StoreFuture<'a, ()> {
        self.engine.raise_cutoff(key, cutoff, now)
    }

    fn cutoff<'a>(&'a self, key: &'a IndexKey, now: Timestamp) -> StoreFuture<'a, Option<Cutoff>> {
        self.engine.cutoff(key, now)
    }

    fn endings_hold(&self) -> Option<StoreFuture<'_, ()>> {
        if self.is(CopyFlaw::NothingWaits) {
            return None;
        }
        Some(Box::pin(async {
            sleep(self.lease).await;
            Ok(())
        }))
    }

    fn live_records<'a>(&'a self, now: Timestamp) -> StoreFuture<'a, Option<u64>> {
        self.engine.live_records(now)
    }
}
