//! What may happen, and what may be wrong.

/// One step. The number is the node's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Action {
    /// Time passes, for everybody.
    Tick,
    /// A node opens a feed, with copies of its own; the server notes its lease.
    Open(usize),
    SendFence(usize),
    /// A node asks for the record over its feed.
    SendRead(usize),
    /// The server does the first thing that came on a connection.
    Serve(usize),
    /// A node takes the first thing that the server sent.
    Receive(usize),
    /// Whoever asked for the record keeps what was read.
    Keep(usize),
    /// What a node's other task left lying is applied.
    ApplyLate(usize),
    /// A fence on another connection is answered.
    FenceElsewhere(usize),
    /// A connection is cut: what is on it is lost.
    Cut(usize),
    /// A node learns of that.
    Notice(usize),
    /// The next writer sends a write. It matters only where that moment counts.
    SendWrite,
    /// The server does it: the token changes, and it tells whom it has to.
    Commit,
    /// The writer hears of it, asks for the leases, and acknowledges it as soon as it may.
    Answer,
}

/// A rule that is broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mutant {
    EntriesKeptOverAReconnect,
    LeaseFromTheAnswer,
    TheCacheRefuses,
    NoWait,
    WaitFromSending,
    EntryUpdatedAfterAnOwnWrite,
    FenceOnAnotherConnection,
    NoFillGuard,
    InvalidationsByAnotherTask,
    /// The namespace does not know the longest lease.
    OwnLeaseOnly,
}
