//! Gates at which requests wait, so that a client can force an interleaving.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::watch;

#[derive(Clone, Debug, Default)]
pub(crate) struct Gates(Arc<Mutex<HashMap<String, watch::Sender<bool>>>>);

impl Gates {
    /// Waits until the gate is opened; without blocking a thread.
    pub(crate) async fn wait(&self, name: &str) {
        let mut gate = self.gate(name).subscribe();
        // The sender lives as long as the map, so this ends only when the gate opens.
        let _ = gate.wait_for(|open| *open).await;
    }

    pub(crate) fn open(&self, name: &str) {
        self.gate(name).send_replace(true);
    }

    /// How many requests wait; one whose client went away no longer counts.
    pub(crate) fn waiting(&self, name: &str) -> usize {
        let gate = self.gate(name);
        if *gate.borrow() {
            0
        } else {
            gate.receiver_count()
        }
    }

    fn gate(&self, name: &str) -> watch::Sender<bool> {
        let mut gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        gates.entry(name.to_owned()).or_default().clone()
    }
}
