//! What a node does so that it sees its own writes.

use tower_session_guard::SessionId;

use crate::{epoch::Epochs, sessions::SessionEpoch};

/// Forgets the copy of a record that this node writes, once the write is over: answered, failed or dropped.
///
/// The copy is never changed in place. After a write a server no longer tells of the next change, until the record is
/// read again.
#[derive(Debug)]
pub(crate) struct OwnWrite<'a> {
    pub(crate) epochs: &'a Epochs<SessionEpoch>,
    pub(crate) id: &'a SessionId,
}

impl Drop for OwnWrite<'_> {
    fn drop(&mut self) {
        if let Some(epoch) = &*self.epochs.current() {
            epoch.held.copies.forget(self.id);
        }
        self.epochs.waiters.wake(self.id);
    }
}

/// The same for a write that does not say which records it changed.
///
/// A fence after it proves that the feed has told of them. Where none is answered within the lease, or the write is
/// dropped, every copy is forgotten.
#[derive(Debug)]
pub(crate) struct OwnEnding<'a> {
    epochs: &'a Epochs<SessionEpoch>,
    is_proved: bool,
}

impl<'a> OwnEnding<'a> {
    pub(crate) const fn new(epochs: &'a Epochs<SessionEpoch>) -> Self {
        Self {
            epochs,
            is_proved: false,
        }
    }

    /// The write changed nothing.
    pub(crate) fn nothing(mut self) {
        self.is_proved = true;
    }

    /// The write was answered, well or not.
    pub(crate) async fn answered(mut self) {
        let Some(epoch) = self.epochs.current().clone() else {
            self.is_proved = true;
            return;
        };
        let fence = tokio::time::timeout(self.epochs.lease.time(), epoch.fences.ask());
        self.is_proved = fence.await.is_ok();
    }
}

impl Drop for OwnEnding<'_> {
    fn drop(&mut self) {
        if self.is_proved {
            return;
        }
        if let Some(epoch) = &*self.epochs.current() {
            epoch.held.copies.forget_all();
        }
        self.epochs.waiters.wake_all();
    }
}
