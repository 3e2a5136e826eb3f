//! [`EndedTokens`]: a node's copy of a list of ended tokens.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hash, Hasher},
    sync::{
        PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{
            AtomicBool, AtomicU64, AtomicUsize,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
};

use tower_session_guard::{
    SessionId, Timestamp,
    store::{Cutoff, IndexKey, revocation::IssuedToken},
};

use crate::{copies::IdHasher, epoch::Held};

const PARTS: usize = 64;

/// Below it, a part is not looked through for what is over.
const MIN_SWEPT: usize = 64;

/// What an entry takes, as measured with a million of them: 33 to 66 bytes, by how full the tables are.
const ENTRY_LEN: usize = 62;

type Ids<T> = HashMap<SessionId, T, BuildHasherDefault<IdHasher>>;

/// Which sessions have another token by now or none, and up to when everything under some key has ended.
///
/// It says which tokens are still their sessions'. All else is for the list to say.
#[derive(Debug)]
pub(crate) struct EndedTokens {
    parts: Box<[Shard]>,
    cutoffs: RwLock<HashMap<[u8; 16], CutoffEntry>>,
    /// How many cut-offs there are: most often none.
    cutoff_count: AtomicUsize,
    entries: AtomicUsize,
    max_entries: usize,
    /// Until everything that the list holds has come. It may come in another order than what is told meanwhile.
    is_opening: AtomicBool,
    /// Something found no room.
    is_incomplete: AtomicBool,
    /// The layer's time when it asked last.
    now: AtomicU64,
}

#[derive(Debug, Default)]
#[repr(align(64))]
struct Shard(RwLock<Part>);

#[derive(Debug, Default)]
struct Part {
    families: Ids<Family>,
    /// How many there were when what is over was taken away.
    swept: usize,
}

/// A session whose token was replaced or that ended. In four and eight bytes without padding.
#[derive(Clone, Copy, Debug)]
struct Family {
    /// In seconds, rounded up.
    until: u32,
    current: [u8; 8],
}

/// Of no token.
const ENDED: [u8; 8] = [0; 8];

/// What has ended under a key.
#[derive(Clone, Copy, Debug)]
struct CutoffEntry {
    /// What was issued at this time or earlier has ended.
    at: Timestamp,
    /// But for the tokens of one session that were issued later than this.
    spared: Option<SessionId>,
    unspared: Timestamp,
    until: Timestamp,
}

impl EndedTokens {
    pub(crate) fn new(max_entries: usize) -> Self {
        Self {
            parts: (0..PARTS).map(|_| Shard::default()).collect(),
            cutoffs: RwLock::default(),
            cutoff_count: AtomicUsize::new(0),
            entries: AtomicUsize::new(0),
            max_entries,
            is_opening: AtomicBool::new(true),
            is_incomplete: AtomicBool::new(false),
            now: AtomicU64::new(0),
        }
    }

    /// Everything that the list holds has come.
    pub(crate) fn opened(&self) {
        self.is_opening.store(false, Release);
    }

    /// Whether the copy knows that a token is its session's token.
    pub(crate) fn knows_current(&self, token: IssuedToken<'_>, now: Timestamp) -> bool {
        self.now.store(now.as_unix_millis(), Relaxed);
        if self.is_incomplete.load(Acquire) || self.is_cut_off(token) {
            return false;
        }
        let part = self.read(token.family());
        match part.families.get(token.family()) {
            None => true,
            Some(family) => family.current == fingerprint(token.id()),
        }
    }

    pub(crate) fn put_family(
        &self,
        family: &SessionId,
        current: Option<&SessionId>,
        until: Timestamp,
    ) {
        let entry = Family {
            until: u32::try_from(until.as_unix_seconds().saturating_add(1)).unwrap_or(u32::MAX),
            current: current.map_or(ENDED, fingerprint),
        };
        let mut part = self.write(family);
        if let Some(before) = part.families.get_mut(family) {
            let is_other = before.current != entry.current;
            if self.is_opening.load(Acquire) && is_other {
                // Which of them is newer, only the list knows.
                before.current = ENDED;
            } else if before.current != ENDED {
                // A session that ended stays so.
                before.current = entry.current;
            }
            before.until = before.until.max(entry.until);
            return;
        }
        if part.families.len() >= MIN_SWEPT.max(2 * part.swept) {
            let before = part.families.len();
            let over = Timestamp::from_unix_millis(self.now.load(Relaxed));
            part.families.retain(|_, family| !family.is_over(over));
            part.swept = part.families.len();
            self.entries.fetch_sub(before - part.swept, Relaxed);
        }
        if self.takes_room() {
            part.families.insert(*family, entry);
        }
    }

    pub(crate) fn put_cutoff(
        &self,
        key: &[u8; 16],
        at: Timestamp,
        spared: Option<&SessionId>,
        until: Timestamp,
    ) {
        let newer = CutoffEntry {
            at,
            spared: spared.copied(),
            unspared: match spared {
                Some(_) => Timestamp::from_unix_millis(0),
                None => at,
            },
            until,
        };
        let mut cutoffs = self.cutoffs.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = cutoffs.get_mut(key) {
            *before = before.and(&newer);
            return;
        }
        let over = Timestamp::from_unix_millis(self.now.load(Relaxed));
        let before = cutoffs.len();
        if before >= MIN_SWEPT && before.is_power_of_two() {
            cutoffs.retain(|_, cutoff| over < cutoff.until.after(Cutoff::SLACK));
            self.entries.fetch_sub(before - cutoffs.len(), Relaxed);
        }
        if self.takes_room() {
            cutoffs.insert(*key, newer);
        }
        self.cutoff_count.store(cutoffs.len(), Release);
    }

    /// Whether there is room for one more. Otherwise the copy is incomplete from here on, and knows nothing.
    fn takes_room(&self) -> bool {
        if self.entries.fetch_add(1, Relaxed) < self.max_entries {
            return true;
        }
        self.entries.fetch_sub(1, Relaxed);
        self.is_incomplete.store(true, Release);
        false
    }

    fn is_cut_off(&self, token: IssuedToken<'_>) -> bool {
        // Keys are made only where there is anything to compare them with.
        if self.cutoff_count.load(Acquire) == 0 {
            return false;
        }
        let keys: Vec<_> = token.keys().iter().map(IndexKey::digest).collect();
        let cutoffs = self.cutoffs.read().unwrap_or_else(PoisonError::into_inner);
        let ends = |key| cutoffs.get(key).is_some_and(|cutoff| cutoff.ends(token));
        keys.iter().any(ends)
    }

    fn read(&self, family: &SessionId) -> RwLockReadGuard<'_, Part> {
        let Shard(part) = &self.parts[place(family)];
        part.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, family: &SessionId) -> RwLockWriteGuard<'_, Part> {
        let Shard(part) = &self.parts[place(family)];
        part.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held for std::sync::Arc<EndedTokens> {
    /// An empty copy would take every token for its session's, so it knows nothing from here on.
    fn forget_all(&self) {
        self.is_incomplete.store(true, Release);
        for Shard(part) in &self.parts {
            *part.write().unwrap_or_else(PoisonError::into_inner) = Part::default();
        }
    }

    fn entries(&self) -> usize {
        self.entries.load(Relaxed)
    }

    fn bytes(&self) -> usize {
        Held::entries(self) * ENTRY_LEN
    }
}

impl Family {
    fn is_over(self, now: Timestamp) -> bool {
        let until = Timestamp::from_unix_seconds(self.until.into());
        self.until != u32::MAX && until.after(Cutoff::SLACK) <= now
    }
}

impl CutoffEntry {
    fn ends(&self, token: IssuedToken<'_>) -> bool {
        let is_spared = self.spared.as_ref() == Some(token.family());
        let at = if is_spared { self.unspared } else { self.at };
        token.issued_at() <= at
    }

    /// What has ended by either.
    fn and(&self, other: &Self) -> Self {
        let (later, earlier) = if other.at >= self.at {
            (other, self)
        } else {
            (self, other)
        };
        let also = if earlier.spared == later.spared {
            earlier.unspared
        } else {
            earlier.at
        };
        Self {
            unspared: later.unspared.max(also),
            until: later.until.max(earlier.until),
            ..*later
        }
    }
}

fn hash(id: &SessionId) -> u64 {
    let mut hasher = IdHasher::default();
    id.hash(&mut hasher);
    hasher.finish()
}

fn place(family: &SessionId) -> usize {
    (hash(family) >> 48) as usize % PARTS
}

/// 64 bits of an id, which are as random as the id is.
fn fingerprint(id: &SessionId) -> [u8; 8] {
    hash(id).max(1).to_le_bytes()
}
