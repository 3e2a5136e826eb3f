//! [`SweepTask`]: what an application holds of the task that it started.

use std::future::Future;

use tokio::{sync::watch, task::JoinHandle};

use super::stats::SweepStats;

/// A task that sweeps a store, until it is [stopped](Self::stop) or dropped.
///
/// Dropping it ends the task at its next await. A batch under way then is carried out or not, and no other begins. The task
/// keeps neither the process nor its runtime alive; it holds a clone of the store.
#[derive(Debug)]
#[must_use = "dropping it stops the sweeps: keep it for as long as the application serves"]
pub struct SweepTask {
    task: JoinHandle<()>,
    stop: watch::Sender<bool>,
    stats: SweepStats,
}

impl SweepTask {
    pub(super) fn spawn<F>(run: impl FnOnce(SweepStats, watch::Receiver<bool>) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (stop, stopped) = watch::channel(false);
        let stats = SweepStats::new();
        let task = tokio::spawn(run(stats.clone(), stopped));
        Self { task, stop, stats }
    }

    /// How the sweeps do.
    #[must_use]
    pub fn stats(&self) -> SweepStats {
        self.stats.clone()
    }

    /// Ends the task, and waits until it has ended.
    ///
    /// A batch under way is completed, for which it waits ten seconds at most, and no other begins. Call it before the
    /// store's connections are closed.
    pub async fn stop(mut self) {
        let _already_ended = self.stop.send(true);
        let _ended = (&mut self.task).await;
    }
}

impl Drop for SweepTask {
    fn drop(&mut self) {
        self.task.abort();
    }
}
