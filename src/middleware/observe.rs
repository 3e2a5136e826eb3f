//! The default [`Observer`]: it emits `tracing` events.

use std::error::Error;

use tracing::{debug, error, info, warn};

use crate::session::{
    ended::EndCause,
    event::{EventKind, Observer, SessionEvent, Severity},
};

/// Emits every event through `tracing`, under the target `tower_session_guard`.
///
/// Alerts are errors, warnings are warnings, and the rest is information, but for what anybody can cause
/// with a made-up cookie: malformed, forged and unknown-key tokens are told at the debug level, so that
/// nobody fills the log. A subject is shown with its control characters escaped. Without a subscriber nothing is formatted.
#[derive(Clone, Copy, Debug, Default)]
pub struct TracingObserver;

macro_rules! emit {
    ($level:ident, $event:expr) => {
        $level!(
            target: "tower_session_guard",
            kind = $event.kind.as_str(),
            cause = $event.kind.end_cause().map(EndCause::as_str),
            reason = $event.reason,
            actor = $event
                .actor
                .as_ref()
                .map(|actor| tracing::field::display(actor.as_str().escape_debug())),
            session = $event.session.as_ref().map(tracing::field::display),
            successor = $event.successor.as_ref().map(tracing::field::display),
            except = $event.except.as_ref().map(tracing::field::display),
            // Escaped, so that a subject with a line break does not begin a line of its own.
            subject = $event
                .subject
                .as_ref()
                .map(|subject| tracing::field::display(subject.as_str().escape_debug())),
            "session event"
        )
    };
}

/// Says in the log why the store, or the list of ended tokens, failed: its event names what was asked for, and no cause.
#[cold]
pub(crate) fn tell_cause(error: &dyn Error) {
    error!(target: "tower_session_guard", ?error, "the session store failed");
}

impl Observer for TracingObserver {
    fn observe(&self, event: &SessionEvent) {
        match (event.kind, event.kind.severity()) {
            (
                EventKind::TokenMalformed | EventKind::TokenUnknownKey | EventKind::TokenForged,
                _,
            ) => emit!(debug, event),
            (_, Severity::Info) => emit!(info, event),
            (_, Severity::Warning) => emit!(warn, event),
            (_, Severity::Alert) => emit!(error, event),
        }
    }
}
