//! [`RedisRevocations`]: the list of ended self-contained tokens, shared by all who use one Redis.

mod call;
mod feed;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use tower_session_guard::{
    SessionId, Timestamp,
    store::{
        Admitted, Cutoff, IndexKey, StoreError, StoreErrorKind, StoreFuture,
        revocation::{
            Ending, IssuedToken, MemoryRevocations, Occupancy, Replacement, RevocationList,
            Standing,
        },
    },
};

use crate::{
    RedisStore,
    script::{Call, Script, script},
    store::parse,
};

static STANDING: Script = script!("list.lua", "standing.lua");
static ENDING: Script = script!("list.lua", "ending.lua");
static MAY_REISSUE: Script = script!("list.lua", "may_reissue.lua");
static END: Script = script!("list.lua", "end.lua");
static REPLACE: Script = script!("list.lua", "replace.lua");
static END_ALL: Script = script!("list.lua", "end_all.lua");
static END_OTHERS: Script = script!("list.lua", "end_others.lua");
static ISSUE: Script = script!("list.lua", "issue.lua");
static SNAPSHOT: Script = script!("list.lua", "snapshot.lua");

/// Which self-contained tokens no longer hold, in Redis or Valkey: for several processes, and over restarts.
///
/// It is reached in the same ways as a store: make a [`RedisStore`] for that. Every request with a token
/// costs one round trip. Each call is one script, so on a cluster the list is in a single slot. While Redis cannot
/// be asked, requests with a token fail with 503 before their handler: what ended stays ended. The servers that
/// issue tokens must have clocks that differ by less than a minute.
///
/// # Room
///
/// An entry is a session that ended or whose token was replaced, until it would have ended by itself, or an owner
/// or a tag whose sessions all ended. The list holds at most
/// [`DEFAULT_MAX_ENTRIES`](Self::DEFAULT_MAX_ENTRIES), or as many as
/// [`with_max_entries`](Self::with_max_entries) says, and a sixteenth more of endings. The
/// [crate's page](crate) says how much memory they take. Once it is full, logins and new tokens fail with 503,
/// while logouts and revocations are still remembered.
///
/// # Examples
///
/// ```no_run
/// use tower_session_guard::{Endings, KeyRing, SessionLayer};
/// use tower_session_guard_redis::{RedisRevocations, RedisStore};
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let redis = RedisStore::connect("redis://127.0.0.1:6379/0").await?;
/// let list = Endings::shared(RedisRevocations::over(redis));
/// let sessions = SessionLayer::self_contained(KeyRing::from_env("SESSION_KEYS")?, list);
/// # let _ = sessions;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RedisRevocations {
    redis: RedisStore,
    max_entries: usize,
    /// How many entries the list had when it last answered.
    entries: Arc<AtomicUsize>,
}

impl RedisRevocations {
    /// How many entries a list holds unless [`with_max_entries`](Self::with_max_entries) says otherwise: a
    /// million.
    pub const DEFAULT_MAX_ENTRIES: usize = MemoryRevocations::DEFAULT_MAX_ENTRIES;

    /// The list in the server, the name space and the time limit of `redis`.
    #[must_use]
    pub fn over(redis: RedisStore) -> Self {
        Self {
            redis,
            max_entries: Self::DEFAULT_MAX_ENTRIES,
            entries: Arc::default(),
        }
    }

    /// Lets the list hold at most `max` entries, and a sixteenth more of endings.
    ///
    /// Each process goes by its own bound, so give all of them the same.
    #[must_use]
    pub const fn with_max_entries(mut self, max: usize) -> Self {
        self.max_entries = max;
        self
    }

    /// A script of this list. Its keys have a tag in common, so that a cluster keeps them in one slot.
    fn call(&self, script: &'static Script, now: Timestamp) -> Call {
        let base = self.base();
        // Two keys that nothing has: while the slot moves, a cluster carries out no script that names several keys unless
        // all of them are there. The server that takes the slot would answer from the entries that have arrived.
        let nothing = format!("{base}:nothing");
        let call = script.on(base).beside(nothing);
        call.moment(now).arg(self.max_entries)
    }

    /// What the names of the list's keys begin with, and the name of its channel.
    fn base(&self) -> String {
        format!("{}{{revoked}}", self.redis.namespace)
    }

    /// What the list answers: a number, of which those below 0 are no time.
    async fn ask(&self, call: Call) -> Result<i64, StoreError> {
        let asking = async { parse(call.run(&*self.redis.link).await) };
        let (answer, entries): (i64, usize) = self.redis.timed(asking).await?;
        self.entries.store(entries, Relaxed);
        if answer == FULL {
            let full = "the list of ended tokens is full";
            return Err(StoreError::with_source(StoreErrorKind::Full, full));
        }
        Ok(answer)
    }

