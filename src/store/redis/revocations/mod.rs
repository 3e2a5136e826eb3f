//! [`RedisRevocations`]: the list of ended self-contained tokens, shared by all who use one Redis.

use std::fmt;

use redis::FromRedisValue;

use super::{
    RedisStore,
    envelope::{Owner, moment},
    parse,
    script::{Call, Script, script},
};
use crate::{
    session::{authentication::Subject, id::SessionId, time::Timestamp},
    store::{
        StoreError, StoreErrorKind, StoreFuture,
        revocation::{IssuedToken, Retirement, RevocationList, Standing},
    },
};

static STATUS: Script = script!("list.lua", "status.lua");
static MAY_REISSUE: Script = script!("list.lua", "may_reissue.lua");
static RETIRE: Script = script!("list.lua", "retire.lua");
static RETIRE_OF: Script = script!("list.lua", "retire_of.lua");
static END_FAMILY: Script = script!("list.lua", "end_family.lua");
static END_SUBJECT: Script = script!("list.lua", "end_subject.lua");
static END_OTHERS: Script = script!("list.lua", "end_others.lua");
static ISSUE_TIME: Script = script!("list.lua", "issue_time.lua");

/// Which self-contained tokens no longer hold, in Redis or Valkey: for several processes, and over restarts.
///
/// It is reached in the same ways as a store: make a [`RedisStore`] for that. Every request with a token
/// costs one round trip; a token that ended costs about 150 bytes until it would have expired. Each call is
/// one script, so on a cluster the list is in a single slot. While Redis cannot be asked, requests with a
/// token fail with 503 before their handler: what ended stays ended. The servers that issue tokens must have
/// clocks that differ by no more than half a minute.
///
/// # Examples
///
/// ```no_run
/// use tower_session_guard::{
///     KeyRing, SessionLayer,
///     store::redis::{RedisRevocations, RedisStore},
/// };
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let redis = RedisStore::connect("redis://127.0.0.1:6379/0").await?;
/// let sessions = SessionLayer::new(KeyRing::from_env("SESSION_KEYS")?)
///     .with_revocations(RedisRevocations::over(redis));
/// # let _ = sessions;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RedisRevocations {
    redis: RedisStore,
}

impl RedisRevocations {
    /// The list in the server, the name space and the time limit of `redis`.
    #[must_use]
    pub const fn over(redis: RedisStore) -> Self {
        Self { redis }
    }

    /// A script of this list. Its keys have a tag in common, so that a cluster keeps them in one slot.
    fn call(&self, script: &'static Script) -> Call {
        script.on(format!("{}{{revoked}}", self.redis.namespace))
    }

    async fn ask<T>(&self, call: Call) -> Result<T, StoreError>
    where
        T: FromRedisValue,
    {
        let asking = async { parse(call.run(&self.redis.link).await) };
        self.redis.timed(asking).await
    }
}

/// The name of a subject in the list; none for a guest.
fn owner(subject: Option<&Subject>) -> String {
    subject.map_or_else(String::new, |subject| Owner::of(subject).to_text())
}

impl Call {
    fn token(self, token: IssuedToken<'_>) -> Self {
        self.arg(token.id.to_string())
            .arg(owner(token.subject))
            .arg(moment(token.issued_at))
    }

    fn retirement(self, id: &SessionId, how: Retirement, until: Timestamp, now: Timestamp) -> Self {
        let none = Timestamp::default();
        let (letter, successor, grace) = match how {
            Retirement::Ended => ("E", None, none),
            Retirement::Superseded => ("S", None, none),
            Retirement::Elevated { successor } => ("U", Some(successor), none),
            Retirement::Renewed {
                successor,
                grace_until,
            } => ("R", Some(successor), grace_until),
        };
        self.arg(id.to_string())
            .arg(letter)
            .arg(successor.map_or_else(String::new, |successor| successor.to_string()))
            .arg(moment(grace))
            .arg(moment(until))
            .arg(moment(now))
    }
}

impl RevocationList for RedisRevocations {
    fn standing<'a>(&'a self, token: IssuedToken<'a>, now: Timestamp) -> StoreFuture<'a, Standing> {
        let call = self.call(&STATUS).token(token).arg(moment(now));
        Box::pin(async {
            match self.ask(call).await? {
                0 => Ok(Standing::Current),
                1 => Ok(Standing::Grace),
                2 => Ok(Standing::Superseded),
                3 => Ok(Standing::Reused),
                4 => Ok(Standing::Ended),
                _ => Err(StoreError::new(StoreErrorKind::Corrupt)),
            }
        })
    }

    fn may_reissue<'a>(&'a self, token: IssuedToken<'a>, now: Timestamp) -> StoreFuture<'a, bool> {
        let call = self.call(&MAY_REISSUE).token(token).arg(moment(now));
        Box::pin(self.ask(call))
    }

    fn retire<'a>(
        &'a self,
        id: &'a SessionId,
        how: Retirement,
        until: Timestamp,
        now: Timestamp,
    ) -> StoreFuture<'a, bool> {
        Box::pin(self.ask(self.call(&RETIRE).retirement(id, how, until, now)))
    }

    fn retire_of<'a>(
        &'a self,
        token: IssuedToken<'a>,
        how: Retirement,
        until: Timestamp,
        now: Timestamp,
    ) -> StoreFuture<'a, Option<Timestamp>> {
        let call = self.call(&RETIRE_OF).retirement(token.id, how, until, now);
        let call = call.arg(owner(token.subject)).arg(moment(token.issued_at));
        Box::pin(async {
            let issue: i64 = self.ask(call).await?;
            Ok(u64::try_from(issue).ok().map(Timestamp::from_unix_millis))
        })
    }

    fn end_family<'a>(
        &'a self,
        id: &'a SessionId,
        until: Timestamp,
        now: Timestamp,
    ) -> StoreFuture<'a, ()> {
        let call = self.call(&END_FAMILY).arg(id.to_string());
        self.end(call.arg(moment(until)).arg(moment(now)))
    }

    fn end_subject<'a>(
        &'a self,
        subject: &'a Subject,
        now: Timestamp,
        until: Timestamp,
    ) -> StoreFuture<'a, ()> {
        let call = self.call(&END_SUBJECT).arg(owner(Some(subject)));
        self.end(call.arg(moment(now)).arg(moment(until)))
    }

    fn end_others<'a>(
        &'a self,
        keep: IssuedToken<'a>,
        now: Timestamp,
        until: Timestamp,
    ) -> StoreFuture<'a, bool> {
        if keep.subject.is_none() {
            return Box::pin(async { Ok(false) });
        }
        let call = self.call(&END_OTHERS).token(keep);
        Box::pin(self.ask(call.arg(moment(now)).arg(moment(until))))
    }

    fn issue_time<'a>(
        &'a self,
        subject: &'a Subject,
        now: Timestamp,
    ) -> StoreFuture<'a, Timestamp> {
        let call = self.call(&ISSUE_TIME).arg(owner(Some(subject)));
        let call = call.arg(moment(now));
        Box::pin(async { Ok(Timestamp::from_unix_millis(self.ask(call).await?)) })
    }
}

impl RedisRevocations {
    fn end(&self, call: Call) -> StoreFuture<'_, ()> {
        Box::pin(async {
            let _done: u8 = self.ask(call).await?;
            Ok(())
        })
    }
}

impl fmt::Debug for RedisRevocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisRevocations")
            .field("redis", &self.redis)
            .finish()
    }
}
