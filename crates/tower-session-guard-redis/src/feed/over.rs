//! [`Over`]: whether a feed has ended.

use std::sync::Arc;

use tokio::sync::watch;

/// Whether a feed has ended. It never begins again.
#[derive(Clone, Debug)]
pub(crate) struct Over(Arc<watch::Sender<bool>>);

impl Over {
    pub(crate) fn not_yet() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    pub(crate) fn set(&self) {
        self.0.send_replace(true);
    }

    pub(crate) fn is_set(&self) -> bool {
        *self.0.borrow()
    }

    pub(crate) async fn wait(&self) {
        // The sender is held here, so the channel stays open.
        let _ = self.0.subscribe().wait_for(|over| *over).await;
    }
}
