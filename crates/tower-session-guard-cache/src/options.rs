//! [`CacheOptions`]: how much a cache may hold.

/// How much a cache may hold.
///
/// # Examples
///
/// ```
/// use tower_session_guard_cache::CacheOptions;
///
/// let options = CacheOptions::new().with_max_entries(500_000).with_max_bytes(512 * 1024 * 1024);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct CacheOptions {
    pub(crate) max_entries: usize,
    pub(crate) max_bytes: usize,
}

impl CacheOptions {
    /// How many copies a cache holds unless [`with_max_entries`](Self::with_max_entries) says otherwise: 100,000.
    pub const DEFAULT_MAX_ENTRIES: usize = 100_000;

    /// How many bytes the copies take unless [`with_max_bytes`](Self::with_max_bytes) says otherwise: 64 MiB.
    pub const DEFAULT_MAX_BYTES: usize = 64 * 1024 * 1024;

    /// The options of [`Cached::start`](crate::Cached::start).
    pub const fn new() -> Self {
        Self {
            max_entries: Self::DEFAULT_MAX_ENTRIES,
            max_bytes: Self::DEFAULT_MAX_BYTES,
        }
    }

    /// Sets how many copies the cache holds at most.
    ///
    /// A server may keep track of fewer: Redis tells of changes to a million keys by default
    /// (`tracking-table-max-keys`), for all nodes together.
    pub const fn with_max_entries(mut self, entries: usize) -> Self {
        self.max_entries = entries;
        self
    }

    /// Sets how many bytes the copies take at most: their records, and 200 bytes for each, which is what one takes with
    /// its part of the tables.
    ///
    /// A record that is larger than a sixty-fourth of this is not kept.
    pub const fn with_max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }
}

impl Default for CacheOptions {
    /// The same as [`new`](Self::new).
    fn default() -> Self {
        Self::new()
    }
}
