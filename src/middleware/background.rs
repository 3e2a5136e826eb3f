//! [`Background`]: what goes on after its request or its caller is gone.

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use tokio::{
    runtime::{self, Handle},
    sync::Notify,
    time::timeout,
};

/// Counts the commits and endings that go on alone, so that a shutdown can wait for them.
#[derive(Debug, Default)]
pub(crate) struct Background {
    running: AtomicUsize,
    ended: Notify,
}

/// What [`SessionLayer::drain`](crate::SessionLayer::drain) left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "what is left may be a logout that is not carried out"]
#[non_exhaustive]
pub struct Drained {
    /// How many settlements and endings were still under way when the time was over.
    pub left: usize,
}

impl Drained {
    /// Whether nothing was left.
    #[must_use]
    pub const fn is_complete(self) -> bool {
        self.left == 0
    }
}

/// One piece of work under way; dropped when it is done, or lost with its runtime.
struct Running(Arc<Background>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, SeqCst);
        self.0.ended.notify_waiters();
    }
}

impl Background {
    fn begin(self: &Arc<Self>) -> Running {
        self.running.fetch_add(1, SeqCst);
        Running(Arc::clone(self))
    }

    /// Completes `work` without anybody who waits.
    pub(crate) fn detach(self: &Arc<Self>, work: impl Future<Output = ()> + Send + 'static) {
        let running = self.begin();
        let task = async move {
            work.await;
            drop(running);
        };
        if let Ok(runtime) = Handle::try_current() {
            drop(runtime.spawn(task));
            return;
        }
        // Dropped outside every runtime, as at a shutdown: a thread of its own sees it through.
        let spawned = thread::Builder::new().spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build();
            match runtime {
                Ok(runtime) => runtime.block_on(task),
                Err(error) => tell_lost(&error),
            }
        });
        if let Err(error) = spawned {
            tell_lost(&error);
        }
    }

    /// Runs `work` to its end, also if the caller no longer waits for it.
    pub(crate) async fn complete<T>(
        self: &Arc<Self>,
        work: impl Future<Output = T> + Send + 'static,
    ) -> T
    where
        T: Send + 'static,
    {
        // Counted from the first poll on, whoever runs it.
        let running = self.begin();
        let work = async move {
            let result = work.await;
            drop(running);
            result
        };
        let Ok(runtime) = Handle::try_current() else {
            return work.await;
        };
        match runtime.spawn(work).await {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime shuts down, and this task with it.
                Err(_) => std::future::pending().await,
            },
        }
    }

    /// Waits until nothing is under way, for as long as `deadline`.
    pub(crate) async fn drain(&self, deadline: Duration) -> Drained {
        let idle = async {
            loop {
                let ended = self.ended.notified();
                let mut ended = pin!(ended);
                // Before the count is read, so that no end in between is missed.
                ended.as_mut().enable();
                if self.running.load(SeqCst) == 0 {
                    return;
                }
                ended.await;
            }
        };
        let _in_time = timeout(deadline, idle).await;
        Drained {
            left: self.running.load(SeqCst),
        }
    }
}

/// A destructor cannot fail, and a panic in it may abort the process (S24).
fn tell_lost(error: &std::io::Error) {
    tracing::error!(
        target: "tower_session_guard",
        %error,
        "a settlement was lost at the shutdown: await `SessionLayer::drain` before the runtime ends"
    );
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use tokio::sync::oneshot;

    use super::Background;

    const LONG: Duration = Duration::from_secs(60);

    /// S16.
    #[tokio::test]
    async fn draining_waits_for_what_goes_on_alone() {
        let background = Arc::new(Background::default());
        assert!(background.drain(LONG).await.is_complete());
        let (done, wait) = oneshot::channel::<()>();
        background.detach(async {
            let _ = wait.await;
        });
        assert_eq!(background.drain(Duration::from_millis(20)).await.left, 1);
        let draining = Arc::clone(&background);
        let drained = tokio::spawn(async move { draining.drain(LONG).await });
        tokio::task::yield_now().await;
        done.send(()).unwrap();
        assert!(drained.await.unwrap().is_complete());
    }

    /// S01: an ending that began completes though its caller is gone.
    #[tokio::test]
    async fn work_completes_without_its_caller() {
        let background = Arc::new(Background::default());
        let (done, wait) = oneshot::channel::<()>();
        let (told, hears) = oneshot::channel();
        let work = async move {
            let _ = wait.await;
            let _ = told.send(());
        };
        let in_time = tokio::time::timeout(Duration::from_millis(20), background.complete(work));
        assert!(in_time.await.is_err());
        done.send(()).unwrap();
        assert!(background.drain(LONG).await.is_complete());
        hears.await.unwrap();
    }

    #[test]
    fn without_a_runtime_a_thread_sees_it_through() {
        let background = Arc::new(Background::default());
        let (told, hears) = oneshot::channel();
        background.detach(async move {
            let _ = told.send(());
        });
        hears.blocking_recv().unwrap();
    }
}
