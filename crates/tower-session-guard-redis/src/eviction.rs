//! Whether a server may drop keys to make room (S18).

use std::collections::HashMap;

use redis::{FromRedisValue, RedisError, Value};
use tower_session_guard::store::{StoreError, StoreErrorKind};

use crate::{RedisStore, error::store_error};

impl RedisStore {
    /// Fails if the server may evict keys when its memory is full; on a cluster, if any primary may.
    ///
    /// An evicted key is a logout or a revocation that is undone. [`connect`](Self::connect) asks by itself. This is
    /// for connections that the application made. Of a pool of cluster connections, only one primary is asked.
    ///
    /// It asks `CONFIG GET maxmemory-policy`, and where that is forbidden `INFO memory`, once: a server that takes
    /// over later is not asked.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](StoreErrorKind::Unsupported) if the policy is another than `noeviction`, or the server does
    /// not tell. Others if it cannot be reached within the time limit.
    pub async fn refuse_eviction(self) -> Result<Self, StoreError> {
        self.timed(self.check_eviction()).await?;
        Ok(self)
    }

    async fn check_eviction(&self) -> Result<(), StoreError> {
        let mut config = redis::cmd("CONFIG");
        config.arg("GET").arg("maxmemory-policy");
        let mut info = redis::cmd("INFO");
        info.arg("memory");
        let mut policies = self.link.ask_primaries(&config).await.map(from_config);
        if policies.as_ref().is_ok_and(|all| all.contains(&None))
            || policies.as_ref().is_err_and(was_refused)
        {
            policies = self.link.ask_primaries(&info).await.map(from_info);
        }
        let policies = match policies {
            Err(error) if was_refused(&error) => vec![None],
            policies => policies.map_err(store_error)?,
        };
        policies.iter().map(Option::as_deref).try_for_each(judge)
    }
}

fn from_config(answers: Vec<Value>) -> Vec<Option<String>> {
    let policy = |answer| {
        let mut settings: HashMap<String, String> = HashMap::from_redis_value(answer).ok()?;
        settings.remove("maxmemory-policy")
    };
    answers.into_iter().map(policy).collect()
}

fn from_info(answers: Vec<Value>) -> Vec<Option<String>> {
    let policy = |answer| {
        let facts = String::from_redis_value(answer).ok()?;
        let policy = |line: &str| Some(line.strip_prefix("maxmemory_policy:")?.trim().to_owned());
        facts.lines().find_map(policy)
    };
    answers.into_iter().map(policy).collect()
}

/// Whether the server answered that it does not carry out the command.
fn was_refused(error: &RedisError) -> bool {
    matches!(error.code(), Some("NOPERM" | "ERR"))
}

fn judge(policy: Option<&str>) -> Result<(), StoreError> {
    let why = match policy {
        Some("noeviction") => return Ok(()),
        Some(policy) => format!(
            "the server may evict sessions, logouts and revocations (maxmemory-policy {policy}): set \
             maxmemory-policy noeviction, or connect with ConnectOptions::allow_eviction"
        ),
        None => "the server does not tell whether it may evict keys: set maxmemory-policy noeviction and \
                 permit CONFIG GET or INFO, or connect with ConnectOptions::allow_eviction"
            .to_owned(),
    };
    Err(StoreError::with_source(StoreErrorKind::Unsupported, why))
}
