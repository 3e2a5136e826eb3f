//! [`Server`]: the records, who is told of which, and which leases hold.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    future::Future,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, Waker},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep, timeout},
};
use tower_session_guard::{
    MemoryStore, SessionId,
    store::{Lease, StoreError, StoreErrorKind},
};

use super::{
    connection::{Connection, Message},
    node::Node,
};

/// How long a call waits on a silent path before it fails.
pub(crate) const TIME_LIMIT: Duration = Duration::from_secs(2);

/// The way between a node and the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Path {
    Open,
    /// What there was is closed, and nothing new can be opened.
    Cut,
    /// Nothing passes, and neither end learns of it.
    Silent,
    /// The server's answers, and what it tells, come so much later.
    Slow(Duration),
}

#[derive(Clone, Debug)]
pub(crate) struct Server(pub(super) Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) records: MemoryStore,
    state: Mutex<State>,
    /// A path has changed.
    pub(super) changed: Notify,
}

#[derive(Debug, Default)]
pub(super) struct State {
    paths: Vec<Path>,
    connections: BTreeMap<usize, Arc<Connection>>,
    tracked: HashMap<SessionId, BTreeSet<usize>>,
    /// By connection: which lease, and until when the namespace holds it.
    leases: BTreeMap<usize, (Lease, Instant)>,
    opened: usize,
    fences: u64,
    loads: u64,
}

impl Server {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Inner {
            records: MemoryStore::new(),
            state: Mutex::default(),
            changed: Notify::new(),
        }))
    }

    /// Another node, whose path to the server is open.
    pub(crate) fn node(&self) -> Node {
        let mut state = self.0.state();
        state.paths.push(Path::Open);
        Node::new(Arc::clone(&self.0), state.paths.len() - 1)
    }

    pub(crate) fn fences(&self) -> u64 {
        self.0.state().fences
    }

    pub(crate) fn loads(&self) -> u64 {
        self.0.state().loads
    }

    /// How many connections there were.
    pub(crate) fn opened(&self) -> usize {
        self.0.state().opened
    }

    /// Tells every node that everything may have changed.
    pub(crate) fn flush(&self) {
        let mut state = self.0.state();
        state.tracked.clear();
        let connections: Vec<_> = state.connections.keys().copied().collect();
        for connection in connections {
            state.tell(connection, Message::ForgetAll);
        }
    }
}

impl Inner {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(super) fn path(&self, node: usize) -> Path {
        self.state().paths[node]
    }

    pub(super) fn set_path(&self, node: usize, path: Path) {
        let mut state = self.state();
        state.paths[node] = path;
        if path == Path::Cut {
            state.connections.retain(|_, connection| {
                let is_cut = connection.node == node;
                if is_cut {
                    connection.close();
                }
                !is_cut
            });
        }
        for connection in state.connections.values() {
            connection.wake();
        }
        drop(state);
        self.changed.notify_waiters();
    }

    /// Passes what goes to the server.
    pub(super) async fn reach(&self, node: usize) -> Result<(), StoreError> {
        let passed = async {
            loop {
                let changed = self.changed.notified();
                match self.path(node) {
                    Path::Open | Path::Slow(_) => return Ok(()),
                    Path::Cut => return Err(StoreError::unavailable("the path is cut")),
                    Path::Silent => changed.await,
                }
            }
        };
        let late = |_| Err(StoreError::new(StoreErrorKind::Timeout));
        timeout(TIME_LIMIT, passed).await.unwrap_or_else(late)
    }

    /// Passes what comes back on a connection of no feed.
    pub(super) async fn come_back(&self, node: usize) -> Result<(), StoreError> {
        if let Path::Slow(by) = self.path(node) {
            sleep(by).await;
        }
        self.reach(node).await
    }
}

impl State {
    pub(super) fn connect(&mut self, connection: Connection) -> (usize, Arc<Connection>) {
        self.opened += 1;
        let (number, connection) = (self.opened, Arc::new(connection));
        self.connections.insert(number, Arc::clone(&connection));
        (number, connection)
    }

    pub(super) fn disconnect(&mut self, connection: usize) {
        self.connections.remove(&connection);
        for connections in self.tracked.values_mut() {
            connections.remove(&connection);
        }
    }

    pub(super) fn count_load(&mut self) {
        self.loads += 1;
    }

    pub(super) fn count_fence(&mut self) {
        self.fences += 1;
    }

    pub(super) fn track(&mut self, id: &SessionId, connection: usize) {
        self.tracked.entry(*id).or_default().insert(connection);
    }

    /// A record has changed: once for each who read it.
    pub(super) fn changed(&mut self, id: &SessionId) {
        for connection in self.tracked.remove(id).unwrap_or_default() {
            self.tell(connection, Message::Forget(*id));
        }
    }

    /// Sends something to a node, which comes after all that was sent before.
    pub(super) fn tell(&mut self, connection: usize, message: Message) {
        let Some(connection) = self.connections.get(&connection) else {
            return;
        };
        let delay = match self.paths[connection.node] {
            Path::Slow(by) => by,
            _ => Duration::ZERO,
        };
        connection.send(Instant::now() + delay, message);
    }

    pub(super) fn hold_lease(&mut self, connection: usize, lease: Lease) {
        let until = Instant::now() + 2 * lease.time();
        self.leases.insert(connection, (lease, until));
    }

    /// How long an ending has to wait, if any lease is exact.
    pub(super) fn ending_wait(&mut self) -> Option<Duration> {
        let now = Instant::now();
        self.leases.retain(|_, (_, until)| now < *until);
        Lease::ending_wait(self.leases.values().map(|(lease, _)| Some(*lease)))
    }
}

/// What a future of the store in memory answers, which never waits.
pub(super) fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => unreachable!("a store in memory never waits"),
    }
}
