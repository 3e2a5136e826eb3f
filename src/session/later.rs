//! [`Later`]: what a session is loaded with that nobody has looked at yet.

use std::{error::Error, fmt, future::Future, pin::Pin};

use super::{device_notes::DeviceNotes, ended::EndCause, live::Live};

/// What a session is loaded with, when somebody first looks at it.
pub(crate) trait Later: Send + Sync {
    /// What was found, once it is loaded.
    fn found(&self) -> Option<Option<&Live>>;

    /// Loads it, unless it is loaded. Whoever waits may be dropped; the next one goes on.
    fn load(&self) -> Pin<Box<dyn Future<Output = Result<(), LoadFailed>> + Send + '_>>;

    /// Why the logged-in session is over whose token came, once it is loaded.
    fn why_ended(&self) -> Option<EndCause>;

    /// What the session that was found knows of its device, which goes over to the request's own.
    fn take_device_notes(&self) -> Option<Box<DeviceNotes>>;

    /// Says in the log, once, that the session was read before it was loaded.
    fn tell_unloaded(&self);
}

/// The session could not be loaded, since the store failed. The layer told of it, and answers in the handler's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LoadFailed;

impl fmt::Display for LoadFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the session could not be loaded: the session store failed")
    }
}

impl Error for LoadFailed {}
