//! [`Node`]: the store of one node.

use std::{convert::Infallible, sync::Arc};

use tokio::time::{sleep, timeout};
use tower_session_guard::{
    Record, SessionId, SessionStore, Timestamp, VerifiedId,
    store::{
        Counting, Created, Cursor, Cutoff, EndedPage, IndexKey, Lease, Page, Removed, Replaced,
        Revision, StoreError, StoreErrorKind, StoreFuture, Stored,
        feed::{Copies, Feed, FeedReader, FeedStore, OpenFeed},
    },
};

use super::{
    connection::{Connection, Message},
    server::{Inner, Path, TIME_LIMIT, at_once},
};

/// The store of one node. A clone is the same node.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    server: Arc<Inner>,
    number: usize,
}

impl Node {
    pub(super) const fn new(server: Arc<Inner>, number: usize) -> Self {
        Self { server, number }
    }

    pub(crate) fn set_path(&self, path: Path) {
        self.server.set_path(self.number, path);
    }

    /// Does something at the server, in one step with what `told` makes of it.
    async fn call<T>(
        &self,
        call: StoreFuture<'_, T>,
        told: impl FnOnce(&T, &mut super::server::State),
    ) -> Result<T, StoreError> {
        self.server.reach(self.number).await?;
        let answer = {
            let mut state = self.server.state();
            let answer = at_once(call)?;
            told(&answer, &mut state);
            answer
        };
        self.server.come_back(self.number).await?;
        Ok(answer)
    }
}

impl SessionStore for Node {
    fn load<'a>(&'a self, id: VerifiedId<'a>, now: Timestamp) -> StoreFuture<'a, Option<Stored>> {
        let call = self.server.records.load(id, now);
        Box::pin(self.call(call, |_, state| state.count_load()))
    }

    fn create<'a>(
        &'a self,
        id: &'a SessionId,
        record: &'a Record,
        counting: Counting,
        now: Timestamp,
    ) -> StoreFuture<'a, Created> {
        let call = self.server.records.create(id, record, counting, now);
        Box::pin(self.call(call, |_, state| state.changed(id)))
    }

    fn replace<'a>(
        &'a self,
        id: &'a SessionId,
        revision: Revision,
        record: &'a Record,
        now: Timestamp,
    ) -> StoreFuture<'a, Replaced> {
        let call = self.server.records.replace(id, revision, record, now);
        Box::pin(self.call(call, |replaced, state| {
            if matches!(replaced, Replaced::Replaced(_)) {
                state.changed(id);
            }
        }))
    }

    fn remove<'a>(
        &'a self,
        id: &'a SessionId,
        listed_under: Option<&'a IndexKey>,
    ) -> StoreFuture<'a, Removed> {
        let call = self.server.records.remove(id, listed_under);
        Box::pin(self.call(call, |removed, state| {
            if *removed == Removed::Removed {
                state.changed(id);
            }
        }))
    }

    fn heads<'a>(
        &'a self,
        key: &'a IndexKey,
        after: Option<&'a Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> StoreFuture<'a, Page> {
        let call = self.server.records.heads(key, after, limit, now);
        Box::pin(self.call(call, |_, _| {}))
    }

    fn end_listed<'a>(
        &'a self,
        key: &'a IndexKey,
        after: Option<&'a Cursor>,
        limit: usize,
        except: Option<&'a SessionId>,
    ) -> StoreFuture<'a, EndedPage> {
        Box::pin(async move {
            let records = &self.server.records;
            self.server.reach(self.number).await?;
            let answer = {
                let mut state = self.server.state();
                let epoch = Timestamp::from_unix_millis(0);
                let page = at_once(records.heads(key, after, limit, epoch))?;
                let answer = at_once(records.end_listed(key, after, limit, except))?;
                for listed in page.heads {
                    if Some(&listed.id) != except {
                        state.changed(&listed.id);
                    }
                }
                answer
            };
            self.server.come_back(self.number).await?;
            Ok(answer)
        })
    }

    fn raise_cutoff<'a>(
        &'a self,
        key: &'a IndexKey,
        cutoff: &'a Cutoff,
        now: Timestamp,
    ) -> StoreFuture<'a, ()> {
        let call = self.server.records.raise_cutoff(key, cutoff, now);
        Box::pin(self.call(call, |(), _| {}))
    }

    fn cutoff<'a>(&'a self, key: &'a IndexKey, now: Timestamp) -> StoreFuture<'a, Option<Cutoff>> {
        Box::pin(self.call(self.server.records.cutoff(key, now), |_, _| {}))
    }

    fn endings_hold(&self) -> Option<StoreFuture<'_, ()>> {
        Some(Box::pin(async move {
            self.server.reach(self.number).await?;
            let wait = self.server.state().ending_wait();
            self.server.come_back(self.number).await?;
            if let Some(wait) = wait {
                sleep(wait).await;
            }
            Ok(())
        }))
    }

    fn live_records<'a>(&'a self, now: Timestamp) -> StoreFuture<'a, Option<u64>> {
        self.server.records.live_records(now)
    }
}

