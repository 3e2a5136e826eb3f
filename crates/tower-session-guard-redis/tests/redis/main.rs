//! Sessions in Redis and Valkey, against servers that the tests start themselves: the store contract, what
//! each operation costs, and what an outage does. `tools/testbed` kills Redis under a load of logins.
//!
//! `REDIS_SERVER` and `VALKEY_SERVER` name the programs; without them `redis-server` and `valkey-server` are
//! looked for in `PATH`. A test whose server is missing says "skipped".

mod contract;
mod costs;
mod links;
mod outages;
mod revocations;
mod upkeep;
