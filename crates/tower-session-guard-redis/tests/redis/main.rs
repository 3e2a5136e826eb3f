//! Sessions in Redis and Valkey, against servers that the tests start themselves: the store contract, what
//! each operation costs, and what an outage does. `tools/testbed` kills Redis under a load of logins.
//!
//! `REDIS_SERVER` and `VALKEY_SERVER` name the programs; without them `redis-server` and `valkey-server` are
//! looked for in `PATH`. A test whose server is missing says "skipped".

mod connecting;
mod contract;
mod costs;
mod feed;
mod links;
mod list_feed;
mod outages;
mod revocations;
mod upkeep;
mod volume;

use test_support::server::PATIENCE;
use tower_session_guard_redis::RedisStore;

/// A store whose time limit no busy machine reaches, for tests of anything but that limit.
async fn patient(url: impl AsRef<str>) -> RedisStore {
    let store = RedisStore::connect(url).await.unwrap();
    store.with_time_limit(PATIENCE)
}