impl FeedStore for Node {
    fn open_feed<'a>(&'a self, copies: Arc<dyn Copies>, lease: Lease) -> StoreFuture<'a, OpenFeed> {
        Box::pin(async move {
            self.server.reach(self.number).await?;
            let (number, connection) = {
                let mut state = self.server.state();
                let opened = state.connect(Connection::new(self.number, copies));
                state.hold_lease(opened.0, lease);
                opened
            };
            let line = FakeFeed {
                server: Arc::clone(&self.server),
                number,
                connection,
                lease,
            };
            self.server.come_back(self.number).await?;
            let reader = FakeReader {
                server: Arc::clone(&self.server),
                number,
                connection: Arc::clone(&line.connection),
            };
            Ok(OpenFeed::new(line, Arc::new(reader)))
        })
    }
}

#[derive(Debug)]
struct FakeFeed {
    server: Arc<Inner>,
    number: usize,
    connection: Arc<Connection>,
    lease: Lease,
}

#[derive(Debug)]
struct FakeReader {
    server: Arc<Inner>,
    number: usize,
    connection: Arc<Connection>,
}

impl Feed for FakeFeed {
    fn listen(&mut self) -> StoreFuture<'_, Infallible> {
        Box::pin(async move { Err(self.connection.listen(&self.server).await) })
    }

    fn fence(&mut self) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            let question = self.connection.ask();
            // What comes meanwhile is still applied.
            let fenced = async {
                self.server.reach(self.connection.node).await?;
                {
                    let mut state = self.server.state();
                    state.count_fence();
                    state.hold_lease(self.number, self.lease);
                    state.tell(self.number, Message::Answer(question, Ok(None)));
                }
                self.connection.answer(&self.server, question).await
            };
            let late = |_| Err(StoreError::new(StoreErrorKind::Timeout));
            let answer = tokio::select! {
                answer = timeout(TIME_LIMIT, fenced) => answer.unwrap_or_else(late),
                error = self.connection.listen(&self.server) => Err(error),
            };
            answer.map(|_| ())
        })
    }
}

impl Drop for FakeFeed {
    fn drop(&mut self) {
        self.connection.close();
        self.connection.wake();
        self.server.state().disconnect(self.number);
    }
}

impl FeedReader for FakeReader {
    fn load<'a>(&'a self, id: VerifiedId<'a>, now: Timestamp) -> StoreFuture<'a, Option<Stored>> {
        Box::pin(async move {
            let question = self.connection.ask();
            self.server.reach(self.connection.node).await?;
            {
                let mut state = self.server.state();
                state.count_load();
                state.track(id.get(), self.number);
                let answer = at_once(self.server.records.load(id, now));
                state.tell(self.number, Message::Answer(question, answer));
            }
            self.connection.answer(&self.server, question).await
        })
    }
}