    async fn ask_whether(&self, call: Call) -> Result<bool, StoreError> {
        match self.ask(call).await? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(StoreError::new(StoreErrorKind::Corrupt)),
        }
    }

    async fn ask_when(&self, call: Call) -> Result<Option<Timestamp>, StoreError> {
        let answer = u64::try_from(self.ask(call).await?);
        Ok(answer.ok().map(Timestamp::from_unix_millis))
    }
}

/// What a script answers if the list has no room.
const FULL: i64 = -2;

impl RevocationList for RedisRevocations {
    fn standing<'a>(&'a self, token: IssuedToken<'a>, now: Timestamp) -> StoreFuture<'a, Standing> {
        Box::pin(async move {
            let call = self.call(&STANDING, now).token(token).keys(&token.keys());
            match self.ask(call).await? {
                0 => Ok(Standing::Current),
                1 => Ok(Standing::Grace),
                2 => Ok(Standing::Superseded),
                3 => Ok(Standing::Reused),
                4 => Ok(Standing::Ended),
                5 => Ok(Standing::Crossing),
                _ => Err(StoreError::new(StoreErrorKind::Corrupt)),
            }
        })
    }

    fn ending<'a>(
        &'a self,
        token: IssuedToken<'a>,
        now: Timestamp,
    ) -> StoreFuture<'a, Option<Ending>> {
        Box::pin(async move {
            let call = self.call(&ENDING, now).token(token).keys(&token.keys());
            match self.ask(call).await? {
                0 => Ok(None),
                2 => Ok(Some(Ending::Superseded)),
                4 => Ok(Some(Ending::Ended)),
                _ => Err(StoreError::new(StoreErrorKind::Corrupt)),
            }
        })
    }

    fn may_reissue<'a>(&'a self, token: IssuedToken<'a>, now: Timestamp) -> StoreFuture<'a, bool> {
        Box::pin(async move {
            let call = self.call(&MAY_REISSUE, now).token(token);
            self.ask_whether(call.keys(&token.keys())).await
        })
    }

    fn end<'a>(
        &'a self,
        family: &'a SessionId,
        how: Ending,
        until: Timestamp,
        now: Timestamp,
    ) -> StoreFuture<'a, bool> {
        Box::pin(async move {
            let call = self.call(&END, now).arg(family.to_string());
            self.ask_whether(call.ending(how)?.moment(until)).await
        })
    }

    fn replace<'a>(
        &'a self,
        token: IssuedToken<'a>,
        successor: SessionId,
        how: Replacement,
        until: Timestamp,
        now: Timestamp,
    ) -> StoreFuture<'a, Option<Timestamp>> {
        Box::pin(async move {
            let call = self.call(&REPLACE, now).token(token);
            let call = call.replacement(&successor, how)?.moment(until);
            self.ask_when(call.keys(&token.keys())).await
        })
    }

    fn end_all<'a>(
        &'a self,
        key: &'a IndexKey,
        cutoff: &'a Cutoff,
        now: Timestamp,
    ) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            let call = self.call(&END_ALL, now).cutoff(key, cutoff);
            self.ask_whether(call).await.map(|_| ())
        })
    }

    fn end_others<'a>(
        &'a self,
        keep: IssuedToken<'a>,
        key: &'a IndexKey,
        cutoff: &'a Cutoff,
        now: Timestamp,
    ) -> StoreFuture<'a, bool> {
        Box::pin(async move {
            let call = self.call(&END_OTHERS, now).token(keep).cutoff(key, cutoff);
            self.ask_whether(call.keys(&keep.keys())).await
        })
    }

    fn issue<'a>(
        &'a self,
        keys: &'a [IndexKey],
        admitted: &'a Admitted,
        now: Timestamp,
    ) -> StoreFuture<'a, Option<Timestamp>> {
        Box::pin(async move {
            let call = self.call(&ISSUE, now).moment(admitted.at);
            self.ask_when(call.arg(&admitted.mark).keys(keys)).await
        })
    }

    fn endings_hold(&self) -> Option<StoreFuture<'_, ()>> {
        Some(Box::pin(self.redis.until_endings_hold(self.leases())))
    }

    fn occupancy(&self) -> Occupancy {
        Occupancy::new(self.entries.load(Relaxed), self.max_entries)
    }
}

impl fmt::Debug for RedisRevocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisRevocations")
            .field("redis", &self.redis)
            .field("max_entries", &self.max_entries)
            .finish_non_exhaustive()
    }
}
