//! A gate at which handlers wait, so that a test forces an interleaving.

use std::sync::Arc;

use tokio::sync::watch;

/// Closed until it is opened; then it stays open until it is closed again.
#[derive(Clone, Debug)]
pub struct Gate(Arc<watch::Sender<bool>>);

impl Default for Gate {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl Gate {
    pub async fn wait(&self) {
        let mut gate = self.0.subscribe();
        // The sender lives as long as the application does.
        let _ = gate.wait_for(|open| *open).await;
    }

    pub fn open(&self) {
        self.0.send_replace(true);
    }

    pub fn close(&self) {
        self.0.send_replace(false);
    }

    /// How many handlers wait.
    pub fn waiting(&self) -> usize {
        self.0.receiver_count()
    }
}
