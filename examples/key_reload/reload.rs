//! Reads the keys again.

use std::path::Path;

use tower_session_guard::{ConfigError, KeyId, KeyRing};

/// Puts the keys of the file in the place of those of the ring, which every layer follows at its next request.
///
/// # Errors
///
/// If the file cannot be read or holds no good ring. The ring is as it was then.
pub(crate) fn reload(ring: &KeyRing, file: &Path) -> Result<(), ConfigError> {
    ring.replace(&KeyRing::from_file(file)?);
    Ok(())
}

/// Says which keys are in use, for an operator who compares nodes. An id says nothing about its key.
pub(crate) fn tell(ring: &KeyRing) {
    let ids: Vec<_> = ring.key_ids().iter().map(KeyId::to_string).collect();
    if let [signs, verify @ ..] = &ids[..] {
        tracing::info!(%signs, ?verify, "session keys");
    }
}

#[cfg(unix)]
pub(crate) use self::unix::{at_each, hangups};

#[cfg(unix)]
mod unix {
    use std::{io, path::PathBuf};

    use tokio::signal::unix::{Signal, SignalKind, signal};
    use tower_session_guard::KeyRing;

    use super::{reload, tell};

    /// The SIGHUPs that come from now on. They end the process no longer.
    pub(crate) fn hangups() -> io::Result<Signal> {
        signal(SignalKind::hangup())
    }

    /// Reads the keys again at each SIGHUP.
    pub(crate) async fn at_each(mut hangups: Signal, ring: KeyRing, file: PathBuf) {
        while hangups.recv().await.is_some() {
            match reload(&ring, &file) {
                Ok(()) => tell(&ring),
                Err(error) => {
                    tracing::error!(?error, "session keys not reloaded: those from before stay");
                }
            }
        }
    }
}
