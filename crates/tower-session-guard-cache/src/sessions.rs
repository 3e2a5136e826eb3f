//! [`SessionEpoch`]: the copies of one epoch, and what fills them.

use std::{pin::pin, sync::Arc};

use tokio::time::timeout;
use tower_session_guard::{
    SessionId, Timestamp, VerifiedId,
    store::{
        Lease, StoreFuture, Stored,
        feed::{Copies, Feed, FeedReader, FeedStore},
    },
};

use crate::{
    clock::SteadyClock,
    copies::SessionCopies,
    epoch::{Epoch, Held},
    options::CacheOptions,
    supervisor::Open,
    waiters::Waiters,
};

/// The copies of one epoch, and what fills them.
#[derive(Debug)]
pub(crate) struct SessionEpoch {
    pub(crate) copies: Arc<SessionCopies>,
    reader: Arc<dyn FeedReader>,
}

impl Held for SessionEpoch {
    fn forget_all(&self) {
        self.copies.forget_all();
    }

    fn entries(&self) -> usize {
        self.copies.entries()
    }

    fn bytes(&self) -> usize {
        self.copies.bytes()
    }
}

impl Epoch<SessionEpoch> {
    /// Reads a record over the feed and keeps a copy. `None` if the lease ran out before the answer came, or there was
    /// none: then the store has to be asked.
    pub(crate) async fn load(
        &self,
        id: VerifiedId<'_>,
        now: Timestamp,
        clock: &SteadyClock,
    ) -> Option<Option<Stored>> {
        let SessionEpoch { copies, reader } = &self.held;
        let noted = copies.note(id.get());
        let mut read = pin!(reader.load(id, now));
        let answer = loop {
            let left = self.lease.left(clock.now());
            match timeout(left, read.as_mut()).await {
                Ok(answer) => break answer.ok()?,
                // Fences may have been answered meanwhile.
                Err(_) if self.lease.is_live(clock.now()) => {}
                Err(_) => return None,
            }
        };
        match &answer {
            Some(stored) => {
                copies.insert_if(noted, id.get(), stored);
            }
            None => copies.forget_gone(id.get()),
        }
        self.lease.is_live(clock.now()).then_some(answer)
    }
}

/// What a feed is told to forget.
#[derive(Debug)]
struct Told {
    copies: Arc<SessionCopies>,
    waiters: Arc<Waiters>,
}

impl Copies for Told {
    fn forget(&self, id: &SessionId) {
        self.copies.forget(id);
        self.waiters.wake(id);
    }

    fn forget_all(&self) {
        self.copies.forget_all();
        self.waiters.wake_all();
    }
}

/// Opens the feed of a store, each time with copies of its own.
#[derive(Debug)]
pub(crate) struct OpenSessions<S> {
    pub(crate) store: Arc<S>,
    pub(crate) options: CacheOptions,
    pub(crate) lease: Lease,
    pub(crate) waiters: Arc<Waiters>,
}

impl<S> Open<SessionEpoch> for OpenSessions<S>
where
    S: FeedStore,
{
    fn open(&self) -> StoreFuture<'_, (Box<dyn Feed>, SessionEpoch)> {
        Box::pin(async move {
            let copies = Arc::new(SessionCopies::new(self.options));
            let told = Told {
                copies: Arc::clone(&copies),
                waiters: Arc::clone(&self.waiters),
            };
            let opened = self.store.open_feed(Arc::new(told), self.lease).await?;
            let reader = opened.reader;
            Ok((opened.feed, SessionEpoch { copies, reader }))
        })
    }
}
