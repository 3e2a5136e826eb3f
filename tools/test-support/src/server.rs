//! Servers that a test starts, pauses and kills.

use std::{
    net::{SocketAddr, TcpListener},
    time::Duration,
};

/// How long a test waits for something that must happen, such as a server's start. It goes on as soon as
/// that happened, so only a hang takes this long, on a busy machine too.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A server that a test started: it can be paused, and it can die and come back.
pub trait StoreServer {
    fn address(&self) -> SocketAddr;

    /// Stops its processes, with their connections open.
    fn pause(&self);

    /// Lets a paused server go on.
    fn go_on(&self);

    /// Kills it as a machine that dies would.
    fn kill(&self);

    /// Starts a killed server on the same address, and returns once it answers.
    fn start_again(&self);
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    let free = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    free.local_addr().unwrap().port()
}
