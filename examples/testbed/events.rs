//! The audit events so far, for `GET /_events`.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use tower_session_guard::{Observer, SessionEvent, TracingObserver};

#[derive(Clone, Debug, Default)]
pub(crate) struct EventLog(Arc<Mutex<Vec<SessionEvent>>>);

impl EventLog {
    /// The events after the `since`th.
    pub(crate) fn since(&self, since: usize) -> Vec<Value> {
        let events = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let numbered = events.iter().enumerate().skip(since);
        numbered
            .map(|(n, event)| {
                json!({
                    "n": n + 1,
                    "kind": event.kind.as_str(),
                    "at": event.at.as_unix_seconds(),
                    "session": event.session.map(|id| id.to_string()),
                    "successor": event.successor.map(|id| id.to_string()),
                    "subject": event.subject.as_ref().map(ToString::to_string),
                })
            })
            .collect()
    }
}

impl Observer for EventLog {
    fn observe(&self, event: &SessionEvent) {
        TracingObserver.observe(event);
        let mut events = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        events.push(event.clone());
    }
}
