//! The same stacks behind real sockets, under wrk.

mod client;
#[cfg(feature = "redis-peers")]
mod peers;
mod serve;

pub use client::{Load, cookie_of};
pub use serve::serve;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::{env, io};

/// What stands between a socket and the handler.
pub const STACKS: &[&str] = &[
    "bare stack",
    "tower-session-guard, self-contained",
    "tower-session-guard, memory store",
    REDIS,
    CACHED,
    UNLOOKED,
    UNLOOKED_LAZILY,
    "floor",
    "tower-sessions, signed",
    #[cfg(feature = "redis-peers")]
    peers::TOWER_SESSIONS,
    #[cfg(feature = "redis-peers")]
    peers::BEHIND_MOKA,
    #[cfg(feature = "redis-peers")]
    peers::UNLOOKED,
    #[cfg(feature = "redis-peers")]
    peers::AXUM_SESSION,
];

/// This crate's store in Redis.
pub const REDIS: &str = "tower-session-guard, Redis";

/// The same behind the near cache.
pub const CACHED: &str = "tower-session-guard, Redis, near cache";

/// A route that never looks, of a layer that loads at once.
pub const UNLOOKED: &str = "tower-session-guard, Redis, no look";

/// A route that never looks, of a layer that loads lazily.
pub const UNLOOKED_LAZILY: &str = "tower-session-guard, Redis, no look, lazily";

/// Whether the stack wants a Redis server, named by `REDIS_URL`.
#[must_use]
pub fn wants_redis(stack: &str) -> bool {
    stack.contains("Redis")
}

/// Which server takes the connections.
pub const FRONTS: [&str; 2] = ["hyper", "axum"];

/// A server in a process of its own, ended when dropped.
pub struct Server {
    child: Child,
    /// Where it listens, on loopback.
    pub port: u16,
}

impl Server {
    /// Starts this program again as a server.
    ///
    /// # Errors
    ///
    /// When it does not start or does not say where it listens.
    pub fn start(front: &str, stack: &str) -> io::Result<Self> {
        let mut child = Command::new(env::current_exe()?)
            .args(["--serve", front, stack])
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let out = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        BufReader::new(out).read_line(&mut line)?;
        let port = line.trim().parse().map_err(io::Error::other)?;
        Ok(Self { child, port })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
