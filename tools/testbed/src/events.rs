//! The audit events so far, for `GET /_events`.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::{Value, json};
use tower_session_guard::{EndCause, Observer, SessionEvent, TracingObserver};

/// How many events are kept: a flood of forged cookies is as many events, and must not fill the memory.
const KEPT: usize = 65_536;

#[derive(Clone, Debug, Default)]
pub(crate) struct EventLog(Arc<Mutex<Log>>);

#[derive(Debug, Default)]
struct Log {
    newest: VecDeque<SessionEvent>,
    /// How many there were before those.
    dropped: usize,
}

impl EventLog {
    /// The events after the `since`th, as far as they are kept.
    pub(crate) fn since(&self, since: usize) -> Vec<Value> {
        let log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let numbered = log.newest.iter().zip(log.dropped + 1..);
        numbered
            .skip(since.saturating_sub(log.dropped))
            .map(|(event, n)| {
                json!({
                    "n": n,
                    "kind": event.kind.as_str(),
                    "cause": event.kind.end_cause().map(EndCause::as_str),
                    "reason": event.reason,
                    "at": event.at.as_unix_seconds(),
                    "session": event.session.map(|id| id.to_string()),
                    "successor": event.successor.map(|id| id.to_string()),
                    "except": event.except.map(|id| id.to_string()),
                    "subject": event.subject.as_ref().map(ToString::to_string),
                    "actor": event.actor.as_ref().map(ToString::to_string),
                })
            })
            .collect()
    }
}

impl Observer for EventLog {
    fn observe(&self, event: &SessionEvent) {
        TracingObserver.observe(event);
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if log.newest.len() == KEPT {
            log.newest.pop_front();
            log.dropped += 1;
        }
        log.newest.push_back(event.clone());
    }
}
