//! [`FenceRequests`]: who waits for a fence that is yet to be sent.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};

/// Who waits for a fence that is yet to be sent.
#[derive(Debug)]
pub(crate) struct FenceRequests {
    /// `None` once no fence will be sent any more.
    waiting: Mutex<Option<Vec<oneshot::Sender<()>>>>,
    asked: Notify,
}

impl FenceRequests {
    pub(crate) fn new() -> Self {
        Self {
            waiting: Mutex::new(Some(Vec::new())),
            asked: Notify::new(),
        }
    }

    /// Waits until a fence was answered that was sent after this call, or until there are no more fences.
    pub(crate) async fn ask(&self) {
        let (answer, answered) = oneshot::channel();
        match &mut *self.waiting() {
            Some(waiting) => waiting.push(answer),
            None => return,
        }
        self.asked.notify_one();
        let _answered_or_over = answered.await;
    }

    /// Waits until somebody asks.
    pub(crate) async fn asked(&self) {
        self.asked.notified().await;
    }

    /// Those who asked by now: a fence is sent next.
    pub(crate) fn take(&self) -> Vec<oneshot::Sender<()>> {
        self.waiting()
            .as_mut()
            .map(std::mem::take)
            .unwrap_or_default()
    }

    /// There are no more fences.
    pub(crate) fn close(&self) {
        *self.waiting() = None;
    }

    fn waiting(&self) -> MutexGuard<'_, Option<Vec<oneshot::Sender<()>>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
