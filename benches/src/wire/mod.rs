//! The same stacks behind real sockets.

mod client;
#[cfg(feature = "redis-peers")]
mod peers;
mod serve;

pub use client::{CONNECTIONS, Client, cookie_of};
pub use serve::serve;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, fs, io};

/// What stands between a socket and the handler.
pub const STACKS: &[&str] = &[
    "bare stack",
    HANDLE,
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

/// What any layer costs that hands something to handlers: one allocation in the request's extensions, and nothing else.
pub const HANDLE: &str = "a handle in the extensions";

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

    /// The processor's time that its threads have taken.
    ///
    /// # Errors
    ///
    /// When the system does not count it.
    pub fn processor_time(&self) -> io::Result<Duration> {
        let mut taken = Duration::ZERO;
        for thread in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let counted = fs::read_to_string(thread?.path().join("schedstat"))?;
            let nanos = counted.split_whitespace().next().unwrap_or_default();
            taken += Duration::from_nanos(nanos.parse().map_err(io::Error::other)?);
        }
        Ok(taken)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
