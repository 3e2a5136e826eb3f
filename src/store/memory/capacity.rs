//! [`Capacity`]: how many sessions and bytes there may be, and how many there are.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// What a session costs besides the bytes of its record: its places in the table, in the order of expiry and
/// in the index.
pub(super) const OVERHEAD: usize = 256;

/// Counts sessions and their bytes. Counts only: the locks of the table order everything else.
#[derive(Debug)]
pub(super) struct Capacity {
    max_sessions: usize,
    max_bytes: usize,
    sessions: AtomicUsize,
    bytes: AtomicUsize,
}

impl Capacity {
    pub(super) const fn new(max_sessions: usize, max_bytes: usize) -> Self {
        Self {
            max_sessions,
            max_bytes,
            sessions: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
        }
    }

    pub(super) const fn max_sessions(&self) -> usize {
        self.max_sessions
    }

    pub(super) const fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    pub(super) fn sessions(&self) -> usize {
        self.sessions.load(Relaxed)
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Relaxed)
    }

    /// Takes a place for a session whose record has `len` bytes, if there is room.
    pub(super) fn take(&self, len: usize) -> bool {
        if !up_to(&self.sessions, 1, self.max_sessions) {
            return false;
        }
        let fits = up_to(&self.bytes, len + OVERHEAD, self.max_bytes);
        if !fits {
            self.sessions.fetch_sub(1, Relaxed);
        }
        fits
    }

    /// Takes room for a record of `len` bytes that is to replace another.
    pub(super) fn take_bytes(&self, len: usize) -> bool {
        up_to(&self.bytes, len, self.max_bytes)
    }

    pub(super) fn release(&self, len: usize) {
        self.sessions.fetch_sub(1, Relaxed);
        self.release_bytes(len + OVERHEAD);
    }

    pub(super) fn release_bytes(&self, len: usize) {
        self.bytes.fetch_sub(len, Relaxed);
    }
}

fn up_to(count: &AtomicUsize, more: usize, max: usize) -> bool {
    let with = |taken: usize| Some(taken + more).filter(|sum| *sum <= max);
    count.fetch_update(Relaxed, Relaxed, with).is_ok()
}
