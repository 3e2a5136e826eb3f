//! [`EventCounts`]: how often each kind of event was told.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use tower_session_guard::{EventKind, Observer, SessionEvent, Severity, TracingObserver};

/// Counts the events of a layer by their kind, and hands them on to the log.
///
/// A clone is the same counts. What an event says of a session or a user is not kept, so the numbers stay few: one for
/// each of [`EventKind::ALL`].
#[derive(Clone, Debug)]
pub struct EventCounts(Arc<HashMap<EventKind, AtomicU64>>);

impl EventCounts {
    /// Every kind, at 0.
    #[must_use]
    pub fn new() -> Self {
        let kinds = EventKind::ALL.iter();
        Self(Arc::new(kinds.map(|kind| (*kind, 0.into())).collect()))
    }

    /// How often events of this kind were told.
    #[must_use]
    pub fn of(&self, kind: EventKind) -> u64 {
        self.0.get(&kind).map_or(0, |count| count.load(Relaxed))
    }

    /// The same of every kind, those included that never happened: a rate then has a 0 to rise from.
    pub fn each(&self) -> impl Iterator<Item = (EventKind, u64)> + '_ {
        EventKind::ALL.iter().map(|kind| (*kind, self.of(*kind)))
    }
}

impl Default for EventCounts {
    /// The same as [`new`](Self::new).
    fn default() -> Self {
        Self::new()
    }
}

impl Observer for EventCounts {
    fn observe(&self, event: &SessionEvent) {
        if let Some(count) = self.0.get(&event.kind) {
            count.fetch_add(1, Relaxed);
        }
        // A layer has one observer, and this one takes the place of the one that logs.
        TracingObserver.observe(event);
    }
}

/// The labels of a kind's count. Both have few values, and neither says anything about a user.
#[must_use]
pub fn labels(kind: EventKind) -> [(&'static str, &'static str); 2] {
    let severity = match kind.severity() {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Alert => "alert",
        // Of a later release: better looked at than missed.
        _ => "unknown",
    };
    [("kind", kind.as_str()), ("severity", severity)]
}
