//! [`Waiters`]: who waits for a session to change.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use tokio::sync::Notify;
use tower_session_guard::{SessionId, store::Changed};

/// Who waits for a session to change. It costs one load of a number where something changes and nobody waits.
#[derive(Default)]
pub(crate) struct Waiters {
    waiting: AtomicUsize,
    by_id: Mutex<HashMap<SessionId, Group>>,
}

/// Those who wait for one session.
struct Group {
    notify: Arc<Notify>,
    members: usize,
}

/// One of them, who leaves when it is dropped.
struct Member {
    waiters: Arc<Waiters>,
    id: SessionId,
    notify: Arc<Notify>,
}

impl Waiters {
    /// A future that is ready once the session is woken after this call.
    pub(crate) fn changed(self: &Arc<Self>, id: &SessionId) -> Changed {
        let member = self.join(id);
        // Told of what comes from now on, polled or not.
        let told = Arc::clone(&member.notify).notified_owned();
        Box::pin(async move {
            let _leaves = member;
            told.await;
        })
    }

    /// Wakes those who wait for a session.
    pub(crate) fn wake(&self, id: &SessionId) {
        if self.is_empty() {
            return;
        }
        let group = self.groups().remove(id);
        if let Some(group) = group {
            self.tell(&group);
        }
    }

    /// Wakes everybody.
    pub(crate) fn wake_all(&self) {
        if self.is_empty() {
            return;
        }
        let groups = std::mem::take(&mut *self.groups());
        for group in groups.values() {
            self.tell(group);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.load(SeqCst) == 0
    }

    fn tell(&self, group: &Group) {
        self.waiting.fetch_sub(group.members, SeqCst);
        group.notify.notify_waiters();
    }

    fn join(self: &Arc<Self>, id: &SessionId) -> Member {
        let mut groups = self.groups();
        let group = groups.entry(*id).or_insert_with(|| Group {
            notify: Arc::default(),
            members: 0,
        });
        group.members += 1;
        self.waiting.fetch_add(1, SeqCst);
        Member {
            waiters: Arc::clone(self),
            id: *id,
            notify: Arc::clone(&group.notify),
        }
    }

    fn groups(&self) -> MutexGuard<'_, HashMap<SessionId, Group>> {
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut groups = self.waiters.groups();
        // A group that was told has left already, and another may have come in its place.
        let Some(group) = groups.get_mut(&self.id) else {
            return;
        };
        if !Arc::ptr_eq(&group.notify, &self.notify) {
            return;
        }
        self.waiters.waiting.fetch_sub(1, SeqCst);
        group.members -= 1;
        if group.members == 0 {
            groups.remove(&self.id);
        }
    }
}

impl fmt::Debug for Waiters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiters")
            .field("waiting", &self.waiting)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::Arc,
        task::{Context, Poll, Waker},
    };

    use tower_session_guard::{SessionId, store::Changed};

    use super::Waiters;

    const A: SessionId = SessionId::from_bytes([1; 16]);
    const B: SessionId = SessionId::from_bytes([2; 16]);

    fn is_ready(changed: &mut Changed) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        changed.as_mut().poll(&mut context) == Poll::Ready(())
    }

    #[test]
    fn whoever_waits_for_a_session_is_told_polled_or_not() {
        let waiters = Arc::new(Waiters::default());
        let (mut polled, mut unpolled) = (waiters.changed(&A), waiters.changed(&A));
        let mut other = waiters.changed(&B);
        assert!(!is_ready(&mut polled));
        waiters.wake(&A);
        assert!(is_ready(&mut polled) && is_ready(&mut unpolled));
        assert!(!is_ready(&mut other));
        waiters.wake_all();
        assert!(is_ready(&mut other));
        let mut later = waiters.changed(&A);
        assert!(!is_ready(&mut later));
    }

    #[test]
    fn those_who_leave_leave_nothing() {
        let waiters = Arc::new(Waiters::default());
        let first = waiters.changed(&A);
        let mut second = waiters.changed(&A);
        drop(first);
        assert!(!waiters.is_empty());
        waiters.wake(&A);
        assert!(is_ready(&mut second));
        let third = waiters.changed(&A);
        drop(second);
        assert!(!waiters.is_empty());
        drop(third);
        assert!(waiters.is_empty() && waiters.groups().is_empty());
        drop(waiters.changed(&B));
        assert!(waiters.is_empty() && waiters.groups().is_empty());
    }
}
